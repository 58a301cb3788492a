/** Directories in which models are made and unmade, below the store's root, so that their places hold whole models only. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import type { FileLock } from "../../core/file-lock.ts";
import { errnoOf } from "../../core/io-error.ts";
import { lockPath, tryLock } from "./locks.ts";

const PREFIX = ".import-";
/** Stands for the separator in the name of a model that is to come back. */
const BETWEEN = "@";

export class Staging implements AsyncDisposable {
  private constructor(
    readonly directory: string,
    private readonly root: string,
    private readonly lock: FileLock,
  ) {}

  /** A new directory, locked while this process lives. */
  static async make(root: string): Promise<Staging> {
    const name = PREFIX + randomUUID();
    const lock = (await tryLock(root, name))!; // a name that no other has
    const directory = join(root, name);
    try {
      await mkdir(directory, { mode: 0o700 });
      return new Staging(directory, root, lock);
    } catch (error) {
      await release(lock, directory);
      throw error;
    }
  }

  /** Where a stored model is put that another shall replace: it comes back unless its place is taken. */
  placeOfOld(modelDirectory: string): string {
    return join(this.directory, relative(this.root, modelDirectory).replaceAll(sep, BETWEEN));
  }

  /** Removes what is left in it, but for a model whose place is empty. */
  async [Symbol.asyncDispose](): Promise<void> {
    await clear(this.root, this.directory);
    await release(this.lock, this.directory);
  }
}

/** Removes what killed processes left, and puts models back that were to be replaced. */
export async function clearKilled(root: string): Promise<void> {
  try {
    for (const name of await readdir(root)) {
      const lock = name.startsWith(PREFIX) ? await tryLock(root, name) : undefined;
      if (lock === undefined) continue;
      await clear(root, join(root, name));
      await release(lock, join(root, name));
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error; // no store, one that may only be read, or another user's
  }
}

async function clear(root: string, directory: string): Promise<void> {
  for (const old of existsSync(directory) ? await readdir(directory) : []) {
    const place = join(root, ...old.split(BETWEEN));
    if (!old.includes(BETWEEN) || existsSync(place)) continue;
    await mkdir(dirname(place), { recursive: true, mode: 0o700 });
    await rename(join(directory, old), place);
  }
  await rm(directory, { recursive: true, force: true });
}

async function release(lock: FileLock, directory: string): Promise<void> {
  lock[Symbol.dispose]();
  await rm(lockPath(dirname(directory), basename(directory)), { force: true });
}
