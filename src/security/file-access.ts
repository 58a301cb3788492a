/** Files within the rules of the configuration: the only way in which tools reach them. */
import { constants, lstatSync, readdirSync } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, ioError } from "../core/io-error.ts";
import { Anchor } from "./anchor.ts";
import type { FileAccess, FileInfo } from "./capabilities.ts";
import { deniedFile } from "./denial.ts";
import {
  attempt,
  describe,
  errno,
  makeDirectory,
  refuseHardLink,
  refuseLarger,
  refuseSame,
  regular,
  toBytes,
} from "./file-checks.ts";
import { PROGRAM_HEADER_BYTES, programType } from "./file-type.ts";
import type { ResourceBudget } from "./limits.ts";
import { extensionOf, type PathPolicy } from "./path-policy.ts";
import { type Chunks, replaceFile, writeAll } from "./replace-file.ts";

export interface FileAccessOptions {
  policy: PathPolicy;
  budget: ResourceBudget;
  signal: AbortSignal;
  maxFileBytes: number;
  atomicWrites: boolean;
  validateTypes: boolean;
}

const CHUNK_BYTES = 1 << 20;
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const NON_BLOCKING = constants.O_NONBLOCK ?? 0;

export class SandboxedFiles implements FileAccess {
  constructor(private readonly options: FileAccessOptions) {}

  async resolve(path: string): Promise<string> {
    return this.options.policy.locate(path);
  }

