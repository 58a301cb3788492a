/** The npm package node-llama-cpp of the same release on Node: its own binding, the same llama.cpp. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import release from "../../native/release.json";
import { PEER_DIR, program, step } from "../peers.ts";
import { Unavailable } from "../row.ts";
import type { Load } from "./llama-batched-bench.ts";
import { outputOf } from "./llama-cpp.ts";

/** The directory it is installed in, with the one platform package that this project has. */
export async function installNodeLlamaCpp(): Promise<string | Unavailable> {
  const node = program("node", "nodejs");
  if (node instanceof Unavailable) return node;
  const binaries = `@node-llama-cpp/${process.platform}-${process.arch}`;
  const ours = resolve(import.meta.dir, "..", "..", "node_modules", binaries);
  if (!existsSync(ours)) return new Unavailable(`${binaries} is not installed`);
  const directory = join(PEER_DIR, `node-llama-cpp-${release.package}`);
  if (existsSync(directory)) return directory;
  const partial = `${directory}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await Bun.write(join(partial, "package.json"), '{ "private": true }\n');
  const quiet = ["--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
  await step(["npm", "install", ...quiet, `node-llama-cpp@${release.package}`], partial);
  await mkdir(join(partial, "node_modules", "@node-llama-cpp"), { recursive: true });
  await symlink(ours, join(partial, "node_modules", binaries));
  await rename(partial, directory);
  return directory;
}

/** Tokens a second, prompts and answers together, of so many sequences side by side. */
export async function runNodeLlamaCpp(directory: string, load: Load, sequences: number): Promise<number> {
  const script = join(import.meta.dir, "node-llama-cpp.mjs");
  const out = await outputOf(["node", script, JSON.stringify({ directory, load, sequences })]);
  return (JSON.parse(out) as { speed: number }).speed;
}
