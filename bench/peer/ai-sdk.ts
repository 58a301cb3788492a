/** The AI SDK's own loop (`ai`), which runs turns of a model with tools as our agents do. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { PEER_DIR, program, step } from "../peers.ts";
import { Unavailable } from "../row.ts";

/** Of the same specification of models as ours. */
const VERSION = "7.0.173";

export async function installAiSdk(): Promise<string | Unavailable> {
  const npm = program("npm");
  if (npm instanceof Unavailable) return npm;
  const directory = join(PEER_DIR, `ai-${VERSION}`);
  if (existsSync(directory)) return directory;
  const partial = `${directory}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await Bun.write(join(partial, "package.json"), '{ "private": true }\n');
  await step(
    ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", `ai@${VERSION}`],
    partial,
  );
  await rename(partial, directory);
  return directory;
}
