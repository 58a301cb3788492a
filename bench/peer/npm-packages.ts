import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { PEER_DIR, program, step } from "../peers.ts";
import { Unavailable } from "../row.ts";

/** Installs packages of peers once, none of whose scripts run. @returns the directory that has them in `node_modules` */
export async function installPackages(
  name: string,
  packages: readonly string[],
): Promise<string | Unavailable> {
  const npm = program("npm");
  if (npm instanceof Unavailable) return npm;
  const directory = join(PEER_DIR, name);
  if (existsSync(directory)) return directory;
  const partial = `${directory}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await Bun.write(join(partial, "package.json"), '{ "private": true }\n');
  await step(
    ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", ...packages],
    partial,
  );
  await rename(partial, directory);
  return directory;
}
