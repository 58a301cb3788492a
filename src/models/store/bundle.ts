/** A model in one file, for machines without a network: a tar archive with a manifest and checksums before the model. */
import { constants } from "node:fs";
import { open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import { SpellError } from "../../core/errors.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import { isAlive } from "../../core/process-alive.ts";
import { looksLikeTar, paddingOf, readTar, TAR_END, type TarEntry, tarHeader } from "../../core/tar.ts";
import { writeAll } from "../../security/replace-file.ts";
import { copyStretch, hashFile, piecesOf } from "./copy.ts";
import { parseNewId, storedName } from "./layout.ts";
import { Origin, StoredFile } from "./manifest.ts";
import type { ModelSource } from "./source.ts";
import type { StoredModel } from "./store.ts";

const HEAD = "llmspell-model.json";
const SUMS = "SHA256SUMS";
/** Ending of a bundle that is being written, before the number of the process. */
const PART = ".part-";
const LONGEST_HEAD_BYTES = 4 << 20;

const BundleHead = Type.Object({
  format: Type.Literal("llmspell-model"),
  version: Type.Literal(1),
  id: Type.String(),
  files: Type.Array(StoredFile, { minItems: 1, maxItems: 500 }),
  origin: Origin,
});
type BundleHead = Static<typeof BundleHead>;

export interface ExportOptions {
  force: boolean;
  onProgress: (label: string, doneBytes: number, totalBytes: number) => void;
  signal?: AbortSignal | undefined;
}

/** @throws already_exists, io; model_invalid where the model's files have changed since they were stored */
export async function exportBundle(model: StoredModel, path: string, options: ExportOptions): Promise<void> {
  const part = `${path}${PART}${process.pid}`;
  try {
    if (!options.force && (await Bun.file(path).exists())) {
      throw new SpellError("already_exists", `Cannot export the model: the file exists already: ${path}`, {
        data: { path },
        hint: "Choose another name, or --force to replace it",
      });
    }
    await removeKilledParts(path);
    await writeBundle(model, part, options);
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw errnoOf(error) === undefined ? error : ioError("Cannot export the model to", path, error);
  }
}

/** What exports to this file left that were killed. */
async function removeKilledParts(path: string): Promise<void> {
  const [directory, prefix] = [dirname(path), `${basename(path)}${PART}`];
  for (const name of await readdir(directory)) {
    const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : Number.NaN;
    if (Number.isInteger(pid) && !isAlive(pid)) await rm(join(directory, name), { force: true });
  }
}

async function writeBundle(
  model: StoredModel,
  part: string,
  { onProgress, signal }: ExportOptions,
): Promise<void> {
  const files = await filesOf(model, signal, onProgress);
  const { source, licence, template, system, params } = model.manifest ?? {};
  const origin = Object.fromEntries(
    Object.entries({ source, licence, template, system, params }).filter(([, value]) => value !== undefined),
  );
  const head: BundleHead = { format: "llmspell-model", version: 1, id: model.id, files, origin };
  await using target = await open(part, "wx", 0o644);
  const small = async (name: string, text: string) => {
    const bytes = Buffer.from(text);
    await writeAll(
      target,
      Buffer.concat([tarHeader(name, bytes.length), bytes, new Uint8Array(paddingOf(bytes.length))]),
    );
  };
  await small(HEAD, `${JSON.stringify(head, null, 2)}\n`);
  await small(SUMS, files.map(({ sha256, name }) => `${sha256}  ${name}\n`).join(""));
  let before = 0;
  for (const { name, sizeBytes, sha256 } of files) {
    await using source = await open(join(model.directory, name), constants.O_RDONLY);
    const hasher = new Bun.CryptoHasher("sha256");
    await writeAll(target, tarHeader(name, sizeBytes));
    for await (const piece of piecesOf(source, 0, sizeBytes, signal)) {
      hasher.update(piece);
      await writeAll(target, piece);
      before += piece.length;
      onProgress("Exporting", before, model.sizeBytes);
    }
    if (hasher.digest("hex") !== sha256) {
      throw new SpellError(
        "model_invalid",
        `Cannot export the model: its file has changed since it was stored: ${name}`,
        {
          data: { model: model.id, file: name },
          hint: "The file is damaged; fetch the model again",
        },
      );
    }
    await writeAll(target, new Uint8Array(paddingOf(sizeBytes)));
  }
  await writeAll(target, TAR_END);
  await target.sync();
}

/** The digests on record, or taken now for a model that was put there by hand. */
async function filesOf(
  model: StoredModel,
  signal: AbortSignal | undefined,
  onProgress: ExportOptions["onProgress"],
): Promise<StoredFile[]> {
  const known = new Map(model.manifest?.files?.map((file) => [file.name, file]));
  if (model.files.length === 1 && model.manifest !== undefined) {
    const [{ name, sizeBytes }] = model.files as [{ name: string; sizeBytes: number }];
    return [{ name, sizeBytes, sha256: model.manifest.sha256 }];
  }
  return Promise.all(
    model.files.map(async ({ name, sizeBytes }) => {
      onProgress("Checking", 0, model.sizeBytes);
      return (
        known.get(name) ?? { name, sizeBytes, sha256: await hashFile(join(model.directory, name), signal) }
      );
    }),
  );
}

export async function isBundle(path: string): Promise<boolean> {
  return looksLikeTar(await Bun.file(path).slice(0, 512).bytes());
}

/** @throws model_invalid for an archive that is no bundle, or not as its manifest says */
export async function bundleSource(path: string): Promise<ModelSource> {
  const fail = (rule: string) =>
    new SpellError("model_invalid", `Cannot import the model: ${rule}: ${path}`, {
      data: { path },
      hint: "Write the bundle again with `llmspell model export`",
    });
  await using file = await open(path, constants.O_RDONLY);
  const entries = await readTar(file, (await file.stat()).size, fail);
  const headEntry = entries[0];
  if (headEntry?.name !== HEAD || headEntry.sizeBytes > LONGEST_HEAD_BYTES)
    throw fail(`the archive does not begin with ${HEAD}`);
  const head = parseHead(
    await Bun.file(path)
      .slice(headEntry.offset, headEntry.offset + headEntry.sizeBytes)
      .text(),
    fail,
  );
  const places = match(
    head,
    entries.slice(1).filter(({ name }) => name !== SUMS),
    fail,
  );
  const sizeBytes = head.files.reduce((sum, each) => sum + each.sizeBytes, 0);
  return {
    suggestedId: parseNewId(head.id, "default"),
    name: basename(path),
    sizeBytes,
    origin: head.origin,
    async write(directory, id, report, signal) {
      await using source = await open(path, constants.O_RDONLY);
      const stored: StoredFile[] = [];
      let before = 0;
      for (const [i, { name: packed, sizeBytes: size, sha256 }] of head.files.entries()) {
        const name = storedName(id, i, head.files.length);
        const onProgress = (done: number) => report("Importing", before + done, sizeBytes);
        const copied = await copyStretch(source, places[i]!.offset, size, join(directory, name), {
          onProgress,
          signal,
        });
        if (copied !== sha256) throw fail(`the SHA-256 of ${packed} is not the one in its manifest`);
        stored.push({ name, sizeBytes: size, sha256 });
        before += size;
      }
      return stored;
    },
  };
}

function parseHead(text: string, fail: (rule: string) => Error): BundleHead {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail(`${HEAD} is not JSON`);
  }
  if (!Value.Check(BundleHead, value)) throw fail(`${HEAD} is not as expected`);
  return value;
}

/** The archive's entries for the manifest's files: these and no others, with names that stay in their directory. */
function match(head: BundleHead, entries: readonly TarEntry[], fail: (rule: string) => Error): TarEntry[] {
  const unsafe = head.files.find(({ name }) => !/^[A-Za-z0-9][A-Za-z0-9._+-]*\.gguf$/i.test(name));
  if (unsafe !== undefined) throw fail(`${JSON.stringify(unsafe.name)} is no name of a model file`);
  if (new Set(head.files.map(({ name }) => name.toLowerCase())).size < head.files.length)
    throw fail("its manifest names a file twice");
  const extra = entries.find(({ name }) => !head.files.some((each) => each.name === name));
  if (extra !== undefined) throw fail(`its manifest does not name ${JSON.stringify(extra.name)}`);
  return head.files.map(({ name, sizeBytes }) => {
    const found = entries.filter((entry) => entry.name === name);
    if (found.length !== 1 || found[0]!.sizeBytes !== sizeBytes)
      throw fail(`${name} is not in it once with ${sizeBytes} bytes`);
    return found[0]!;
  });
}
