import { build, shortVersion, versionLine } from "../../core/version.ts";
import type { CommandDecl } from "../command.ts";
import { EXIT } from "../exit-codes.ts";

const host = `${process.platform}-${process.arch}`;
const features = ["lua", "llamacpp", "spell-mini"];

function document() {
  const { commit, date, branch, dirty } = build.git;
  return {
    version: build.version,
    git: { commit, commit_short: commit.slice(0, 7), branch, commit_date: date, dirty: dirty !== "" },
    build: {
      timestamp: build.builtAt,
      profile: "release",
      host,
      target: build.target,
      bun: build.bun,
      features,
    },
  };
}

export const command: CommandDecl = {
  name: "version",
  summary: "Show the version",
  options: [
    { flag: "--verbose", short: "-v", doc: "Also show commit, build and platform" },
    {
      flag: "--component",
      value: "NAME",
      choices: ["cli", "kernel", "bridge", "all"],
      doc: "With -v and `all`: list the components",
    },
    { flag: "--short", doc: "The version number only" },
    { flag: "--client", doc: "Show it as a client version" },
  ],
  async run(io, _args, options) {
    const { version, git, build: made } = document();
    if (options.client === true) {
      const clientVersion = {
        version,
        gitCommit: git.commit,
        gitTreeState: git.dirty ? "dirty" : "clean",
        buildDate: made.timestamp,
        platform: `${process.arch}/${process.platform}`,
      };
      if (io.mode === "json") io.json({ clientVersion }, true);
      else io.out(`Client Version: ${versionLine()}`);
      return EXIT.ok;
    }
    if (io.mode === "json") {
      io.json(document(), true);
      return EXIT.ok;
    }
    if (options.short === true) {
      io.out(shortVersion());
      return EXIT.ok;
    }
    io.out(versionLine());
    if (options.verbose !== true) return EXIT.ok;
    const rows: [string, string][] = [
      ["binary", "llmspell"],
      ["commit-hash", git.commit],
      ["commit-date", git.commit_date],
      ["branch", git.branch],
      ["working-tree", git.dirty ? "modified" : "clean"],
      ["build-timestamp", made.timestamp],
      ["build-profile", made.profile],
      ["host", made.host],
      ["target", made.target],
      ["bun", made.bun],
      ["features", features.join(", ")],
    ];
    for (const [key, value] of rows) io.out(`${key}: ${value}`);
    if (options.component === "all") {
      io.out("Components:");
      io.out(`  kernel: ${version} (embedded)`);
      io.out("  engines: lua");
      io.out(`  features: ${features.join(", ")}`);
    }
    return EXIT.ok;
  },
};
