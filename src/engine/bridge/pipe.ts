/**
 * A byte pipe in shared memory with one writer and one reader, each on its own thread. Frames are length-prefixed, may
 * be larger than the pipe, and keep their order.
 */
const HEAD = 0;
const TAIL = 1;
const HEADER_BYTES = 8;
/** Bytes before each frame's payload: its length, little endian. */
export const FRAME_PREFIX_BYTES = 4;

/** Some 50 µs: longer than most answers take, and than both threads need to be put to sleep and woken. */
export const LOOKS = 4000;

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
    this.words = new Int32Array(memory, offset, 2);
    this.data = new Uint8Array(memory, offset + HEADER_BYTES, capacity);
    this.mask = capacity - 1;
  }

  available(): number {
    return (Atomics.load(this.words, HEAD) - Atomics.load(this.words, TAIL)) | 0;
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
    Atomics.notify(this.words, HEAD);
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
    Atomics.notify(this.words, TAIL);
    return count;
  }

  /** Blocks the thread until the other side has written. Looks a while first: a quick answer then saves a wake-up. */
  waitForData(): void {
    const tail = this.words[TAIL]!;
    for (let i = 0; i < LOOKS; i++) if (Atomics.load(this.words, HEAD) !== tail) return;
    const head = Atomics.load(this.words, HEAD);
    if (((head - this.words[TAIL]!) | 0) === 0) Atomics.wait(this.words, HEAD, head);
  }

  /** Blocks the thread until there is room, at most `timeoutMs`. */
  waitForRoom(timeoutMs: number): void {
    const tail = Atomics.load(this.words, TAIL);
    if (((this.words[HEAD]! - tail) | 0) === this.data.length)
      Atomics.wait(this.words, TAIL, tail, timeoutMs);
  }
}

/** Takes whole frames out of a pipe. */
export class FrameReader {
  private readonly prefix = new Uint8Array(FRAME_PREFIX_BYTES);
  private frame: Uint8Array | undefined;
  private filled = 0;

  constructor(private readonly pipe: Pipe) {}

  /** The next frame's payload, or undefined when it is not whole yet. */
  next(): Uint8Array | undefined {
    if (this.frame === undefined) {
      if (this.pipe.available() < FRAME_PREFIX_BYTES) return undefined;
      this.pipe.read(this.prefix, 0);
      const [a, b, c, d] = this.prefix as unknown as [number, number, number, number];
      this.frame = new Uint8Array(a | (b << 8) | (c << 16) | (d << 24));
      this.filled = 0;
    }
    this.filled += this.pipe.read(this.frame, this.filled);
    if (this.filled < this.frame.length) return undefined;
    const whole = this.frame;
    this.frame = undefined;
    return whole;
  }
}
