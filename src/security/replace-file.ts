/** Writes a file so that readers see the old content or the new, and a failure leaves nothing behind. */
import { randomUUID } from "node:crypto";
import { accessSync, constants, lstatSync, type Stats } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import type { Anchor } from "./anchor.ts";

export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * Temporary file in the same directory, fsync, rename, fsync of the directory. Keeps mode and, for root, owner of the
 * file that is replaced.
 * @param mode of a new file, before the umask
 */
export async function replaceFile(anchor: Anchor, chunks: Chunks, mode = 0o666): Promise<number> {
  const old = existing(anchor);
  const temporary = anchor.sibling(`.llmspell-${randomUUID()}.tmp`);
  const file = await open(temporary, createFlags, old === undefined ? mode : 0o600);
  try {
    let written = 0;
    try {
      for await (const chunk of chunks) written += await writeAll(file, chunk);
      if (old !== undefined) await keepAttributes(file, old);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, anchor.path);
    await syncDirectory(anchor);
    return written;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** @throws the error of the operating system when the file may not be replaced */
function existing(anchor: Anchor): Stats | undefined {
  const old = lstatSync(anchor.path, { throwIfNoEntry: false });
  if (old === undefined) return undefined;
  if (old.isDirectory()) throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
  if (!old.isFile()) throw Object.assign(new Error("is not a regular file"), { code: "ENXIO" });
  // Renaming needs rights on the directory only; a file made read-only shall stay as it is.
  accessSync(anchor.path, constants.W_OK);
  return old;
}

async function keepAttributes(file: FileHandle, old: Stats): Promise<void> {
  const { uid, gid } = await file.stat();
  const isRoot = process.getuid?.() === 0;
  if (isRoot && (uid !== old.uid || gid !== old.gid)) await file.chown(old.uid, old.gid);
  await file.chmod(old.mode & 0o777);
}

async function syncDirectory(anchor: Anchor): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(anchor.sibling("."), constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** @param position in the file; undefined: where the last write ended */
export async function writeAll(file: FileHandle, data: Uint8Array, position?: number): Promise<number> {
  let done = 0;
  while (done < data.length) {
    const at = position === undefined ? null : position + done;
    const { bytesWritten } = await file.write(data, done, data.length - done, at);
    done += bytesWritten;
  }
  return done;
}
