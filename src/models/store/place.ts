/** How a model comes to its place in the store: made in a directory beside it, and moved there in one step. */
import { mkdir, mkdtemp, open, readdir, rename, rm, rmdir, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import { isAlive } from "../../core/process-alive.ts";
import { formatId, type ModelId, segmentsOf } from "./layout.ts";
import type { StoredModel } from "./store.ts";

const STAGING = ".import-";
/** Left free besides the model itself. */
const RESERVE_BYTES = 16 << 20;

export const placeOf = (root: string, id: ModelId): string => join(root, ...segmentsOf(id));

/** A new directory for this process, below the store's root; what killed processes left is removed. */
export async function makeStaging(root: string): Promise<string> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  for (const name of await readdir(root)) {
    const pid = name.startsWith(STAGING) ? Number.parseInt(name.slice(STAGING.length), 10) : Number.NaN;
    if (!Number.isNaN(pid) && !isAlive(pid)) await rm(join(root, name), { recursive: true, force: true });
  }
  return stagingIn(root);
}

const stagingIn = (root: string): Promise<string> => mkdtemp(join(root, `${STAGING}${process.pid}-`));

/** @throws already_exists where a model of this id is stored */
export async function refuseExisting(root: string, id: ModelId): Promise<void> {
  const target = placeOf(root, id);
  const entries = await readdir(target).catch((error) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioError("Cannot import the model into", target, error);
  });
  if (entries.some((name) => name.endsWith(".gguf"))) throw alreadyThere(formatId(id));
}

function alreadyThere(id: string): SpellError {
  return new SpellError("already_exists", `Model '${id}' is already in the store`, {
    data: { model: id },
    hint: "Give it another --name, or --force to replace it",
  });
}

/**
 * @param action `Cannot import the model`
 * @throws io where the file system of `directory` has no room for so many bytes more
 */
export async function checkSpace(directory: string, sizeBytes: number, action: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const freeBytes = bavail * bsize;
  if (freeBytes >= sizeBytes + RESERVE_BYTES) return;
  throw new SpellError(
    "io",
    `${action}: the disk has ${megabytes(freeBytes)} free, the model needs ${megabytes(sizeBytes + RESERVE_BYTES)}: ${directory}`,
    {
      data: { freeBytes, sizeBytes, path: directory },
      hint: "Free some space, or set model_directory to another disk",
    },
  );
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** Writes a small file and waits until it is on the disk. */
export async function writeDurable(path: string, text: string): Promise<void> {
  await using file = await open(path, "w", 0o600);
  await file.writeFile(text);
  await file.sync();
}

/** One rename makes the model visible; where it replaces another, that one is kept until the new one stands. */
export async function moveIntoPlace(
  staging: string,
  root: string,
  id: ModelId,
  force: boolean,
): Promise<void> {
  const target = placeOf(root, id);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  try {
    await rename(staging, target);
  } catch (error) {
    const occupied = ["ENOTEMPTY", "EEXIST", "EPERM"].includes(errnoOf(error) ?? "");
    if (!occupied) throw error;
    if (!force) throw alreadyThere(formatId(id));
    const replaced = await stagingIn(root);
    await rename(target, join(replaced, "old"));
    await rename(staging, target).catch(async (failure) => {
      await rename(join(replaced, "old"), target);
      throw failure;
    });
    await rm(replaced, { recursive: true, force: true });
  }
}

/** Takes a model out in one step, then frees its space; the directory of its name goes with its last variant. */
export async function removeModel(model: StoredModel): Promise<void> {
  try {
    const trash = await stagingIn(model.root);
    await rename(model.directory, join(trash, "old"));
    await rm(trash, { recursive: true, force: true });
    const parent = dirname(model.directory);
    if (parent !== model.root) await rmdir(parent);
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "")) return; // other variants are left
    throw ioError("Cannot remove the model", model.directory, error);
  }
}
