import type { Database } from "bun:sqlite";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { blake3Hex } from "../../core/blake3.ts";
import { SpellError } from "../../core/errors.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import { paddingOf, TAR_END, tarHeader } from "../../core/tar.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Artifacts } from "../artifacts/artifacts.ts";
import { readSession } from "../rows.ts";
import type { ExportSummary } from "../service.ts";
import { CONTENTS, DOCUMENT, DOCUMENT_SUM, type SessionDocument } from "./document.ts";

/** @throws SpellError already_exists, io, not_found */
export async function exportSession(
  storage: Storage,
  artifacts: Artifacts,
  id: string,
  path: string,
): Promise<ExportSummary> {
  const part = `${path}.part-${process.pid}`;
  try {
    if (await Bun.file(path).exists())
      throw new SpellError("already_exists", `Cannot export session: the file exists already: ${path}`, {
        data: { path },
        hint: "Choose another name, or remove the file first",
      });
    const document = storage.read((db) => documentOf(db, id));
    const file = await open(part, "wx", 0o600);
    try {
      await writeArchive(file, document, artifacts);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    return {
      session_id: id,
      path,
      artifacts: document.artifacts.length,
      steps: document.steps.length,
      size_bytes: (await stat(path)).size,
    };
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined); // the failure itself is told
    throw errnoOf(error) === undefined ? error : ioError("Cannot export the session to", path, error);
  }
}

function documentOf(db: Database, id: string): SessionDocument {
  const all = (sql: string) => db.query(sql).all(id) as never[];
  const { artifact_count: _, total_artifact_size: __, ...session } = readSession(db, id);
  return {
    format: "llmspell-session",
    version: 1,
    session,
    values: all("SELECT key, value FROM session_value WHERE session_id = ? ORDER BY key"),
    checkpoints: all(
      "SELECT id, name, created_at, snapshot FROM session_checkpoint WHERE session_id = ? ORDER BY created_at, rowid",
    ),
    artifacts: all(
      `SELECT name, version, content_hash, previous_hash, artifact_type, mime_type, description, size, tags, custom,
         created_at, created_by, parent_artifact FROM artifact WHERE session_id = ? ORDER BY id`,
    ),
    steps: all(
      `SELECT step, id, kind, name, input, output, error, started_at, duration_ms, correlation_id, within
         FROM replay_step WHERE session_id = ? ORDER BY step`,
    ),
  };
}

async function writeArchive(
  file: FileHandle,
  document: SessionDocument,
  { contents }: Artifacts,
): Promise<void> {
  const text = new TextEncoder().encode(JSON.stringify(document, null, 1));
  await writeEntry(file, DOCUMENT, text);
  await writeEntry(file, DOCUMENT_SUM, new TextEncoder().encode(`${await blake3Hex(text)}\n`));
  for (const hash of new Set(document.artifacts.map((artifact) => artifact.content_hash)))
    await writeEntry(file, CONTENTS + hash, await contents.read(hash));
  await file.write(TAR_END);
}

async function writeEntry(file: FileHandle, name: string, bytes: Uint8Array): Promise<void> {
  await file.writeFile(tarHeader(name, bytes.length));
  await file.writeFile(bytes);
  await file.writeFile(new Uint8Array(paddingOf(bytes.length)));
}
