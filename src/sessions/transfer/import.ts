import type { Database } from "bun:sqlite";
import { type FileHandle, open } from "node:fs/promises";
import { Value } from "typebox/value";
import { blake3Hex } from "../../core/blake3.ts";
import { SpellError } from "../../core/errors.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import { readTar, type TarEntry } from "../../core/tar.ts";
import type { Storage } from "../../storage/storage.ts";
import { type Artifacts, LARGEST_BYTES, writeArtifact } from "../artifacts/artifacts.ts";
import type { Content } from "../artifacts/contents.ts";
import { findSession, insertSession } from "../rows.ts";
import type { ExportSummary } from "../service.ts";
import { CONTENTS, DOCUMENT, DOCUMENT_SUM, SessionDocument } from "./document.ts";

/** More than the steps of one session can take. */
const LONGEST_DOCUMENT_BYTES = 1 << 30;
const MOST_ENTRIES = 1_000_000;

/**
 * Everything is checked: sums, sizes and the form of the document before anything is kept, contents as they come.
 * @param checkRoom throws where one more active session is too many
 * @throws SpellError invalid_argument (no such archive, damaged), already_exists, not_found, io
 */
export async function importSession(
  storage: Storage,
  artifacts: Artifacts,
  path: string,
  checkRoom: (db: Database) => void,
): Promise<ExportSummary> {
  const fail = (rule: string) =>
    new SpellError("invalid_argument", `Cannot import session: ${rule}: ${path}`, {
      data: { path },
      hint: "Export it again: `llmspell session export ID FILE`",
    });
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT")
      throw new SpellError("not_found", `Import file does not exist: ${path}`, { data: { path } });
    throw ioError("Cannot import session from", path, error);
  }
  try {
    const info = await file.stat();
    if (!info.isFile()) throw fail("it is not a file");
    const entries = await readTar(file, info.size, fail, MOST_ENTRIES);
    const document = await readDocument(file, entries, fail);
    checkDocument(storage, document, entries, fail);
    await bringIn(storage, artifacts, file, document, entries, checkRoom, fail);
    return {
      session_id: document.session.id,
      path,
      artifacts: document.artifacts.length,
      steps: document.steps.length,
      size_bytes: info.size,
    };
  } finally {
    await file.close();
  }
}

type Fail = (rule: string) => SpellError;

async function readDocument(
  file: FileHandle,
  entries: readonly TarEntry[],
  fail: Fail,
): Promise<SessionDocument> {
  const [head, sum] = [DOCUMENT, DOCUMENT_SUM].map((name) => entries.find((entry) => entry.name === name));
  if (head === undefined || sum === undefined) throw fail("it is no exported session");
  if (head.sizeBytes > LONGEST_DOCUMENT_BYTES || sum.sizeBytes > 1000)
    throw fail("it is no exported session");
  const bytes = await bytesOf(file, head);
  const expected = new TextDecoder().decode(await bytesOf(file, sum)).trim();
  if ((await blake3Hex(bytes)) !== expected) throw fail(`${DOCUMENT} is damaged`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw fail(`${DOCUMENT} is no JSON`);
  }
  if (Value.Check(SessionDocument, value)) return value;
  const [first] = Value.Errors(SessionDocument, value);
  throw fail(`${DOCUMENT} is of another form: ${first?.instancePath || "/"} ${first?.message ?? ""}`);
}

