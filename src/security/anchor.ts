/**
 * Holds a directory open while something in it is used, so that nobody can put a link in its place between the check
 * and the use. On Linux paths go through `/proc/self/fd`; elsewhere the directory is compared once more.
 */
import { closeSync, constants, existsSync, openSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { SpellError } from "../core/errors.ts";

/** Opens a directory for naming only: needs no read permission. Linux; elsewhere 0. */
const O_PATH = process.platform === "linux" ? 0x20_0000 : 0;
const flags = O_PATH | constants.O_RDONLY | (constants.O_DIRECTORY ?? 0) | (constants.O_NOFOLLOW ?? 0);
const hasProc = process.platform === "linux" && existsSync("/proc/self/fd");

export class Anchor {
  private constructor(
    private readonly fd: number | undefined,
    /** The directory, as a path that keeps its meaning. */
    readonly directory: string,
    /** Name of the file in it. */
    readonly name: string,
  ) {}

  /** @param path canonical @throws the error of the operating system; `io` when a link was put into the path */
  static of(path: string): Anchor {
    const parent = dirname(path);
    const name = basename(path) || ".";
    if (!hasProc) {
      if (realpathSync.native(parent) !== parent) throw changed(path);
      return new Anchor(undefined, parent, name);
    }
    const fd = openSync(parent, flags);
    const held = `/proc/self/fd/${fd}`;
    if (readlinkSync(held) === parent) return new Anchor(fd, held, name);
    closeSync(fd);
    throw changed(path);
  }

  /** The file itself. */
  get path(): string {
    return join(this.directory, this.name);
  }

  sibling(name: string): string {
    return join(this.directory, name);
  }

  [Symbol.dispose](): void {
    if (this.fd !== undefined) closeSync(this.fd);
  }
}

function changed(path: string): SpellError {
  return new SpellError("io", `Cannot use '${path}': its directory was replaced during the call`, {
    data: { path },
  });
}
