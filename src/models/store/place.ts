/** How a model comes to its place in the store: made in a directory beside it, and moved there in one step. */
import { mkdir, open, readdir, rename, rmdir, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import { formatId, type ModelId, segmentsOf } from "./layout.ts";
import { Staging } from "./staging.ts";
import type { StoredModel } from "./store.ts";

/** Left free besides the model itself. */
const RESERVE_BYTES = 16 << 20;

export const placeOf = (root: string, id: ModelId): string => join(root, ...segmentsOf(id));

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

/** One rename makes the model visible; one that it replaces comes back if the process ends before that. */
export async function moveIntoPlace(from: string, root: string, id: ModelId, force: boolean): Promise<void> {
  const target = placeOf(root, id);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  try {
    await rename(from, target);
  } catch (error) {
    const occupied = ["ENOTEMPTY", "EEXIST", "EPERM"].includes(errnoOf(error) ?? "");
    if (!occupied) throw error;
    if (!force) throw alreadyThere(formatId(id));
    await using replaced = await Staging.make(root);
    await rename(target, replaced.placeOfOld(target));
    await rename(from, target);
  }
}

/** Takes a model out in one step, then frees its space; the directory of its name goes with its last variant. */
export async function removeModel(model: StoredModel): Promise<void> {
  try {
    await using trash = await Staging.make(model.root);
    await rename(model.directory, join(trash.directory, "removed"));
    const parent = dirname(model.directory);
    if (parent !== model.root) await rmdir(parent);
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "")) return; // other variants are left
    throw ioError("Cannot remove the model", model.directory, error);
  }
}
