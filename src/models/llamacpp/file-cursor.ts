import { readSync } from "node:fs";

const WINDOW_BYTES = 262_144;

/** Reads little-endian values from a file in order. Every read is checked against the file's size first. */
export class FileCursor {
  offset = 0;
  private window = Buffer.alloc(0);
  private windowStart = 0;

  /** @param fail makes the error for a read that goes beyond the end */
  constructor(
    private readonly descriptor: number,
    readonly sizeBytes: number,
    private readonly fail: (what: string) => Error,
  ) {}

  get remaining(): number {
    return this.sizeBytes - this.offset;
  }

  u32(what: string): number {
    return this.take(4, what).readUInt32LE();
  }

  /** A 64-bit count, length or offset. Anything above 2^53 is beyond every file. */
  u64(what: string): number {
    const value = this.take(8, what).readBigUInt64LE();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.fail(what);
    return Number(value);
  }

  /** A length, at most `longest`, and that many bytes. */
  bytes(what: string, longest: number): Buffer {
    const length = this.u64(what);
    if (length > longest) throw this.fail(what);
    return this.take(length, what);
  }

  text(what: string, longest: number): string {
    return this.bytes(what, longest).toString();
  }

  /** Passes over strings without making any. */
  skipStrings(count: number, what: string): void {
    for (let i = 0; i < count; i++) {
      const start = this.offset - this.windowStart;
      if (start < 0 || start + 8 > this.window.length) {
        this.skip(this.u64(what), what);
        continue;
      }
      if (this.window.readUInt32LE(start + 4) !== 0) throw this.fail(what);
      this.skip(8 + this.window.readUInt32LE(start), what);
    }
  }

  skip(bytes: number, what: string): void {
    if (bytes > this.remaining) throw this.fail(what);
    this.offset += bytes;
  }

  /** Valid until the next call. */
  take(bytes: number, what: string): Buffer {
    if (bytes > this.remaining) throw this.fail(what);
    let start = this.offset - this.windowStart;
    if (start < 0 || start + bytes > this.window.length) {
      this.fill(Math.min(Math.max(bytes, WINDOW_BYTES), this.remaining), what);
      start = 0;
    }
    this.offset += bytes;
    return this.window.subarray(start, start + bytes);
  }

  private fill(bytes: number, what: string): void {
    if (this.window.length !== bytes) this.window = Buffer.alloc(bytes);
    this.windowStart = this.offset;
    let filled = 0;
    while (filled < bytes) {
      const count = readSync(this.descriptor, this.window, filled, bytes - filled, this.offset + filled);
      if (count === 0) throw this.fail(what);
      filled += count;
    }
  }
}
