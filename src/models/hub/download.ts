/** One file from a hub to the disk: goes on where an earlier attempt ended, and is checked against its digest. */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { Passing } from "../../core/retry.ts";
import { writeAll } from "../../security/replace-file.ts";
import { hashFile, piecesOf } from "../store/copy.ts";
import { PART } from "../store/downloads.ts";
import { type HubHttp, refused, type Target } from "./http.ts";
import type { Digest, RemoteFile } from "./plan.ts";

export interface DownloadOptions {
  http: HubHttp;
  token?: string | undefined;
  /** Validator of the bytes that are on disk. */
  etag?: string | undefined;
  /** Told before the first byte of a version is written. */
  onEtag: (etag: string | undefined) => Promise<void>;
  /** Bytes of this file that are on disk. */
  onBytes: (doneBytes: number) => void;
  onVerify: () => void;
  signal: AbortSignal | undefined;
}

/**
 * @param directory where the file goes, under its own name once it is complete and checked
 * @returns its SHA-256, hex
 * @throws network, timeout, provider, not_found, permission_denied, io; what came so far stays
 */
export async function downloadFile(
  file: RemoteFile,
  directory: string,
  options: DownloadOptions,
): Promise<string> {
  const path = join(directory, file.name);
  if (await Bun.file(path).exists()) return hashFile(path, options.signal);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const part = path + PART;
  const resumed = await fetchPart(file, part, options);
  options.onVerify();
  const sha256 = await verified(file, part, options.signal);
  if (sha256 !== undefined) {
    await rename(part, path);
    return sha256;
  }
  await rm(part, { force: true });
  // Bytes of an earlier run may have belonged to another version: once more from the beginning.
  if (resumed) return downloadFile(file, directory, { ...options, etag: undefined });
  throw new SpellError(
    "provider",
    `Cannot fetch ${file.name}: its ${file.digest.algorithm} is not the published one`,
    {
      data: { file: file.name, digest: file.digest.hex },
      hint: "The server or the connection damages the file; try again, or another network",
    },
  );
}

/** @returns whether bytes of an earlier run are part of it */
async function fetchPart(file: RemoteFile, part: string, options: DownloadOptions): Promise<boolean> {
  const { http, signal, token, onBytes, onEtag } = options;
  const target: Target = { url: new URL(file.url), what: file.name, token };
  await using handle = await open(part, constants.O_RDWR | constants.O_CREAT, 0o600);
  let { size: done } = await handle.stat();
  let { etag } = options;
  let resumed = done > 0;
  const restart = async () => {
    done = 0;
    resumed = false;
    await handle.truncate(0);
    onBytes(0);
  };
  if (done > file.sizeBytes) await restart();
  onBytes(done);
  /** All bytes that ever came: a restart is no step back in it. */
  let received = 0;
  const attempt = async () => {
    if (done === file.sizeBytes) return;
    const { response, body } = await http.open(target, signal, done > 0 ? { from: done, etag } : undefined);
    try {
      await take(response, body);
    } finally {
      if (response.body?.locked === false) await response.body.cancel();
    }
    if (done < file.sizeBytes) {
      throw new Passing(
        new SpellError("network", `Cannot fetch ${file.name}: the connection was cut: ${target.url.origin}`, {
          data: { origin: target.url.origin },
          hint: "Pull again to go on from there",
        }),
      );
    }
  };
  const take = async (response: Response, body: AsyncIterable<Uint8Array>) => {
    const isPart = response.status === 206;
    if (response.status === 416 || (isPart && !continues(response, done, file.sizeBytes))) {
      await restart();
      throw new Passing(refused(target, "the server gives another part than was asked for"));
    }
    checkLength(target, response, file.sizeBytes - (isPart ? done : 0));
    if (done > 0 && !isPart) await restart();
    const now = response.headers.get("etag") ?? undefined;
    // A weak validator cannot be asked for in If-Range (RFC 9110, section 13.1.5).
    etag = now?.startsWith("W/") ? undefined : now;
    if (done === 0) await onEtag(etag);
    for await (const chunk of body) {
      if (done + chunk.length > file.sizeBytes)
        throw refused(target, `it is longer than ${file.sizeBytes} bytes`);
      await writeAll(handle, chunk, done);
      done += chunk.length;
      received += chunk.length;
      onBytes(done);
    }
  };
  await http.retrying(target, signal, attempt, () => received);
  await handle.sync();
  return resumed;
}

/** Whether a 206 begins where it was asked to and belongs to a file of the right size. */
function continues(response: Response, from: number, sizeBytes: number): boolean {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  return range !== null && Number(range[1]) === from && (range[3] === "*" || Number(range[3]) === sizeBytes);
}

function checkLength(target: Target, response: Response, expected: number): void {
  const length = response.headers.get("content-length");
  if (length === null || Number(length) === expected) return;
  throw refused(target, `the server offers ${length} bytes where ${expected} are published`);
}

/** The file's SHA-256, or undefined where its digest is another than the published one. */
async function verified(
  file: RemoteFile,
  part: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  await using handle = await open(part, constants.O_RDONLY);
  const sha256 = new Bun.CryptoHasher("sha256");
  const published = hasherOf(file.digest, file.sizeBytes);
  await hashInto([sha256, ...(published === undefined ? [] : [published])], handle, file.sizeBytes, signal);
  const hex = sha256.digest("hex");
  return (published?.digest("hex") ?? hex) === file.digest.hex ? hex : undefined;
}

function hasherOf({ algorithm }: Digest, sizeBytes: number): Bun.CryptoHasher | undefined {
  return algorithm === "sha256" ? undefined : new Bun.CryptoHasher("sha1").update(`blob ${sizeBytes}\0`);
}

async function hashInto(
  hashers: readonly Bun.CryptoHasher[],
  file: FileHandle,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const piece of piecesOf(file, 0, sizeBytes, signal))
    for (const hasher of hashers) hasher.update(piece);
}
