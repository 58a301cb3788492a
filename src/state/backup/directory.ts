/** A directory of backups: pairs of `<id>.backup` and `<id>.meta`. A backup is there once its `.meta` is. */
import { randomBytes, randomUUID } from "node:crypto";
import { constants, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import { FileLock } from "../../core/file-lock.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import type { Log } from "../../core/log.ts";
import { didYouMean } from "../../core/nearest.ts";
import { isReadOnly } from "../../storage/read-only.ts";
import { BACKUP_ID, metadataText, readMetadata, type UnsignedMetadata } from "./metadata.ts";
import type { BackupInfo } from "./service.ts";

const LOCK_PATIENCE_MS = 600_000;
const TEMPORARY = ".tmp";

export class BackupDirectory {
  constructor(
    readonly path: string,
    private readonly log: Log,
  ) {}

  newId(nowMs: number): string {
    return `backup_${Math.floor(nowMs / 1000)}_${randomBytes(6).toString("hex")}`;
  }

  /** Newest first. */
  list(): BackupInfo[] {
    const found: BackupInfo[] = [];
    for (const name of this.names()) {
      const id = name.replace(/\.meta$/, "");
      if (id === name || !BACKUP_ID.test(id)) continue;
      try {
        found.push(this.read(id));
      } catch (error) {
        this.log.warn("kernel", "a backup is left out", { backup: id, reason: messageOf(error) });
      }
    }
    return found.sort(newestFirst);
  }

  private names(): string[] {
    try {
      return readdirSync(this.path);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw ioError("Cannot list backups in", this.path, error);
    }
  }

  /** @throws SpellError not_found, io (damaged) */
  read(id: string): BackupInfo {
    if (!BACKUP_ID.test(id) || !existsSync(this.metaOf(id)))
      throw new SpellError("not_found", `Backup not found: ${id}`, {
        data: { backup: id },
        hint:
          didYouMean(
            id,
            this.names().flatMap((name) => (name.endsWith(".meta") ? [name.slice(0, -".meta".length)] : [])),
          ) ?? "`llmspell backup list` shows the backups",
      });
    return readBackup(this.contentOf(id), this.metaOf(id));
  }

  contentOf(id: string): string {
    return join(this.path, `${id}.backup`);
  }

  private metaOf(id: string): string {
    return join(this.path, `${id}.meta`);
  }

  async remove(id: string): Promise<void> {
    try {
      await rm(this.metaOf(id), { force: true });
      await rm(this.contentOf(id), { force: true });
    } catch (error) {
      throw ioError("Cannot delete the backup", this.contentOf(id), error);
    }
  }

  /** Creating, restoring and deleting take turns, in all processes, so that no backup loses what it builds on. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    // where nobody can change anything there are no turns to take
    if (isReadOnly(this.path)) return work();
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw ioError("Cannot make the directory of backups", this.path, error);
    }
    using _lock = await this.lock();
    await this.clearKilled();
    return await work();
  }

  private async lock(): Promise<FileLock> {
    const path = join(this.path, ".lock");
    const lock = await FileLock.take(path, LOCK_PATIENCE_MS).catch((error: unknown) => {
      throw ioError("Cannot lock the directory of backups", path, error);
    });
    if (lock !== undefined) return lock;
    throw new SpellError("limit", `Cannot use the backups: another process is busy with them: ${this.path}`);
  }

  /** What a process that was killed left: nobody else writes while the lock is held. What cannot be removed stays. */
  private async clearKilled(): Promise<void> {
    for (const name of this.names())
      if (name.startsWith("backup_") && name.endsWith(TEMPORARY))
        await rm(join(this.path, name), { force: true }).catch((error: unknown) => {
          this.log.debug("kernel", "a backup that was not finished stays", {
            name,
            reason: messageOf(error),
          });
        });
  }
}

export const newestFirst = (a: BackupInfo, b: BackupInfo): number =>
  Date.parse(b.metadata.created_at) - Date.parse(a.metadata.created_at) ||
  (a.metadata.id < b.metadata.id ? 1 : -1);

/** Where the description of a `.backup` file lies. */
export const metaBeside = (path: string): string =>
  path.endsWith(".backup") ? path.replace(/\.backup$/, ".meta") : `${path}.meta`;

/** @throws SpellError not_found, io (damaged) */
export function readBackup(path: string, meta = metaBeside(path)): BackupInfo {
  let text: string;
  try {
    // Not UTF-8 is damage too: a replacement character changes the checksum.
    text = readFileSync(meta, "utf8");
  } catch (error) {
    throw ioError("Cannot read the backup", meta, error);
  }
  return { metadata: readMetadata(text, meta), path };
}

/**
 * Writes both files of a backup, so that they are there whole or not at all.
 * @param write fills the content and tells what the description says
 */
export async function writeBackup(
  path: string,
  write: (file: FileHandle) => Promise<UnsignedMetadata>,
): Promise<BackupInfo> {
  const meta = metaBeside(path);
  const [newContent, newMeta] = [path, meta].map((name) => temporaryFor(name));
  try {
    const unsigned = await filled(newContent!, write);
    const text = metadataText(unsigned);
    await filled(newMeta!, async (file) => void (await file.writeFile(text)));
    await rename(newContent!, path);
    await rename(newMeta!, meta);
    await syncDirectory(dirname(path));
    return { metadata: readMetadata(text, meta), path };
  } catch (error) {
    for (const file of [newContent!, newMeta!]) await rm(file, { force: true }).catch(() => undefined); // the failure itself is told
    throw ioError("Cannot write the backup", path, error);
  }
}

const temporaryFor = (path: string): string =>
  join(dirname(path), `${basename(path)}.${randomUUID()}${TEMPORARY}`);

/** Whatever is in it is on the disk when this resolves. */
async function filled<T>(path: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    const result = await write(file);
    await file.sync();
    return result;
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

export const sizeOf = ({ metadata }: BackupInfo): number => metadata.stats.total_size;
