/** Writing a configuration file for the user, in one step: it is whole or not there. */
import { existsSync } from "node:fs";
import { link, rename, rm, writeFile } from "node:fs/promises";
import { messageOf, SpellError } from "../core/errors.ts";

export interface ConfigFileOptions {
  /** As the user wrote it, for messages. */
  shown: string;
  replace: boolean;
  /** Rights of the file; those of any new file when absent. */
  mode?: number;
}

/** @throws SpellError already_exists, io */
export async function writeConfigFile(path: string, text: string, options: ConfigFileOptions): Promise<void> {
  refuseExisting(path, options);
  try {
    await place(path, text, options);
  } catch (cause) {
    if (cause instanceof SpellError) throw cause;
    throw new SpellError("io", `Cannot write configuration file: ${options.shown}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

async function place(path: string, text: string, { shown, replace, mode }: ConfigFileOptions): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    await writeFile(temporary, text, { flag: "wx", flush: true, ...(mode === undefined ? {} : { mode }) });
    if (replace) await rename(temporary, path);
    else await linkOrRename(temporary, path, shown);
  } finally {
    if (existsSync(temporary)) await rm(temporary);
  }
}

/** For asking before there is something to write. @throws SpellError already_exists */
export function refuseExisting(path: string, { shown, replace }: ConfigFileOptions): void {
  if (!replace && existsSync(path)) throw alreadyExists(shown);
}

/** A link cannot replace what another process has put there; not every file system has links. */
async function linkOrRename(from: string, to: string, shown: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw alreadyExists(shown);
    await rename(from, to);
  }
}

function alreadyExists(path: string): SpellError {
  return new SpellError(
    "already_exists",
    `Configuration file already exists: ${path}. Use --force to overwrite.`,
    { data: { path } },
  );
}
