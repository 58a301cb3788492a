import { constants } from "node:fs";
import { chmod, copyFile, lstat, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf, SpellError } from "../core/errors.ts";
import { isAlive } from "../core/process-alive.ts";
import { hashLibrarySet, type LibraryFile } from "./library-set.ts";
import { isNoexec, type Place } from "./places.ts";

export interface ExtractedSet {
  directory: string;
  /** The directory is to be removed once the libraries are loaded. */
  temporary: boolean;
}

const OTHERS_MAY_WRITE = 0o022;
const PARTIAL = "partial-";
const TEMPORARY = "llmspell-native-";
/** No extraction lasts so long: an older one whose process is gone was left by it. */
const ABANDONED_MS = 3_600_000;

/**
 * Puts files into a directory named by their hash, in the first place that takes them, and returns it. A set that is there
 * already is checked by owner, rights and sizes only. Several processes may do this at once.
 * @param hash `hashLibrarySet` of the files as they are put there
 * @param what they are, for messages
 * @param areCode places from which no code may be run are refused for them
 * @throws SpellError platform, naming each place and why it was refused
 */
export function extractLibraries(
  files: readonly LibraryFile[],
  hash: string,
  places: readonly Place[],
  what = "the llama.cpp libraries",
  areCode = true,
): Promise<ExtractedSet> {
  const work = extractInto(files, hash, places, what, areCode);
  running.add(work);
  const done = () => running.delete(work);
  work.then(done, done);
  return work;
}

const running = new Set<Promise<unknown>>();

/** For the end of the process: what was begun is finished, so that nothing half-written stays. */
export async function extractionsDone(): Promise<void> {
  while (running.size > 0) await Promise.allSettled(running);
}

async function extractInto(
  files: readonly LibraryFile[],
  hash: string,
  places: readonly Place[],
  what: string,
  areCode: boolean,
): Promise<ExtractedSet> {
  const refused: { place: string; reason: string }[] = [];
  for (const place of places) {
    try {
      const directory = place.temporary
        ? await extractTemporary(files, hash, place.directory, areCode)
        : await extractCached(files, hash, place.directory, areCode);
      return { directory, temporary: place.temporary };
    } catch (error) {
      refused.push({ place: place.directory, reason: messageOf(error) });
    }
  }
  const list = refused.map(({ place, reason }) => `${place} (${reason})`).join(", ");
  throw new SpellError("platform", `Cannot extract ${what}: no place takes them: ${list}`, {
    data: { refused },
    hint: `Set XDG_CACHE_HOME to a directory of yours that is writable${areCode ? " and not mounted noexec" : ""}`,
  });
}

async function extractCached(
  files: readonly LibraryFile[],
  hash: string,
  root: string,
  areCode: boolean,
): Promise<string> {
  const directory = join(root, hash.slice(0, 32));
  await removeAbandoned(root, PARTIAL);
  if (await isComplete(files, directory)) {
    if (areCode) refuseNoexec(root);
    return directory;
  }
  await makePrivate(dirname(root));
  await makePrivate(root);
  if (areCode) refuseNoexec(root);

  const partial = await mkdtemp(join(root, `${PARTIAL}${process.pid}-`));
  try {
    await copyChecked(files, hash, partial);
    await moveInto(partial, directory, files);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return directory;
}

async function extractTemporary(
  files: readonly LibraryFile[],
  hash: string,
  root: string,
  areCode: boolean,
): Promise<string> {
  if (areCode) refuseNoexec(root);
  await removeAbandoned(root, TEMPORARY);
  const directory = await mkdtemp(join(root, `${TEMPORARY}${process.pid}-`));
  try {
    await copyChecked(files, hash, directory);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  return directory;
}

/** Best effort: a set of another user, or one that somebody else is removing, is left alone. */
async function removeAbandoned(root: string, prefix: string): Promise<void> {
  const names = await readdir(root).catch(() => []);
  for (const name of names.filter((entry) => entry.startsWith(prefix))) {
    const path = join(root, name);
    const info = await lstat(path).catch(() => undefined);
    if (info === undefined || !isOurs(info) || Date.now() - info.mtimeMs < ABANDONED_MS) continue;
    if (isAlive(Number.parseInt(name.slice(prefix.length), 10))) continue;
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Renames the finished set to its place. Another process may have been first: its set is as good. */
async function moveInto(partial: string, directory: string, files: readonly LibraryFile[]): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await rename(partial, directory);
    } catch (error) {
      if (await isComplete(files, directory)) return;
      if (attempt === 3) throw error;
      await rm(directory, { recursive: true, force: true });
    }
  }
}

async function copyChecked(files: readonly LibraryFile[], hash: string, directory: string): Promise<void> {
  const copies = [];
  for (const { name, path, bytes } of files) {
    const copy = { name, path: join(directory, name) };
    if (bytes !== undefined)
      await Bun.write(copy.path, await Bun.zstdDecompress(await Bun.file(path).bytes()));
    else if (path.startsWith("/$bunfs/") || path.startsWith("B:/~BUN/"))
      await Bun.write(copy.path, Bun.file(path));
    else await copyFile(path, copy.path, constants.COPYFILE_EXCL);
    await chmod(copy.path, 0o500);
    copies.push(copy);
  }
  if ((await hashLibrarySet(copies)) !== hash)
    throw new SpellError("platform", "what was written differs from what is in the executable");
}

/** Cheap: owner, rights and sizes. The set was hashed before it got its name. */
async function isComplete(files: readonly LibraryFile[], directory: string): Promise<boolean> {
  try {
    await refuseShared(directory);
    await refuseShared(dirname(directory));
    const checks = files.map(async ({ name, path, bytes = Bun.file(path).size }) => {
      const info = await lstat(join(directory, name));
      return info.isFile() && info.size === bytes && isOurs(info);
    });
    const isWhole = (await Promise.all(checks)).every(Boolean);
    return isWhole && (await readdir(directory)).length === files.length;
  } catch {
    return false; // absent, or not ours to trust: extracted anew
  }
}

async function makePrivate(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await refuseShared(directory);
}

async function refuseShared(directory: string): Promise<void> {
  const info = await lstat(directory);
  if (!info.isDirectory()) throw new SpellError("platform", `${directory} is not a directory`);
  if (!isOurs(info))
    throw new SpellError("platform", `${directory} belongs to, or may be changed by, another user`);
}

function isOurs(info: { uid: number; mode: number }): boolean {
  if (process.platform === "win32") return true; // %LOCALAPPDATA% is the user's by its access list
  return info.uid === process.getuid?.() && (info.mode & OTHERS_MAY_WRITE) === 0;
}

function refuseNoexec(directory: string): void {
  if (isNoexec(directory)) throw new SpellError("platform", "mounted noexec");
}
