/** Programs for which some paths are read-only, in a mount namespace that nobody else sees. */

const UNSHARE = Bun.which("unshare");
const NAMESPACE = [
  "--mount",
  "--propagation",
  "private",
  ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
];
/** Arguments: how many paths, the paths, the command. */
const SCRIPT = `n=$1; shift
while [ "$n" -gt 0 ]; do mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77; shift; n=$((n - 1)); done
exec "$@"`;

/** Why it cannot be done here; undefined where it can. */
export const noMountsHere = ((): string | undefined => {
  if (process.platform !== "linux" || UNSHARE === null) return "mounts are made on Linux with unshare only";
  const tried = Bun.spawnSync([UNSHARE, ...NAMESPACE, "sh", "-c", "mount -t tmpfs none /mnt"], {
    stderr: "pipe",
  });
  return tried.exitCode === 0 ? undefined : `cannot mount: ${tried.stderr.toString().trim()}`;
})();

/** A command that finds the paths, files or directories, read-only. */
export const readOnlyCommand = (paths: readonly string[], command: readonly string[]): string[] => [
  UNSHARE!,
  ...NAMESPACE,
  ...["sh", "-c", SCRIPT, "sh", String(paths.length)],
  ...paths,
  ...command,
];
