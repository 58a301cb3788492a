/** Locks between processes that share a store, in a directory below its root. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { FileLock } from "../../core/file-lock.ts";

const DIRECTORY = ".locks";

/** @returns undefined while another has it */
export async function tryLock(root: string, name: string): Promise<FileLock | undefined> {
  await mkdir(join(root, DIRECTORY), { recursive: true, mode: 0o700 });
  return FileLock.tryTake(lockPath(root, name));
}

export const lockPath = (root: string, name: string): string => join(root, DIRECTORY, `${name}.lock`);