/** @throws SpellError already_exists and what `fail` makes */
function checkDocument(
  storage: Storage,
  document: SessionDocument,
  entries: readonly TarEntry[],
  fail: Fail,
): void {
  const { session, artifacts, values, checkpoints, steps } = document;
  if (storage.read((db) => findSession(db, session.id)) !== null) throw taken(session.id);
  const sizes = new Map(entries.map((entry) => [entry.name, entry.sizeBytes]));
  for (const { name, content_hash, size } of artifacts) {
    const sizeBytes = sizes.get(CONTENTS + content_hash);
    if (sizeBytes === undefined) throw fail(`the content of artifact "${name}" is missing`);
    if (sizeBytes !== size || size > LARGEST_BYTES) throw fail(`artifact "${name}" has another size`);
  }
  const texts = [
    session.tags,
    session.custom_metadata,
    ...values.map(({ value }) => value),
    ...checkpoints.map(({ snapshot }) => snapshot),
    ...artifacts.flatMap(({ tags, custom }) => [tags, custom]),
    ...steps.flatMap(({ input, output }) => (output === null ? [input] : [input, output])),
  ];
  for (const text of texts)
    try {
      JSON.parse(text);
    } catch {
      throw fail(`${DOCUMENT} holds a text that is no JSON`);
    }
  for (const text of [session.tags, ...artifacts.map(({ tags }) => tags)])
    if (!isTexts(JSON.parse(text))) throw fail(`${DOCUMENT} holds tags that are no texts`);
}

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

const taken = (id: string): SpellError =>
  new SpellError("already_exists", `Cannot import session: it is there already: ${id}`, {
    data: { session_id: id },
    hint: `Delete it first: llmspell session delete ${id}`,
  });

/** All in one write: an import that ends on the way, killed even, leaves nothing that can be seen. */
async function bringIn(
  storage: Storage,
  artifacts: Artifacts,
  file: FileHandle,
  document: SessionDocument,
  entries: readonly TarEntry[],
  checkRoom: (db: Database) => void,
  fail: Fail,
): Promise<void> {
  const { session } = document;
  const contents = new Map<string, Content>();
  const take = async (hash: string, again: boolean) => {
    const bytes = await bytesOf(file, entries.find(({ name }) => name === CONTENTS + hash)!);
    const content = await (again ? artifacts.pack(hash, bytes) : artifacts.prepare(bytes));
    // under the hash that it has: a damaged one is removed again too
    contents.set(content.hash, content);
    if (content.hash !== hash) {
      const { name } = document.artifacts.find(({ content_hash }) => content_hash === hash)!;
      throw fail(`the content of artifact "${name}" is damaged`);
    }
  };
  try {
    for (const hash of new Set(document.artifacts.map(({ content_hash }) => content_hash)))
      await take(hash, false);
    for (;;) {
      const gone = await storage
        .write((db) => {
          if (findSession(db, session.id) !== null) throw taken(session.id);
          if (session.status === "active") checkRoom(db);
          for (const content of contents.values())
            if (!artifacts.contents.add(db, content)) throw new ContentGone(content.hash);
          insertSession(db, session);
          for (const row of document.artifacts) writeArtifact(db, { ...row, session_id: session.id });
          writeRest(db, document);
        })
        .catch((error: unknown) => {
          if (error instanceof ContentGone) return error;
          throw error;
        });
      if (gone === undefined) return;
      await take(gone.hash, true);
    }
  } catch (error) {
    await artifacts.contents.removeUnused(contents.keys());
    throw error;
  }
}

/** Undoes the write; its content has to be packed again. */
class ContentGone extends Error {
  constructor(readonly hash: string) {
    super(`The content left the store: ${hash}`);
  }
}

function writeRest(db: Database, { session, values, checkpoints, steps }: SessionDocument): void {
  const { id } = session;
  const value = db.query("INSERT INTO session_value VALUES (?, ?, ?)");
  for (const row of values) value.run(id, row.key, row.value);
  const checkpoint = db.query("INSERT INTO session_checkpoint VALUES (?, ?, ?, ?, ?)");
  for (const row of checkpoints) checkpoint.run(row.id, id, row.name, row.created_at, row.snapshot);
  const step = db.query("INSERT INTO replay_step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  for (const s of steps)
    step.run(
      id,
      s.step,
      s.id,
      s.kind,
      s.name,
      s.input,
      s.output,
      s.error,
      s.started_at,
      s.duration_ms,
      s.correlation_id,
      s.within ?? null,
    );
}

async function bytesOf(file: FileHandle, { offset, sizeBytes }: TarEntry): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeBytes);
  let read = 0;
  while (read < sizeBytes) {
    const { bytesRead } = await file.read(bytes, read, sizeBytes - read, offset + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return bytes.subarray(0, read);
}
