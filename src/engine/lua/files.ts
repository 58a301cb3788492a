/** The files that the script's `io` and `os` libraries reach: standard streams always, real files when allowed. */
import fs from "node:fs";
import { ERRNO, type FileSystem } from "./wasm.ts";

export interface StandardStreams {
  output(stream: 1 | 2, bytes: Uint8Array): void;
  /** The next line with its end, or null at the end of input. */
  inputLine(): Uint8Array | null;
}

/** `open` flags of the WebAssembly C library. */
const O_WRONLY = 1;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;

interface OpenFile {
  fd: number;
  position: number;
  append: boolean;
}

export class ScriptFiles implements FileSystem {
  private readonly open_ = new Map<number, OpenFile>();
  private input: Uint8Array = new Uint8Array(0);

  constructor(
    private readonly allowed: boolean,
    private readonly streams: StandardStreams,
  ) {}

  open(path: string, flags: number): number {
    if (!this.allowed) return -ERRNO.EACCES;
    return guarded(() => {
      const fd = fs.openSync(path, hostFlags(flags), 0o666);
      if (fs.fstatSync(fd).isDirectory() && (flags & (O_WRONLY | O_RDWR)) !== 0) {
        fs.closeSync(fd);
        return -ERRNO.EISDIR;
      }
      let id = 3;
      while (this.open_.has(id)) id++;
      this.open_.set(id, { fd, position: 0, append: (flags & O_APPEND) !== 0 });
      return id;
    });
  }

  close(id: number): number {
    const file = this.open_.get(id);
    if (file === undefined) return id <= 2 ? 0 : -ERRNO.EBADF;
    this.open_.delete(id);
    return guarded(() => {
      fs.closeSync(file.fd);
      return 0;
    });
  }

  read(id: number, target: Uint8Array): number {
    if (id === 0) return this.readInput(target);
    const file = this.open_.get(id);
    if (file === undefined) return -ERRNO.EBADF;
    return guarded(() => {
      const count = fs.readSync(file.fd, target, 0, target.length, file.position);
      file.position += count;
      return count;
    });
  }

  private readInput(target: Uint8Array): number {
    if (this.input.length === 0) this.input = this.streams.inputLine() ?? this.input;
    const count = Math.min(target.length, this.input.length);
    target.set(this.input.subarray(0, count));
    this.input = this.input.subarray(count);
    return count;
  }

  write(id: number, bytes: Uint8Array): number {
    if (id === 1 || id === 2) {
      this.streams.output(id, bytes);
      return bytes.length;
    }
    const file = this.open_.get(id);
    if (file === undefined) return -ERRNO.EBADF;
    return guarded(() => {
      const count = fs.writeSync(file.fd, bytes, 0, bytes.length, file.append ? null : file.position);
      file.position = file.append ? fs.fstatSync(file.fd).size : file.position + count;
      return count;
    });
  }

  seek(id: number, offset: number, whence: number): number {
    const file = this.open_.get(id);
    if (file === undefined) return -ERRNO.ESPIPE;
    return guarded(() => {
      const base = whence === 0 ? 0 : whence === 1 ? file.position : fs.fstatSync(file.fd).size;
      if (base + offset < 0) return -ERRNO.EINVAL;
      file.position = base + offset;
      return file.position;
    });
  }

  remove(path: string, directory: boolean): number {
    if (!this.allowed) return -ERRNO.EACCES;
    return guarded(() => {
      if (directory) fs.rmdirSync(path);
      else if (fs.lstatSync(path).isDirectory()) return -ERRNO.EISDIR;
      else fs.unlinkSync(path);
      return 0;
    });
  }

  rename(from: string, to: string): number {
    if (!this.allowed) return -ERRNO.EACCES;
    return guarded(() => {
      fs.renameSync(from, to);
      return 0;
    });
  }

  closeAll(): void {
    for (const id of [...this.open_.keys()]) this.close(id);
  }
}

function hostFlags(flags: number): number {
  const { constants } = fs;
  let result =
    (flags & O_RDWR) !== 0 ? constants.O_RDWR : flags & O_WRONLY ? constants.O_WRONLY : constants.O_RDONLY;
  if (flags & O_CREAT) result |= constants.O_CREAT;
  if (flags & O_EXCL) result |= constants.O_EXCL;
  if (flags & O_TRUNC) result |= constants.O_TRUNC;
  if (flags & O_APPEND) result |= constants.O_APPEND;
  return result;
}

function guarded(operation: () => number): number {
  try {
    return operation();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    return -(ERRNO[code as keyof typeof ERRNO] ?? ERRNO.EIO);
  }
}
