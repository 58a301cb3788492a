import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

export interface LogFileOptions {
  path: string;
  /** Keep what an earlier run wrote. */
  append: boolean;
  /** Size at which a file is set aside as `path.1`. */
  maxBytes: number;
  /** Older files kept beside the current one. */
  maxFiles: number;
}

/**
 * A log file that is set aside when full: `path.1` is the newest older file. Readable by its owner only, because a
 * script logs what it likes.
 */
export class LogFile {
  private fd: number | undefined;
  private bytes = 0;

  constructor(private readonly options: LogFileOptions) {}

  /** @throws the operating system's error */
  write(text: string): void {
    const line = Buffer.from(text);
    let fd = this.fd ?? this.open(this.options.append);
    if (this.bytes > 0 && this.bytes + line.length > this.options.maxBytes) {
      this.close();
      this.rotate();
      fd = this.open(true);
    }
    for (let done = 0; done < line.length; ) done += writeSync(fd, line, done);
    this.bytes += line.length;
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  private open(append: boolean): number {
    mkdirSync(dirname(this.options.path), { recursive: true });
    const fd = openSync(this.options.path, "a", 0o600);
    if (!append) ftruncateSync(fd);
    this.bytes = fstatSync(fd).size;
    this.fd = fd;
    return fd;
  }

  private rotate(): void {
    const { path, maxFiles } = this.options;
    const older = (n: number) => (n === 0 ? path : `${path}.${n}`);
    rmSync(older(maxFiles), { force: true });
    for (let n = maxFiles - 1; n >= 0; n--) {
      try {
        renameSync(older(n), older(n + 1));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
    }
  }
}
