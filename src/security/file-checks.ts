/** What files must be like before they are used, and how they are described. Failures are SpellErrors. */
import { lstatSync, mkdirSync, type Stats } from "node:fs";
import { basename, dirname } from "node:path";
import { SpellError } from "../core/errors.ts";
import { errnoOf, ioError } from "../core/io-error.ts";
import { Anchor } from "./anchor.ts";
import type { FileInfo } from "./capabilities.ts";
import { deniedFile } from "./denial.ts";

export async function attempt<T>(action: string, path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw ioError(action, path, error);
  }
}

export function errno(code: string): Error {
  return Object.assign(new Error(code), { code });
}

export function toBytes(data: Uint8Array | string): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

export function regular(path: string, stat: Stats): Stats {
  if (stat.isFile()) return stat;
  throw ioError("Cannot use", path, errno(stat.isDirectory() ? "EISDIR" : "ENXIO"));
}

/** A second name of a file may stand outside: changing it in place would change it there. */
export function refuseHardLink(path: string, stat: Stats): void {
  if (stat.nlink <= 1) return;
  throw deniedFile(
    path,
    "The file has several names (hard links)",
    "Write it anew instead, with atomic_writes on",
  );
}

export function refuseSame(verb: string, path: string, source: string, target: string): void {
  if (source !== target) return;
  throw new SpellError("invalid_argument", `Cannot ${verb} '${path}': source and target are the same file`);
}

export function refuseLarger(action: string, path: string, bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new SpellError(
    "limit",
    `${action} '${path}': file size limit of ${maxBytes} bytes exceeded: ${bytes}`,
    {
      data: { limit: "file size", allowed: maxBytes, used: bytes, path },
      hint: "Raise tools.file_operations.max_file_size",
    },
  );
}

export function makeDirectory(path: string, recursive: boolean): void {
  try {
    using anchor = Anchor.of(path);
    const stat = lstatSync(anchor.path, { throwIfNoEntry: false });
    if (recursive && stat?.isDirectory()) return;
    mkdirSync(anchor.path);
  } catch (error) {
    const parent = dirname(path);
    if (!recursive || errnoOf(error) !== "ENOENT" || parent === path) throw error;
    makeDirectory(parent, true);
    makeDirectory(path, true);
  }
}

export function describe(path: string, stat: Stats | undefined): FileInfo {
  return {
    name: basename(path),
    path,
    type: typeOf(stat),
    size: stat?.size ?? 0,
    readonly: stat !== undefined && (stat.mode & 0o222) === 0,
    createdMs: stat?.birthtimeMs ?? 0,
    modifiedMs: stat?.mtimeMs ?? 0,
    accessedMs: stat?.atimeMs ?? 0,
  };
}

function typeOf(stat: Stats | undefined): FileInfo["type"] {
  if (stat === undefined) return "unknown";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isDirectory()) return "directory";
  return stat.isFile() ? "file" : "unknown";
}
