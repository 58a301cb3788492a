/** The PID file of a kernel: one holder at a time, proved by a lock that the operating system ends with the process. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import { FileLock } from "../../core/file-lock.ts";
import { isAlive } from "../../core/process-alive.ts";

export class PidFile {
  private constructor(
    readonly path: string,
    private readonly lock: FileLock,
  ) {}

  /** Replaces a stale file. @throws SpellError already_exists, permission_denied, io */
  static take(path: string): PidFile {
    try {
      mkdirSync(dirname(path), { recursive: true });
      refuseForeign(path);
      const lock = FileLock.tryTake(lockOf(path));
      if (lock === undefined) throw alreadyRunning(path, readPid(path));
      try {
        const pid = readPid(path);
        if (pid !== undefined && pid !== process.pid && isAlive(pid)) throw alreadyRunning(path, pid);
        rmSync(path, { force: true });
        const fd = openSync(path, "wx", 0o644);
        writeSync(fd, `${process.pid}\n`);
        closeSync(fd);
      } catch (error) {
        lock[Symbol.dispose]();
        throw error;
      }
      return new PidFile(path, lock);
    } catch (cause) {
      if (cause instanceof SpellError) throw cause;
      throw new SpellError("io", `Cannot write PID file ${path}: ${messageOf(cause)}`, {
        hint: "Name another one with --pid-file",
        cause,
      });
    }
  }

  /** Removes the file where it still holds this process's number. */
  release(): void {
    if (readPid(this.path) === process.pid) rmSync(this.path, { force: true });
    rmSync(lockOf(this.path), { force: true });
    this.lock[Symbol.dispose]();
  }
}

/** Undefined where there is no such file, or no number in it. @throws io */
export function readPid(path: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const pid = /^\s*([1-9]\d{0,9})\s*$/.exec(text)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** Whether a kernel holds the file. A number alone proves nothing: it may be another program's by now. */
export function isHeld(path: string): boolean {
  if (statSync(lockOf(path), { throwIfNoEntry: false }) === undefined) return false;
  const lock = FileLock.tryTake(lockOf(path));
  lock?.[Symbol.dispose]();
  return lock === undefined;
}

function lockOf(path: string): string {
  return `${path}.lock`;
}

function refuseForeign(path: string): void {
  const own = process.getuid?.();
  for (const file of [path, lockOf(path)]) {
    const owner = statSync(file, { throwIfNoEntry: false })?.uid;
    if (own === undefined || own === 0 || owner === undefined || owner === own) continue;
    throw new SpellError("permission_denied", `Cannot use PID file ${file}: it belongs to another user`, {
      data: { path: file, uid: owner },
      hint: "Name another one with --pid-file",
    });
  }
}

function alreadyRunning(path: string, pid: number | undefined): SpellError {
  const who = pid === undefined ? "" : ` (PID: ${pid})`;
  return new SpellError("already_exists", `Kernel daemon already running with PID file ${path}${who}`, {
    data: { path, pid },
    hint: `Stop it with \`llmspell kernel stop --pid-file ${path}\`; if ${pid ?? "the process"} is no kernel, remove the file`,
  });
}
