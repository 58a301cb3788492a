/** Takes a GGUF file into the store: checked, copied beside its place, and moved there in one step. */
import { constants } from "node:fs";
import {
  type FileHandle,
  mkdir,
  mkdtemp,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { isAlive } from "../../core/process-alive.ts";
import { errnoOf, ioError } from "../../security/io-error.ts";
import { type GgufHeader, readGguf } from "../llamacpp/gguf.ts";
import { formatId, type ModelId, parseNewId, segmentsOf, suggestId } from "./layout.ts";
import { MANIFEST, type Manifest, type StoredModel } from "./store.ts";

export interface ImportOptions {
  /** `name[:variant]`; without it, what the file's name and quantization suggest. */
  name?: string;
  /** Replaces a model of the same id, and takes a file that is there under another id. */
  force: boolean;
  /** `total` undefined: not known how long it takes. */
  onProgress?: (label: string, done: number, total?: number) => void;
  signal?: AbortSignal;
  /** Tries the file on llama.cpp. @throws SpellError model_invalid */
  probe: (path: string) => Promise<void>;
}

const STAGING = ".import-";
const CHUNK_BYTES = 4 << 20;
/** Left free besides the model itself. */
const RESERVE_BYTES = 16 << 20;

/**
 * @param existing the models that are there, to notice a file that is there already
 * @returns the id under which the model now stands
 * @throws not_found, model_invalid, already_exists, invalid_argument, io; nothing is left behind then
 */
export async function importGguf(
  root: string,
  path: string,
  existing: readonly StoredModel[],
  options: ImportOptions,
): Promise<string> {
  const header = await readSource(path);
  const suggested = suggestId(basename(path), header.quantization);
  const id = options.name === undefined ? suggested : parseNewId(options.name, suggested.variant);
  const target = join(root, ...segmentsOf(id));
  if (!options.force) await refuseExisting(target, id);

  let staging: string | undefined;
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await removeAbandoned(root);
    await checkSpace(root, header.sizeBytes);
    options.onProgress?.("Checking", 0);
    await options.probe(path);
    staging = await mkdtemp(join(root, `${STAGING}${process.pid}-`));
    const file = join(staging, `${id.name.split("/").at(-1)}.gguf`);
    const sha256 = await copyHashed(path, file, header.sizeBytes, options);
    if (!options.force) refuseDuplicate(sha256, existing);
    readGguf(file);
    const manifest: Manifest = {
      sha256,
      sizeBytes: header.sizeBytes,
      sourceName: basename(path),
      importedAt: new Date().toISOString(),
    };
    await writeDurable(join(staging, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    await moveInto(staging, target, root, id, options.force);
    staging = undefined;
    return formatId(id);
  } catch (error) {
    throw errnoOf(error) === undefined ? error : ioError("Cannot import the model into", root, error);
  } finally {
    if (staging !== undefined) await rm(staging, { recursive: true, force: true });
  }
}

/** The checked header. A name that is no regular file is refused before anything opens it. */
async function readSource(path: string): Promise<GgufHeader> {
  const info = await stat(path).catch((error) => {
    throw ioError("Cannot import the model", path, error);
  });
  if (!info.isFile()) {
    throw new SpellError("model_invalid", `Cannot import the model: it is not a file: ${path}`, {
      data: { path },
      hint: "Name a .gguf file",
    });
  }
  const header = readGguf(path);
  const parts = header.metadata.get("split.count");
  if (typeof parts === "number" && parts > 1) {
    throw new SpellError("model_invalid", `Cannot import the model: it is one of ${parts} parts: ${path}`, {
      data: { path, parts },
      hint: "Join the parts with llama-gguf-split --merge and import the result",
    });
  }
  return header;
}

async function refuseExisting(target: string, id: ModelId): Promise<void> {
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

function refuseDuplicate(sha256: string, existing: readonly StoredModel[]): void {
  const same = existing.find((model) => model.manifest?.sha256 === sha256);
  if (same === undefined) return;
  throw new SpellError("already_exists", `The same file is already in the store as '${same.id}'`, {
    data: { model: same.id, sha256 },
    hint: `Use it as local/${same.id}, or import it again with --force`,
  });
}

async function checkSpace(root: string, sizeBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(root);
  const freeBytes = bavail * bsize;
  if (freeBytes >= sizeBytes + RESERVE_BYTES) return;
  throw new SpellError(
    "io",
    `Cannot import the model: the disk has ${megabytes(freeBytes)} free, the model needs ${megabytes(sizeBytes + RESERVE_BYTES)}: ${root}`,
    {
      data: { freeBytes, sizeBytes, path: root },
      hint: "Free some space, or set model_directory to another disk",
    },
  );
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** Copies to a new file, synced to disk, and returns the hex SHA-256 of what was copied. */
async function copyHashed(
  from: string,
  to: string,
  sizeBytes: number,
  { onProgress, signal }: ImportOptions,
): Promise<string> {
  await using source = await open(from, constants.O_RDONLY);
  await using target = await open(to, "wx", 0o600);
  const hasher = new Bun.CryptoHasher("sha256");
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, sizeBytes));
  let done = 0;
  while (done < sizeBytes) {
    signal?.throwIfAborted();
    const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, sizeBytes - done));
    if (bytesRead === 0) break;
    hasher.update(buffer.subarray(0, bytesRead));
    await writeAll(target, buffer.subarray(0, bytesRead));
    done += bytesRead;
    onProgress?.("Importing", done, sizeBytes);
  }
  if (done < sizeBytes || (await source.stat()).size !== sizeBytes) {
    throw new SpellError("io", `Cannot import the model: the file changed while it was copied: ${from}`, {
      hint: "Import it again when nothing writes to it",
    });
  }
  await target.sync();
  return hasher.digest("hex");
}

async function writeAll(target: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await target.write(bytes, written, bytes.length - written)).bytesWritten;
  }
}

async function writeDurable(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(text);
  await file.sync();
}

/** One rename makes the model visible; where it replaces another, that one is kept until the new one stands. */
async function moveInto(
  staging: string,
  target: string,
  root: string,
  id: ModelId,
  force: boolean,
): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  try {
    await rename(staging, target);
  } catch (error) {
    const occupied = ["ENOTEMPTY", "EEXIST", "EPERM"].includes(errnoOf(error) ?? "");
    if (!occupied) throw error;
    if (!force) throw alreadyThere(formatId(id));
    const replaced = await mkdtemp(join(root, `${STAGING}${process.pid}-`));
    await rename(target, join(replaced, "old"));
    await rename(staging, target).catch(async (failure) => {
      await rename(join(replaced, "old"), target);
      throw failure;
    });
    await rm(replaced, { recursive: true, force: true });
  }
}

/** What imports left whose process was killed. */
async function removeAbandoned(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const pid = name.startsWith(STAGING) ? Number.parseInt(name.slice(STAGING.length), 10) : Number.NaN;
    if (!Number.isNaN(pid) && !isAlive(pid)) await rm(join(root, name), { recursive: true, force: true });
  }
}

/** Takes a model out in one step, then frees its space; the directory of its name goes with its last variant. */
export async function removeModel(model: StoredModel): Promise<void> {
  try {
    const trash = await mkdtemp(join(model.root, `${STAGING}${process.pid}-`));
    await rename(model.directory, join(trash, "old"));
    await rm(trash, { recursive: true, force: true });
    const parent = dirname(model.directory);
    if (parent !== model.root) await rmdir(parent);
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "")) return; // other variants are left
    throw ioError("Cannot remove the model", model.directory, error);
  }
}
