/**
 * A byte pipe in shared memory with one writer and one reader, each on its own thread. Frames are length-prefixed, may
 * be larger than the pipe, and keep their order.
 */
const HEAD = 0;
const TAIL = 1;
/** 1 while a thread sleeps until the other one has read or written: only then it has to be woken. */
const READER_SLEEPS = 2;
const WRITER_SLEEPS = 3;
const HEADER_BYTES = 16;
/** What is taken out of the pipe at once; a larger frame has memory of its own. */
const CHUNK_BYTES = 64 * 1024;
/** Bytes before each frame's payload: its length, little endian. */
export const FRAME_PREFIX_BYTES = 4;

/** Longer than most answers take, a write to the database included, and than both threads need to sleep and wake. */
const LOOK_MS = 0.08;
const LOOKS_BETWEEN_TIMES = 256;

export function pipeBytes(capacity: number): number {
  return HEADER_BYTES + capacity;
}

/** Head and tail count bytes since the start, modulo 2^32; their difference is what waits to be read. */
export class Pipe {
  private readonly words: Int32Array;
  private readonly data: Uint8Array;
  private readonly mask: number;

  /** @param capacity a power of two */
  constructor(memory: SharedArrayBuffer, offset: number, capacity: number) {
    this.words = new Int32Array(memory, offset, HEADER_BYTES / 4);
    this.data = new Uint8Array(memory, offset + HEADER_BYTES, capacity);
    this.mask = capacity - 1;
  }

  available(): number {
    return (Atomics.load(this.words, HEAD) - Atomics.load(this.words, TAIL)) | 0;
  }

  /** Looks for data for a while without putting the thread to sleep. */
  look(): boolean {
    const tail = this.words[TAIL]!;
    const endMs = performance.now() + LOOK_MS;
    do {
      for (let i = 0; i < LOOKS_BETWEEN_TIMES; i++) if (Atomics.load(this.words, HEAD) !== tail) return true;
    } while (performance.now() < endMs);
    return false;
  }

  /** Writes as much of `bytes` from `from` on as there is room for, and wakes the reader. Returns the count. */
  write(bytes: Uint8Array, from: number): number {
    const head = this.words[HEAD]!;
    const room = this.data.length - ((head - Atomics.load(this.words, TAIL)) | 0);
    const count = Math.min(room, bytes.length - from);
    if (count === 0) return 0;
    const at = head & this.mask;
    const first = Math.min(count, this.data.length - at);
    this.data.set(bytes.subarray(from, from + first), at);
    if (count > first) this.data.set(bytes.subarray(from + first, from + count), 0);
    Atomics.store(this.words, HEAD, (head + count) | 0);
    if (Atomics.load(this.words, READER_SLEEPS) === 1) Atomics.notify(this.words, HEAD);
    return count;
  }

  /** Takes as much as is there, up to the room in `target` from `from` on. Returns the count. */
  read(target: Uint8Array, from: number): number {
    const tail = this.words[TAIL]!;
    const count = Math.min((Atomics.load(this.words, HEAD) - tail) | 0, target.length - from);
    if (count === 0) return 0;
    const at = tail & this.mask;
    const first = Math.min(count, this.data.length - at);
    target.set(this.data.subarray(at, at + first), from);
    if (count > first) target.set(this.data.subarray(0, count - first), from + first);
    Atomics.store(this.words, TAIL, (tail + count) | 0);
    if (Atomics.load(this.words, WRITER_SLEEPS) === 1) Atomics.notify(this.words, TAIL);
    return count;
  }

  /**
   * Blocks the thread until the other side has written: false where it has not in that time. Looks a while first: a quick
   * answer then saves a wake-up.
   */
  waitForData(timeoutMs = Number.POSITIVE_INFINITY): boolean {
    if (this.look()) return true;
    const tail = this.words[TAIL]!;
    // Told before the last look: the writer either sees it or is seen.
    Atomics.store(this.words, READER_SLEEPS, 1);
    const head = Atomics.load(this.words, HEAD);
    const isEmpty = ((head - tail) | 0) === 0;
    const result = isEmpty ? Atomics.wait(this.words, HEAD, head, timeoutMs) : "not-equal";
    Atomics.store(this.words, READER_SLEEPS, 0);
    return result !== "timed-out";
  }

  /** Blocks the thread until there is room, at most `timeoutMs`. */
  waitForRoom(timeoutMs: number): void {
    Atomics.store(this.words, WRITER_SLEEPS, 1);
    const tail = Atomics.load(this.words, TAIL);
    if (((this.words[HEAD]! - tail) | 0) === this.data.length)
      Atomics.wait(this.words, TAIL, tail, timeoutMs);
    Atomics.store(this.words, WRITER_SLEEPS, 0);
  }
}

/** Takes whole frames out of a pipe. */
export class FrameReader {
  private readonly chunk = new Uint8Array(new ArrayBuffer(CHUNK_BYTES));
  /** What of the chunk was read from the pipe and not given out. */
  private from = 0;
  private to = 0;
  private large: Uint8Array | undefined;
  private filled = 0;

  constructor(private readonly pipe: Pipe) {}

  /** The next frame's payload, or undefined when it is not whole yet. It is valid until the next call. */
  next(): Uint8Array | undefined {
    if (this.large !== undefined) return this.fillLarge(this.large);
    if (!this.holds(FRAME_PREFIX_BYTES)) return undefined;
    const { chunk, from } = this;
    const length =
      chunk[from]! | (chunk[from + 1]! << 8) | (chunk[from + 2]! << 16) | (chunk[from + 3]! << 24);
    if (length > CHUNK_BYTES - FRAME_PREFIX_BYTES) return this.beginLarge(length);
    if (!this.holds(FRAME_PREFIX_BYTES + length)) return undefined;
    const begin = this.from + FRAME_PREFIX_BYTES;
    this.from = begin + length;
    return chunk.subarray(begin, this.from);
  }

  /** Whether so many bytes are there, read from the pipe if need be. */
  private holds(count: number): boolean {
    if (this.to - this.from >= count) return true;
    if (this.from > 0) {
      this.chunk.copyWithin(0, this.from, this.to);
      this.to -= this.from;
      this.from = 0;
    }
    this.to += this.pipe.read(this.chunk, this.to);
    return this.to >= count;
  }

  private beginLarge(length: number): Uint8Array | undefined {
    const begin = this.from + FRAME_PREFIX_BYTES;
    this.large = new Uint8Array(new ArrayBuffer(length));
    this.large.set(this.chunk.subarray(begin, this.to));
    this.filled = this.to - begin;
    this.from = this.to = 0;
    return this.fillLarge(this.large);
  }

  private fillLarge(frame: Uint8Array): Uint8Array | undefined {
    this.filled += this.pipe.read(frame, this.filled);
    if (this.filled < frame.length) return undefined;
    this.large = undefined;
    return frame;
  }
}
