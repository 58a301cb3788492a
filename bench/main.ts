/**
 * `bun run bench [NAME…] [--json]`: our figures beside the peers' or the limits, one table from one run.
 * NAME is one of the suites below; without one all run. See README.md.
 */
import { existsSync } from "node:fs";
import { didYouMean } from "../src/core/nearest.ts";
import { LLMSPELL } from "./measure.ts";
import { type Row, table } from "./row.ts";

const SUITES: Record<string, () => Promise<Row[]>> = {
  startup: async () => (await import("./startup.ts")).startup(),
  bridge: async () => (await import("./bridge.ts")).bridge(),
  metrics: async () => (await import("./metrics.ts")).metrics(),
  events: async () => (await import("./events.ts")).events(),
  agents: async () => (await import("./agents.ts")).agents(),
  state: async () => (await import("./state.ts")).state(),
  lua: async () => (await import("./lua.ts")).lua(),
  hooks: async () => (await import("./hooks.ts")).hooks(),
  inference: async () => (await import("./inference.ts")).inference(),
  speculation: async () => (await import("./speculation.ts")).speculation(),
  grammar: async () => (await import("./grammar.ts")).grammar(),
  backup: async () => (await import("./backup.ts")).backup(),
  embeddings: async () => (await import("./embeddings.ts")).embeddings(),
  jupyter: async () => (await import("./jupyter.ts")).jupyter(),
  sessions: async () => (await import("./sessions.ts")).sessions(),
  workflows: async () => (await import("./workflows.ts")).workflows(),
  concurrent: async () => (await import("./concurrent.ts")).concurrent(),
};

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes("--json");
  const chosen = args.filter((arg) => arg !== "--json");
  for (const name of chosen) {
    if (Object.hasOwn(SUITES, name)) continue;
    const known = Object.keys(SUITES);
    console.error(`Cannot run benchmark: no such suite: "${name}"`);
    console.error(didYouMean(name, known) ?? `Choose from ${known.join(", ")}`);
    return 2;
  }
  if (!existsSync(LLMSPELL)) {
    console.error(`Cannot run benchmark: no executable: "${LLMSPELL}"`);
    console.error("Build it with `bun run build`");
    return 1;
  }
  const rows: Row[] = [];
  for (const name of chosen.length > 0 ? chosen : Object.keys(SUITES)) {
    if (!json) process.stderr.write(`measuring ${name} …\n`);
    rows.push(...(await SUITES[name]!()));
  }
  console.log(json ? JSON.stringify(rows, null, 2) : table(rows));
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