  async read(path: string): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.stream(path)) {
      this.options.budget.hold(chunk.length);
      chunks.push(chunk);
    }
    return Bun.concatArrayBuffers(chunks, Infinity, true);
  }

  async *stream(path: string, maxBytes = this.options.maxFileBytes): AsyncIterable<Uint8Array> {
    this.options.budget.countOperation();
    const real = this.locateFile(path);
    yield* this.chunksOf(path, real, maxBytes);
  }

  async write(path: string, data: Uint8Array | string): Promise<void> {
    this.options.budget.countOperation();
    const bytes = toBytes(data);
    const real = this.locateFile(path);
    this.checkSize("Cannot write", path, bytes.length);
    this.checkType(path, real, bytes);
    await this.put(path, real, [bytes]);
  }

  async append(path: string, data: Uint8Array | string): Promise<void> {
    this.options.budget.countOperation();
    const bytes = toBytes(data);
    const real = this.locateFile(path);
    await attempt("Cannot append to", path, async () => {
      using anchor = Anchor.of(real);
      const old = lstatSync(anchor.path, { throwIfNoEntry: false });
      if (old !== undefined) regular(path, old);
      this.checkSize("Cannot append to", path, (old?.size ?? 0) + bytes.length);
      if (old === undefined) this.checkType(path, real, bytes);
      else await this.checkHead(path, real, anchor, bytes);
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;
      await using file = await this.open(anchor, flags);
      const before = regular(path, await file.stat());
      refuseHardLink(path, before);
      try {
        await writeAll(file, bytes);
        await file.sync();
      } catch (error) {
        await file.truncate(before.size);
        throw error;
      }
    });
  }

  async remove(path: string): Promise<void> {
    this.options.budget.countOperation();
    const real = this.options.policy.locate(path, false);
    await attempt("Cannot delete", path, async () => {
      using anchor = Anchor.of(real);
      if (lstatSync(anchor.path).isDirectory()) throw errno("EISDIR");
      await unlink(anchor.path);
    });
  }

  async makeDirectory(path: string, recursive: boolean): Promise<void> {
    this.options.budget.countOperation();
    const real = this.options.policy.locate(path);
    await attempt("Cannot create directory", path, async () => makeDirectory(real, recursive));
  }

  async list(path: string, limit: number): Promise<{ entries: FileInfo[]; total: number }> {
    this.options.budget.countOperation();
    const real = this.options.policy.locate(path);
    return attempt("Cannot list", path, async () => {
      using anchor = Anchor.of(real);
      if (lstatSync(anchor.path).isSymbolicLink()) throw errno("ELOOP");
      const names = readdirSync(anchor.path).sort();
      const entries = names
        .slice(0, limit)
        .map((name) =>
          describe(join(real, name), lstatSync(join(anchor.path, name), { throwIfNoEntry: false })),
        );
      return { entries, total: names.length };
    });
  }

  async copy(from: string, to: string): Promise<void> {
    this.options.budget.countOperation();
    const source = this.locateFile(from);
    const target = this.locateFile(to);
    refuseSame("copy", from, source, target);
    const mode = await attempt("Cannot copy", from, async () => {
      using anchor = Anchor.of(source);
      return regular(from, lstatSync(anchor.path)).mode & 0o777;
    });
    const chunks = this.chunksOf(from, source, this.options.maxFileBytes);
    await this.put(to, target, this.checked(to, target, chunks), mode);
  }

  async move(from: string, to: string): Promise<void> {
    this.options.budget.countOperation();
    const source = this.options.policy.locate(from, false);
    const target = this.options.policy.locate(to, false);
    refuseSame("move", from, source, target);
    try {
      using origin = Anchor.of(source);
      using destination = Anchor.of(target);
      const stat = lstatSync(origin.path);
      if (stat.isFile()) {
        this.options.policy.checkExtension(from, source);
        this.options.policy.checkExtension(to, target);
        await this.checkHead(to, target, origin);
      }
      await rename(origin.path, destination.path);
    } catch (error) {
      if (errnoOf(error) !== "EXDEV") throw ioError("Cannot move", from, error);
      await this.copy(from, to);
      await this.remove(from);
    }
  }

  async info(path: string): Promise<FileInfo> {
    this.options.budget.countOperation();
    const real = this.options.policy.locate(path, false);
    return attempt("Cannot describe", path, async () => {
      using anchor = Anchor.of(real);
      return describe(real, lstatSync(anchor.path));
    });
  }

  async exists(path: string): Promise<boolean> {
    this.options.budget.countOperation();
    const real = this.options.policy.locate(path);
    return attempt("Cannot look for", path, async () => {
      try {
        using anchor = Anchor.of(real);
        return lstatSync(anchor.path, { throwIfNoEntry: false }) !== undefined;
      } catch (error) {
        if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return false;
        throw error;
      }
    });
  }

  /** Where content is read or written: the extension counts too. */
  private locateFile(path: string): string {
    const real = this.options.policy.locate(path);
    this.options.policy.checkExtension(path, real);
    return real;
  }

  private async open(anchor: Anchor, flags: number): Promise<FileHandle & AsyncDisposable> {
    const release = this.options.budget.openFile();
    try {
      // Without O_NONBLOCK a named pipe would be waited for.
      const file = await open(anchor.path, flags | NO_FOLLOW | NON_BLOCKING);
      return Object.assign(file, {
        async [Symbol.asyncDispose]() {
          release();
          await file.close();
        },
      });
    } catch (error) {
      release();
      throw error;
    }
  }

  private async *chunksOf(path: string, real: string, maxBytes: number): AsyncIterable<Uint8Array> {
    try {
      using anchor = Anchor.of(real);
      await using file = await this.open(anchor, constants.O_RDONLY);
      const stat = regular(path, await file.stat());
      refuseLarger("Cannot read", path, stat.size, maxBytes);
      let total = 0;
      for (;;) {
        this.options.signal.throwIfAborted();
        const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(stat.size - total, 4096)));
        const { bytesRead } = await file.read(buffer, 0, buffer.length);
        if (bytesRead === 0) return;
        total += bytesRead;
        refuseLarger("Cannot read", path, total, maxBytes);
        yield buffer.subarray(0, bytesRead);
      }
    } catch (error) {
      throw this.options.signal.aborted ? error : ioError("Cannot read", path, error);
    }
  }

  private async put(path: string, real: string, chunks: Chunks, mode?: number): Promise<void> {
    await attempt("Cannot write", path, async () => {
      using anchor = Anchor.of(real);
      if (this.options.atomicWrites) {
        await replaceFile(anchor, chunks, mode);
        return;
      }
      await using file = await this.open(anchor, constants.O_WRONLY | constants.O_CREAT);
      refuseHardLink(path, regular(path, await file.stat()));
      await file.truncate(0);
      for await (const chunk of chunks) await writeAll(file, chunk);
      await file.sync();
    });
  }

  private async *checked(path: string, real: string, chunks: AsyncIterable<Uint8Array>) {
    let first = true;
    for await (const chunk of chunks) {
      if (first) this.checkType(path, real, chunk);
      first = false;
      yield chunk;
    }
  }

  /** Looks at the first bytes the file would have with `added` at its end. */
  private async checkHead(
    path: string,
    real: string,
    anchor: Anchor,
    added: Uint8Array = new Uint8Array(),
  ): Promise<void> {
    if (!this.options.validateTypes) return;
    await using file = await this.open(anchor, constants.O_RDONLY);
    const head = new Uint8Array(PROGRAM_HEADER_BYTES);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    head.set(added.subarray(0, head.length - bytesRead), bytesRead);
    this.checkType(path, real, head.subarray(0, bytesRead + added.length));
  }

  private checkType(path: string, real: string, head: Uint8Array): void {
    const type = this.options.validateTypes ? programType(head) : undefined;
    if (type === undefined || type.extensions.includes(extensionOf(real))) return;
    throw deniedFile(
      path,
      `Content is ${type.name}, which its name does not say`,
      "See tools.file_operations.validate_file_types",
    );
  }

  private checkSize(action: string, path: string, bytes: number): void {
    refuseLarger(action, path, bytes, this.options.maxFileBytes);
  }
}
