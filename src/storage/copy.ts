/** A copy of a database for one dry run: what is written there ends with it. */
import { Database } from "bun:sqlite";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ioError } from "../core/io-error.ts";
import { isReadOnly, openToRead } from "./read-only.ts";
import { DATABASE_FILE, openStorage, type Storage } from "./storage.ts";

/** How long a process that puts its log in order may be waited for. */
const BUSY_LIMIT_MS = 10_000;

/**
 * The database of a data directory as it stands now; an empty one where there is none, or `:memory:` is given.
 * @throws SpellError as `openStorage`
 */
export async function openCopy(place: string): Promise<Storage> {
  const source = join(place, DATABASE_FILE);
  if (place === ":memory:" || !existsSync(source)) return openStorage(":memory:");
  const directory = mkdtempSync(join(tmpdir(), "llmspell-dry-run-"));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    copyInto(source, join(directory, DATABASE_FILE));
    const storage = await openStorage(directory);
    // elsewhere what is open keeps its content without a name: then nothing is left, however the process ends
    if (process.platform !== "win32") remove();
    const close = () => {
      storage.close();
      remove();
    };
    return {
      path: storage.path,
      isReadOnly: false,
      read: (work) => storage.read(work),
      write: (work) => storage.write(work),
      close,
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** One moment of it, whatever other processes do. Opened for reading only, it would keep files of SQLite beside it. */
function copyInto(source: string, target: string): void {
  const umask = process.umask(0o077);
  try {
    using db = isReadOnly(source)
      ? openToRead(source)
      : new Database(source, { readwrite: true, create: false });
    db.run(`PRAGMA busy_timeout = ${BUSY_LIMIT_MS}`);
    db.query("VACUUM INTO ?").run(target);
  } catch (error) {
    throw ioError(
      "Cannot copy the database for a dry run",
      source,
      error,
      "Make room in the temporary folder",
    );
  } finally {
    process.umask(umask);
  }
}
