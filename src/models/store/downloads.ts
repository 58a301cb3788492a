/** Downloads that are not complete: a directory each below the store's root, from which a later pull goes on. */
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Static, Type } from "typebox";
import type { FileLock } from "../../core/file-lock.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import { readChecked } from "./checked-json.ts";
import { formatId, idOfSegments, type ModelId, segmentsOf } from "./layout.ts";
import { tryLock } from "./locks.ts";
import { writeDurable } from "./place.ts";

const PREFIX = ".pull-";
const STATE = "pull.json";
/** Ending of a file whose last byte has not come or whose digest has not been checked. */
export const PART = ".part";

export const DownloadState = Type.Object({
  id: Type.String(),
  source: Type.String(),
  files: Type.Array(
    Type.Object({
      name: Type.String(),
      sizeBytes: Type.Integer({ minimum: 0 }),
      digest: Type.String(),
      /** Validator of the version that the bytes on disk belong to. */
      etag: Type.Optional(Type.String()),
    }),
  ),
});
export type DownloadState = Static<typeof DownloadState>;

export interface PartialDownload {
  id: string;
  bytesDownloaded: number;
  bytesTotal: number;
}

/** Where the files of a download gather. */
export function downloadDirectory(root: string, id: ModelId): string {
  return join(root, PREFIX + segmentsOf(id).join("@"));
}

/** @returns undefined while another process, or another pull of this one, has it */
export function lockDownload(root: string, id: ModelId): Promise<FileLock | undefined> {
  return tryLock(root, segmentsOf(id).join("@").toLowerCase());
}

/**
 * The state to go on from: what lies there where it belongs to the same files, else an empty directory.
 * @param wanted what shall be downloaded
 */
export async function openDownload(directory: string, wanted: DownloadState): Promise<DownloadState> {
  const there = readState(directory);
  const fits =
    there?.files.length === wanted.files.length &&
    wanted.files.every(
      ({ name, digest }, i) => there.files[i]!.name === name && there.files[i]!.digest === digest,
    );
  if (fits) return there;
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeState(directory, wanted);
  return wanted;
}

export async function writeState(directory: string, state: DownloadState): Promise<void> {
  const path = join(directory, STATE);
  await writeDurable(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

/** In a model's place the state means nothing any more; it went there with the files. */
export function forgetState(directory: string): Promise<void> {
  return rm(join(directory, STATE), { force: true });
}

function readState(directory: string): DownloadState | undefined {
  return readChecked(DownloadState, join(directory, STATE));
}

/** What was begun and not finished, running or not. */
export async function listDownloads(root: string): Promise<PartialDownload[]> {
  const downloads: PartialDownload[] = [];
  for (const name of await namesBelow(root)) {
    const directory = join(root, name);
    const { id, files } = readState(directory) ?? {
      id: idOfSegments(name.slice(PREFIX.length).split("@")), // killed as it began or was removed
      files: [],
    };
    const sizes = await Promise.all(files.map((file) => sizeOnDisk(directory, file.name)));
    downloads.push({
      id,
      bytesDownloaded: sizes.reduce((sum, size) => sum + size, 0),
      bytesTotal: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    });
  }
  return downloads;
}

/** Bytes of a file that are there, complete or not. */
export async function sizeOnDisk(directory: string, name: string): Promise<number> {
  for (const path of [join(directory, name), join(directory, name + PART)]) {
    const info = await stat(path).catch((error) => {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw ioError("Cannot read", path, error);
    });
    if (info !== undefined) return info.size;
  }
  return 0;
}

/**
 * Removes what a download left.
 * @returns `absent` where there is none, `running` where a process is at it
 */
export async function removeDownload(root: string, id: ModelId): Promise<"removed" | "absent" | "running"> {
  const directory = downloadDirectory(root, id);
  const wanted = directory.slice(root.length + 1).toLowerCase();
  const name = (await namesBelow(root)).find((each) => each.toLowerCase() === wanted);
  if (name === undefined) return "absent";
  using lock = await lockDownload(root, id);
  if (lock === undefined) return "running";
  await rm(join(root, name), { recursive: true, force: true });
  return "removed";
}

async function namesBelow(root: string): Promise<string[]> {
  try {
    return (await readdir(root)).filter((name) => name.startsWith(PREFIX)).sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioError("Cannot list downloads in", root, error);
  }
}

export function stateOf(
  id: ModelId,
  source: string,
  files: readonly { name: string; sizeBytes: number; digest: { hex: string } }[],
): DownloadState {
  return {
    id: formatId(id),
    source,
    files: files.map(({ name, sizeBytes, digest }) => ({ name, sizeBytes, digest: digest.hex })),
  };
}
