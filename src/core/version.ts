/** Facts about this build, put in by `build.ts`. */
declare const LLMSPELL_BUILD: BuildFacts | undefined;

export interface BuildFacts {
  version: string;
  bun: string;
  target: string;
  builtAt: string;
  git: { commit: string; date: string; branch: string; dirty: string };
}

const development: BuildFacts = {
  version: "0.0.0-development",
  bun: Bun.version,
  target: `${process.platform}-${process.arch}`,
  builtAt: "",
  git: { commit: "", date: "", branch: "", dirty: "" },
};

export const build: BuildFacts = typeof LLMSPELL_BUILD === "undefined" ? development : LLMSPELL_BUILD;

export function shortVersion(): string {
  return build.version;
}

/** `llmspell 0.1.0 (1a2b3c4-modified 2026-01-31)`, or without the bracket when built outside git. */
export function versionLine(): string {
  const { commit, date, dirty } = build.git;
  if (commit === "") return `llmspell ${build.version}`;
  return `llmspell ${build.version} (${commit.slice(0, 7)}${dirty ? "-modified" : ""} ${date})`;
}
