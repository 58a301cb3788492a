/** Which paths a configuration admits. Links are resolved before anything is compared (spec/tools.md section 5.1). */
import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, parse, relative, resolve, sep } from "node:path";
import { SpellError } from "../core/errors.ts";
import { errnoOf, ioError } from "../core/io-error.ts";
import { deniedFile, deniedPath } from "./denial.ts";

export interface FileRules {
  /** Directories; `*` admits everything. */
  allowedPaths: readonly string[];
  /** Without dot; empty admits all. */
  allowedExtensions: readonly string[];
  blockedExtensions: readonly string[];
  /** Directory levels below an allowed path; undefined: any. Does not count under `*`. */
  maxDepth: number | undefined;
  /** Whether a link may lead from one allowed path into another. None ever leads outside all of them. */
  followSymlinks: boolean;
}

const MAX_LINKS = 40;

export class PathPolicy {
  constructor(
    private readonly rules: FileRules,
    private readonly workingDirectory: string,
  ) {}

  /**
   * The canonical path. With `followLast` false a link at the end stands for itself.
   * @throws permission_denied, invalid_argument
   */
  locate(path: string, followLast = true): string {
    const absolute = this.normalise(path);
    const isRoot = dirname(absolute) === absolute;
    let real: string;
    try {
      real =
        followLast || isRoot ? canonical(absolute) : join(canonical(dirname(absolute)), basename(absolute));
    } catch (error) {
      // What cannot be resolved is not shown to be inside; and the reason would tell about places outside.
      if (errnoOf(error) === "ELOOP") throw ioError("Cannot use", path, error);
      throw deniedPath(path);
    }
    if (this.rules.allowedPaths.includes("*")) return real;
    const entries = this.rules.allowedPaths.map((entry) => {
      const lexical = resolve(this.workingDirectory, entry);
      return { lexical, real: canonicalOr(lexical) };
    });
    const reached = entries.filter((entry) => isWithin(entry.real, real));
    if (reached.length === 0) throw deniedPath(path);
    const direct = reached.filter((e) => isWithin(e.lexical, absolute) || isWithin(e.real, absolute));
    const usable = this.rules.followSymlinks || direct.length > 0 ? reached : direct;
    if (usable.length === 0) {
      throw deniedPath(
        path,
        "Set tools.file_operations.follow_symlinks to let links lead from one allowed path to another",
      );
    }
    const { maxDepth } = this.rules;
    const depth = Math.min(...usable.map((entry) => levelsBelow(entry.real, real)));
    if (maxDepth !== undefined && depth > maxDepth) {
      throw deniedFile(
        path,
        `Path is ${depth} levels below the allowed one, more than ${maxDepth}`,
        "Raise tools.file_operations.max_depth",
      );
    }
    return real;
  }

  /** @throws permission_denied for a file name whose extension is not admitted */
  checkExtension(path: string, real: string): void {
    const extension = extensionOf(real);
    const { allowedExtensions, blockedExtensions } = this.rules;
    const matches = (list: readonly string[]) =>
      list.some((entry) => entry.replace(/^\./, "").toLowerCase() === extension);
    if (extension !== "" && matches(blockedExtensions)) {
      throw deniedFile(
        path,
        `Extension '.${extension}' is blocked`,
        "See tools.file_operations.blocked_extensions",
      );
    }
    if (allowedExtensions.length > 0 && !matches(allowedExtensions)) {
      const shown = extension === "" ? "A name without extension" : `Extension '.${extension}'`;
      throw deniedFile(path, `${shown} is not allowed`, "See tools.file_operations.allowed_extensions");
    }
  }

  private normalise(path: string): string {
    if (path === "") throw new SpellError("invalid_argument", "Cannot use a path: it must not be empty");
    if (path.includes("\0"))
      throw new SpellError("invalid_argument", "Cannot use a path: it must not contain a zero byte", {
        data: { path },
      });
    const base = parse(path).root === "" ? this.workingDirectory : "";
    if (climbsAboveRoot(base, path)) throw deniedPath(path, "The path goes above the root directory");
    return resolve(this.workingDirectory, path);
  }
}

/** Lower case, without dot; a version (`libx.so.1.2`) and trailing dots or blanks (ignored by Windows) do not hide it. */
export function extensionOf(path: string): string {
  const name = basename(path)
    .replace(/[. ]+$/, "")
    .replace(/(\.\d+)+$/, "");
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? "" : name.slice(dot + 1).toLowerCase();
}

function climbsAboveRoot(base: string, path: string): boolean {
  let depth = 0;
  for (const segment of `${base}${sep}${path}`.split(sep === "/" ? "/" : /[/\\]/)) {
    if (segment === "..") depth -= 1;
    else if (segment !== "" && segment !== ".") depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

function isWithin(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}

function levelsBelow(directory: string, path: string): number {
  const rest = relative(directory, path);
  return rest === "" ? 0 : rest.split(sep).length - 1;
}

function canonicalOr(path: string): string {
  try {
    return canonical(path);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return path;
  }
}

/** Like realpath, and what does not exist yet is appended to its deepest existing parent. Dangling links are followed. */
function canonical(path: string, links = 0): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    const errno = errnoOf(error);
    const parent = dirname(path);
    if ((errno !== "ENOENT" && errno !== "ENOTDIR") || parent === path) throw error;
    const target = linkTarget(path);
    if (target === undefined) return join(canonical(parent, links), basename(path));
    if (links >= MAX_LINKS) throw Object.assign(new Error("too many links"), { code: "ELOOP" });
    return canonical(resolve(canonical(parent, links), target), links + 1);
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}
