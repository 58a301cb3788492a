/**
 * Contents under their BLAKE3 hash: small ones in the database, large ones in files. What is written is always there
 * before it is named, and removed only after nothing names it, both checked within the turn of a writer of the database:
 * so neither another process nor the end of this one at any moment can lose a content that is named. What such an end
 * leaves behind (a temporary file, a file that nothing names) `collect` removes.
 */
import type { Database } from "bun:sqlite";
import { randomUUID } from "node:crypto";
import { existsSync, statSync, unlinkSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { blake3Hex } from "../../core/blake3.ts";
import { SpellError } from "../../core/errors.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import type { Storage } from "../../storage/storage.ts";

/** Up to here the database is the faster one (docs/decisions.md); a file blocks no other writer. */
const INLINE_BYTES = 256 * 1024;
const COMPRESSION_LEVEL = 3;
/** A temporary file of this age belongs to nobody any more. */
const ABANDONED_MS = 3_600_000;

export interface Content {
  hash: string;
  sizeBytes: number;
  isCompressed: boolean;
  /** How it is kept; absent where the store has it already. */
  kept?: { sizeBytes: number /** Null for one in a file. */; data: Uint8Array | null };
}

interface ContentRow {
  hash: string;
  size: number;
  stored_size: number;
  is_compressed: number;
  data: Uint8Array | null;
}

export class Contents {
  constructor(
    private readonly storage: Storage,
    /** Undefined: everything stays in the database. */
    private readonly directory: string | undefined,
    /** What is new stays in the database, and no file is removed. */
    private readonly readsOnly = false,
  ) {}

  private get hasFiles(): boolean {
    return this.directory !== undefined && !this.readsOnly;
  }

  /**
   * Hashes the content and, unless the store has it, packs it and puts a large one into its file.
   * @param compressAboveBytes 0: never
   * @throws SpellError io
   */
  async prepare(bytes: Uint8Array, compressAboveBytes: number): Promise<Content> {
    const hash = await blake3Hex(bytes);
    const isPlain = compressAboveBytes === 0 || bytes.length <= compressAboveBytes;
    // there is nothing to spare for one that stands in the database as it is
    if (isPlain && bytes.length <= INLINE_BYTES) return this.pack(hash, bytes, compressAboveBytes);
    const known = this.storage.read((db) => this.find(db, hash));
    if (known !== undefined)
      return { hash, sizeBytes: bytes.length, isCompressed: known.is_compressed === 1 };
    return this.pack(hash, bytes, compressAboveBytes);
  }

  /** As `prepare`, for a content that left the store meanwhile. */
  async pack(hash: string, bytes: Uint8Array, compressAboveBytes: number): Promise<Content> {
    let stored = bytes;
    if (compressAboveBytes > 0 && bytes.length > compressAboveBytes) {
      const packed = await Bun.zstdCompress(bytes, { level: COMPRESSION_LEVEL });
      if (packed.length < bytes.length) stored = packed;
    }
    const isCompressed = stored !== bytes;
    const inFile = this.hasFiles && stored.length > INLINE_BYTES;
    if (inFile) await this.writeFile(this.pathOf({ hash, isCompressed }), stored);
    const kept = { sizeBytes: stored.length, data: inFile ? null : stored };
    return { hash, sizeBytes: bytes.length, isCompressed, kept };
  }

  /**
   * Within a write: makes the content one that may be named.
   * @returns false where it has to be packed (again): it, or its file, has been removed
   */
  add(db: Database, content: Content): boolean {
    if (this.find(db, content.hash) !== undefined) return true;
    const { hash, sizeBytes, kept, isCompressed } = content;
    if (kept === undefined) return false;
    if (kept.data === null && !existsSync(this.pathOf(content))) return false;
    db.query(
      `INSERT INTO artifact_content VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (hash) DO UPDATE SET
         stored_size = excluded.stored_size, is_compressed = excluded.is_compressed, data = excluded.data`,
    ).run(hash, sizeBytes, kept.sizeBytes, isCompressed ? 1 : 0, kept.data);
    return true;
  }

  /** Undefined for a content that is not there, or whose file is gone or cut off. */
  private find(db: Database, hash: string): Pick<ContentRow, "is_compressed"> | undefined {
    const row = db
      .query(
        "SELECT is_compressed, stored_size, data IS NULL AS in_file FROM artifact_content WHERE hash = ?",
      )
      .get(hash) as { is_compressed: number; stored_size: number; in_file: number } | null;
    if (row === null || row.in_file === 0) return row ?? undefined;
    const file = statSync(this.pathOf({ hash, isCompressed: row.is_compressed === 1 }), {
      throwIfNoEntry: false,
    });
    return file?.size === row.stored_size ? row : undefined;
  }

  /** @throws SpellError not_found, io (naming what is damaged) */
  async read(hash: string): Promise<Uint8Array> {
    const row = this.storage.read((db) =>
      db.query("SELECT * FROM artifact_content WHERE hash = ?").get(hash),
    ) as ContentRow | null;
    if (row === null)
      throw new SpellError("not_found", `Cannot read artifact: its content is not in the store: ${hash}`);
    const isCompressed = row.is_compressed === 1;
    const place = row.data === null ? this.pathOf({ hash, isCompressed }) : this.storage.path;
    const stored = row.data ?? (await readContent(place));
    const bytes = isCompressed ? await unpack(stored, hash, place) : stored;
    if (bytes.length !== row.size || (await blake3Hex(bytes)) !== hash) throw damaged(hash, place);
    return bytes;
  }

  /** Removes the files of contents that nothing names any more. */
  async removeUnused(hashes: Iterable<string>): Promise<void> {
    if (!this.hasFiles) return;
    for (const hash of hashes)
      for (const isCompressed of [true, false]) {
        const path = this.pathOf({ hash, isCompressed });
        if (existsSync(path)) await this.removeFile(path, hash, isCompressed);
      }
  }

  /** @returns whether it was removed: it is not where a row names this form of the content */
  private removeFile(path: string, hash: string, isCompressed: boolean): Promise<boolean> {
    return this.storage.write((db) => {
      const row = db
        .query("SELECT 1 FROM artifact_content WHERE hash = ? AND is_compressed = ? AND data IS NULL")
        .get(hash, isCompressed ? 1 : 0);
      if (row !== null) return false;
      try {
        unlinkSync(path);
        return true;
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw ioError("Cannot remove the content", path, error);
        return false;
      }
    });
  }

  /** Removes what ended processes left. @returns how many files that were */
  async collect(): Promise<number> {
    if (this.directory === undefined || this.readsOnly) return 0;
    let removed = 0;
    for (const prefix of await namesIn(this.directory)) {
      const inside = join(this.directory, prefix);
      for (const name of await namesIn(inside)) {
        const path = join(inside, name);
        if (prefix === TEMPORARY) {
          if (!(await isAbandoned(path))) continue;
          await rm(path, { force: true });
          removed++;
        } else if (/^[\da-f]{2}$/.test(prefix) && /^[\da-f]{62}(\.zst)?$/.test(name)) {
          const hash = prefix + name.slice(0, 62);
          if (await this.removeFile(path, hash, name.endsWith(PACKED))) removed++;
        }
      }
    }
    return removed;
  }

  /** Both forms of a content have names of their own: processes may be set up differently. */
  private pathOf({ hash, isCompressed }: Pick<Content, "hash" | "isCompressed">): string {
    const name = `${hash.slice(2)}${isCompressed ? PACKED : ""}`;
    return join(this.directory ?? "", hash.slice(0, 2), name);
  }

  private async writeFile(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = join(this.directory!, TEMPORARY, randomUUID());
    try {
      await mkdir(dirname(temporary), { recursive: true, mode: 0o700 });
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const file = await open(temporary, "wx", 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      await syncDirectory(dirname(path));
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined); // the failure itself is told
      throw ioError("Cannot store the artifact", path, error);
    }
  }
}

const TEMPORARY = "tmp";
const PACKED = ".zst";

async function readContent(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path, "r");
    try {
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError("Cannot read artifact: its content cannot be read:", path, error, RESTORE);
  }
}

const RESTORE = "Put the file back from a backup, or delete the artifact and store it again";

async function unpack(stored: Uint8Array, hash: string, place: string): Promise<Uint8Array> {
  try {
    return await Bun.zstdDecompress(stored);
  } catch {
    throw damaged(hash, place);
  }
}

const damaged = (hash: string, place: string): SpellError =>
  new SpellError("io", `Cannot read artifact: its content is damaged: ${place}`, {
    data: { path: place, content_hash: hash },
    hint: RESTORE,
  });

/** A rename lasts once its directory is written. Windows has no such call. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return [];
    throw ioError("Cannot read the directory", directory, error);
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > ABANDONED_MS;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw ioError("Cannot read", path, error);
  }
}
