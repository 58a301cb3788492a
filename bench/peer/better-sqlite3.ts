import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { program, step } from "../peers.ts";
import { Unavailable } from "../row.ts";
import { installPackages } from "./npm-packages.ts";

const VERSION = "12.11.1";

/**
 * better-sqlite3, by which most programs on Node use SQLite, compiled here: its own binaries are not in the registry.
 * @returns the directory that has it in `node_modules`
 */
export async function installBetterSqlite3(): Promise<string | Unavailable> {
  const node = program("node", "nodejs");
  if (node instanceof Unavailable) return node;
  const headers = dirname(dirname(node));
  if (!existsSync(join(headers, "include", "node", "node.h")))
    return new Unavailable(
      "better-sqlite3 cannot be compiled: Node's headers are not installed (libnode-dev)",
    );
  const gyp = nodeGyp();
  if (gyp === undefined) return new Unavailable("better-sqlite3 cannot be compiled: npm brings no node-gyp");
  const directory = await installPackages(`better-sqlite3-${VERSION}`, [`better-sqlite3@${VERSION}`]);
  if (directory instanceof Unavailable) return directory;
  const source = join(directory, "node_modules", "better-sqlite3");
  if (!existsSync(join(source, "build", "Release", "better_sqlite3.node")))
    await step(["node", gyp, "rebuild", "--release", `--nodedir=${headers}`], source);
  return directory;
}

function nodeGyp(): string | undefined {
  const listed = Bun.spawnSync(["npm", "root", "--global"]).stdout.toString().trim();
  const path = join(listed, "npm", "node_modules", "node-gyp", "bin", "node-gyp.js");
  return existsSync(path) ? path : undefined;
}

/** How to run `better-sqlite3.mjs`: the command without its kind and further arguments. */
export const betterSqlite3 = (directory: string): string[] => [
  "node",
  join(import.meta.dir, "better-sqlite3.mjs"),
  directory,
];
