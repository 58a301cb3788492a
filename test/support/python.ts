/** Debian's own Python, which has the packages that `.ci/run` installs; where one of the modules is missing, undefined. */
export function debianPython(...modules: string[]): string | undefined {
  const python = "/usr/bin/python3";
  if (Bun.which(python) === null) return undefined;
  return Bun.spawnSync([python, "-c", `import ${modules.join(", ")}`]).success ? python : undefined;
}
