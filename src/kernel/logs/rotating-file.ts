/**
 * A log file that begins anew at a size, safe where several processes write to it: a line and a rotation each hold the
 * lock, so that nobody writes to a file that has been put away. Old files are compressed aside, without the lock.
 */
import { Database } from "bun:sqlite";
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { messageOf, SpellError } from "../../core/errors.ts";

export interface RotationLimits {
  maxSizeBytes: number;
  /** Old files kept. */
  maxFiles: number;
  compress: boolean;
}

const LOCK_WAIT_MS = 10_000;
const MODE = 0o640;

export class RotatingFile {
  private readonly lock: Database;
  private fd: number;
  /** Of files that are being compressed. */
  private readonly pending = new Set<Promise<void>>();

  private constructor(
    private readonly path: string,
    private readonly limits: () => RotationLimits,
    private readonly onProblem: (error: unknown) => void,
  ) {
    mkdirSync(dirname(path), { recursive: true });
    this.fd = openSync(path, "a", MODE);
    this.lock = new Database(join(dirname(path), `.${basename(path)}.lock`), { create: true });
    this.lock.run(`PRAGMA busy_timeout = ${LOCK_WAIT_MS}`);
    this.lock.run("PRAGMA journal_mode = MEMORY");
  }

  /**
   * @param limits asked at every line
   * @param onProblem told of an old file that could not be compressed
   * @throws SpellError io
   */
  static open(path: string, limits: () => RotationLimits, onProblem: (error: unknown) => void): RotatingFile {
    try {
      return new RotatingFile(path, limits, onProblem);
    } catch (cause) {
      throw new SpellError("io", `Cannot write log file ${path}: ${messageOf(cause)}`, {
        hint: "Name another one with --log-file",
        cause,
      });
    }
  }

  /** @param line without its end */
  write(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    this.lock.run("BEGIN EXCLUSIVE");
    try {
      let size = this.sizeOfCurrent();
      const { maxSizeBytes } = this.limits();
      if (size > 0 && size + bytes.length > maxSizeBytes) {
        this.rotate();
        size = 0;
      }
      writeSync(this.fd, bytes);
    } finally {
      this.lock.run("COMMIT");
    }
  }

  /** Waits for files that are being compressed. */
  async close(): Promise<void> {
    await Promise.all(this.pending);
    closeSync(this.fd);
    this.lock.close();
  }

  /** Opens the file anew where another process, or a person, has put it away. */
  private sizeOfCurrent(): number {
    const { ino, size } = fstatSync(this.fd);
    const named = statSync(this.path, { throwIfNoEntry: false });
    if (named?.ino === ino) return size;
    this.reopen();
    return named?.size ?? 0;
  }

  private reopen(): void {
    const opened = openSync(this.path, "a", MODE); // may fail: then the old one stays
    closeSync(this.fd);
    this.fd = opened;
  }

  private rotate(): void {
    const { maxFiles, compress } = this.limits();
    const old = this.freeName();
    renameSync(this.path, old);
    this.reopen();
    if (compress && maxFiles > 0) {
      const work = compressFile(old).catch(this.onProblem);
      this.pending.add(work);
      void work.finally(() => this.pending.delete(work));
    }
    for (const path of oldFiles(this.path).slice(maxFiles)) rmSync(path, { force: true });
  }

  /** A name after all others of this second: one that has become free would be the oldest's. */
  private freeName(): string {
    const name = `${this.path}.${stamp(new Date())}`;
    const [newest] = oldFiles(this.path).filter((path) => path.startsWith(name));
    if (newest === undefined) return name;
    return `${name}.${numberOf(newest) + 1}`;
  }
}

const OLD_NAME = /\.(\d{8}_\d{6})(?:\.(\d+))?(?:\.gz)?$/;

function numberOf(path: string): number {
  return Number(OLD_NAME.exec(path)?.[2] ?? 0);
}

/** Old files of a log, the newest first. */
export function oldFiles(path: string): string[] {
  const prefix = `${basename(path)}.`;
  const order = (name: string) => `${OLD_NAME.exec(name)?.[1]}.${String(numberOf(name)).padStart(9, "0")}`;
  return readdirSync(dirname(path))
    .filter(
      (name) => name.startsWith(prefix) && /^\d{8}_\d{6}(\.\d+)?(\.gz)?$/.test(name.slice(prefix.length)),
    )
    .sort((a, b) => (order(a) < order(b) ? 1 : -1))
    .map((name) => join(dirname(path), name));
}

/** A reader finds the whole text either in the old file or in the compressed one. */
async function compressFile(path: string): Promise<void> {
  const aside = `${path}.gz.part`;
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(aside, { mode: MODE }));
    if (existsSync(path)) renameSync(aside, `${path}.gz`);
    rmSync(path, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error; // it had its time meanwhile
  } finally {
    rmSync(aside, { force: true });
  }
}

/** `YYYYMMDD_HHMMSS`, local time. */
function stamp(date: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}`;
  return `${day}_${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}
