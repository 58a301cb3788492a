/** Copies files and takes their digests on the way. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { SpellError } from "../../core/errors.ts";
import { writeAll } from "../../security/replace-file.ts";

export interface CopyOptions {
  /** Bytes of this file so far. */
  onProgress?: (doneBytes: number) => void;
  signal?: AbortSignal | undefined;
}

const CHUNK_BYTES = 4 << 20;

/** A stretch of an open file, for its reader. The buffer is used again for the next piece. */
export async function* piecesOf(
  source: FileHandle,
  offset: number,
  sizeBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, sizeBytes));
  for (let done = 0; done < sizeBytes; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await source.read(
      buffer,
      0,
      Math.min(buffer.length, sizeBytes - done),
      offset + done,
    );
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}

/** Copies a stretch to a new file, synced to disk, and gives the hex SHA-256 of what was copied. @throws io where bytes are missing */
export async function copyStretch(
  source: FileHandle,
  offset: number,
  sizeBytes: number,
  to: string,
  { onProgress, signal }: CopyOptions,
): Promise<string> {
  await using target = await open(to, "wx", 0o600);
  const hasher = new Bun.CryptoHasher("sha256");
  let done = 0;
  for await (const piece of piecesOf(source, offset, sizeBytes, signal)) {
    hasher.update(piece);
    await writeAll(target, piece);
    done += piece.length;
    onProgress?.(done);
  }
  if (done < sizeBytes) throw changed(to);
  await target.sync();
  return hasher.digest("hex");
}

/** Copies a whole file of a known size. @throws io where the size has changed */
export async function copyHashed(
  from: string,
  to: string,
  sizeBytes: number,
  options: CopyOptions,
): Promise<string> {
  await using source = await open(from, constants.O_RDONLY);
  const sha256 = await copyStretch(source, 0, sizeBytes, to, options);
  if ((await source.stat()).size !== sizeBytes) throw changed(from);
  return sha256;
}

export async function hashFile(path: string, signal?: AbortSignal): Promise<string> {
  await using file = await open(path, constants.O_RDONLY);
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const piece of piecesOf(file, 0, (await file.stat()).size, signal)) hasher.update(piece);
  return hasher.digest("hex");
}

function changed(path: string): SpellError {
  return new SpellError("io", `Cannot import the model: the file changed while it was copied: ${path}`, {
    hint: "Import it again when nothing writes to it",
  });
}
