/** Failures of SQLite in words a user can act on. */
import { SQLiteError } from "bun:sqlite";
import { SpellError } from "../core/errors.ts";
import { ioError } from "../core/io-error.ts";

export const isBusy = (error: unknown): boolean =>
  error instanceof SQLiteError && (error.code?.startsWith("SQLITE_BUSY") ?? false);

const READ_ONLY = [
  "it is read-only",
  "Make the file and its directory writable, or set LLMSPELL_HOME to a directory that is",
] as const;
const REPAIR = "`llmspell state repair` keeps what can be read of it, and the damaged files";
const REASONS: Record<string, readonly [string, string?]> = {
  SQLITE_FULL: ["the disk is full", "Free some space and try again"],
  SQLITE_READONLY: READ_ONLY,
  SQLITE_CANTOPEN: [
    "it cannot be opened",
    "Check the owner and the mode of the directory, or set LLMSPELL_HOME",
  ],
  SQLITE_PERM: ["the operating system refuses access"],
  SQLITE_CORRUPT: ["it is damaged", REPAIR],
  SQLITE_NOTADB: ["it is no database", REPAIR],
  // The file beside it gets its full size at once; why that failed, SQLite does not say.
  SQLITE_IOERR_SHMSIZE: [
    "the disk reports an error, most likely that the disk is full",
    "Free some space and try again",
  ],
  SQLITE_IOERR: [
    "the disk reports an error",
    "See that it has free space, and what the system's log says of it",
  ],
  SQLITE_NOMEM: ["the operating system gives no more memory", "End other programs and try again"],
  SQLITE_TOOBIG: ["a value is larger than SQLite can hold", "Divide it into smaller ones"],
};

/** @returns a SpellError for what SQLite or the operating system reports; others, of the caller's own work, as they are */
export function storageError(action: string, path: string, error: unknown): unknown {
  if (!(error instanceof SQLiteError)) return asIoError(action, path, error);
  const kind = Object.keys(REASONS).find((code) => error.code?.startsWith(code));
  const [reason, hint] = (kind === undefined ? undefined : REASONS[kind]) ?? [error.message];
  return new SpellError("io", `${action}: ${reason}: ${path}`, {
    data: { path, sqlite: error.code },
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

const asIoError = (action: string, path: string, error: unknown): unknown =>
  typeof (error as { errno?: unknown } | null)?.errno === "number" ? ioError(action, path, error) : error;

export function readOnlyError(action: string, path: string): SpellError {
  const [reason, hint] = READ_ONLY;
  return new SpellError("io", `${action}: ${reason}: ${path}`, { data: { path }, hint });
}
