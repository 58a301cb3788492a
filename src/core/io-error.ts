/** Failures of the operating system in words a user can act on. */
import { type ErrorCode, messageOf, SpellError } from "./errors.ts";

const REASONS: Record<string, readonly [ErrorCode, string, string?]> = {
  ENOENT: ["not_found", "no such file or directory"],
  ENOTDIR: ["not_found", "a part of the path is not a directory"],
  EEXIST: ["already_exists", "it exists already"],
  EISDIR: ["io", "it is a directory"],
  ENOTEMPTY: ["io", "the directory is not empty"],
  EACCES: [
    "io",
    "the operating system refuses access",
    "Check the owner and the mode of the file and its directory",
  ],
  EPERM: [
    "io",
    "the operating system refuses access",
    "Check the owner and the mode of the file and its directory",
  ],
  EROFS: ["io", "the file system is read-only", "Name a place that can be written"],
  ENOSPC: ["io", "the disk is full", "Free some space and try again"],
  EDQUOT: ["io", "the disk quota is used up", "Free some space and try again"],
  EFBIG: ["io", "the file would be larger than the operating system allows"],
  EMFILE: ["io", "too many files are open"],
  ENFILE: ["io", "too many files are open"],
  ELOOP: ["io", "too many symbolic links on the way, or a link put there during the call"],
  ENAMETOOLONG: ["invalid_argument", "the name is too long"],
  ENXIO: ["io", "it is not a regular file"],
  EBUSY: ["io", "it is in use"],
  ETXTBSY: ["io", "it is a program that is running"],
  EIO: ["io", "the disk reports an error"],
  // SQLite's, which locks files too
  SQLITE_READONLY: ["io", "it is read-only", "Name a place that can be written"],
  SQLITE_CANTOPEN: ["io", "it cannot be opened", "Check the owner and the mode of the directory"],
};

export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return error instanceof Error && !(error instanceof SpellError) && typeof code === "string"
    ? code
    : undefined;
}

/**
 * @param action what was tried: `Cannot read`
 * @param nextStep the hint where the failure has none of its own
 * @returns a SpellError with `data.path` and `data.errno`; one that is thrown already is passed on
 */
export function ioError(action: string, path: string, error: unknown, nextStep?: string): SpellError {
  if (error instanceof SpellError) return error;
  const errno = errnoOf(error);
  const [code, reason, hint = nextStep] = (errno === undefined ? undefined : REASONS[errno]) ?? [
    "io",
    messageOf(error),
  ];
  return new SpellError(code, `${action} '${path}': ${reason}`, {
    data: { path, ...(errno === undefined ? {} : { errno }) },
    ...(hint === undefined ? {} : { hint }),
  });
}
