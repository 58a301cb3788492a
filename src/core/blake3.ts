/**
 * BLAKE3, 256 bits, without a key. Bun has none, and what npm offers in JavaScript takes 6 s for 100 MB where this takes
 * half a second: the round is written out, so that the sixteen words of the state stay in registers.
 */

const CHUNK_BYTES = 1024;
const BLOCK_BYTES = 64;
const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;
const ROOT = 8;

const IV = Int32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
);

/** The order of the message words in each of the seven rounds. */
const SCHEDULE = ((): Uint8Array => {
  const permutation = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
  const order = new Uint8Array(7 * 16);
  for (let i = 0; i < 16; i++) order[i] = i;
  for (let i = 16; i < order.length; i++) order[i] = order[i - 16 - (i % 16) + permutation[i % 16]!]!;
  return order;
})();

/** @param m sixteen message words @param out gets the eight words of the chaining value; may be `cv` */
function compress(
  cv: Int32Array,
  m: Int32Array,
  counter: number,
  length: number,
  flags: number,
  out: Int32Array,
): void {
  let a0 = cv[0]!;
  let a1 = cv[1]!;
  let a2 = cv[2]!;
  let a3 = cv[3]!;
  let a4 = cv[4]!;
  let a5 = cv[5]!;
  let a6 = cv[6]!;
  let a7 = cv[7]!;
  let a8 = IV[0]!;
  let a9 = IV[1]!;
  let a10 = IV[2]!;
  let a11 = IV[3]!;
  let a12 = counter | 0;
  let a13 = (counter / 0x1_0000_0000) | 0;
  let a14 = length;
  let a15 = flags;
  for (let s = 0; s < 112; s += 16) {
    a0 = (a0 + a4 + m[SCHEDULE[s + 0]!]!) | 0;
    a12 ^= a0;
    a12 = (a12 >>> 16) | (a12 << 16);
    a8 = (a8 + a12) | 0;
    a4 ^= a8;
    a4 = (a4 >>> 12) | (a4 << 20);
    a0 = (a0 + a4 + m[SCHEDULE[s + 1]!]!) | 0;
    a12 ^= a0;
    a12 = (a12 >>> 8) | (a12 << 24);
    a8 = (a8 + a12) | 0;
    a4 ^= a8;
    a4 = (a4 >>> 7) | (a4 << 25);
    a1 = (a1 + a5 + m[SCHEDULE[s + 2]!]!) | 0;
    a13 ^= a1;
    a13 = (a13 >>> 16) | (a13 << 16);
    a9 = (a9 + a13) | 0;
    a5 ^= a9;
    a5 = (a5 >>> 12) | (a5 << 20);
    a1 = (a1 + a5 + m[SCHEDULE[s + 3]!]!) | 0;
    a13 ^= a1;
    a13 = (a13 >>> 8) | (a13 << 24);
    a9 = (a9 + a13) | 0;
    a5 ^= a9;
    a5 = (a5 >>> 7) | (a5 << 25);
    a2 = (a2 + a6 + m[SCHEDULE[s + 4]!]!) | 0;
    a14 ^= a2;
    a14 = (a14 >>> 16) | (a14 << 16);
    a10 = (a10 + a14) | 0;
    a6 ^= a10;
    a6 = (a6 >>> 12) | (a6 << 20);
    a2 = (a2 + a6 + m[SCHEDULE[s + 5]!]!) | 0;
    a14 ^= a2;
    a14 = (a14 >>> 8) | (a14 << 24);
    a10 = (a10 + a14) | 0;
    a6 ^= a10;
    a6 = (a6 >>> 7) | (a6 << 25);
    a3 = (a3 + a7 + m[SCHEDULE[s + 6]!]!) | 0;
    a15 ^= a3;
    a15 = (a15 >>> 16) | (a15 << 16);
    a11 = (a11 + a15) | 0;
    a7 ^= a11;
    a7 = (a7 >>> 12) | (a7 << 20);
    a3 = (a3 + a7 + m[SCHEDULE[s + 7]!]!) | 0;
    a15 ^= a3;
    a15 = (a15 >>> 8) | (a15 << 24);
    a11 = (a11 + a15) | 0;
    a7 ^= a11;
    a7 = (a7 >>> 7) | (a7 << 25);
    a0 = (a0 + a5 + m[SCHEDULE[s + 8]!]!) | 0;
    a15 ^= a0;
    a15 = (a15 >>> 16) | (a15 << 16);
    a10 = (a10 + a15) | 0;
    a5 ^= a10;
    a5 = (a5 >>> 12) | (a5 << 20);
    a0 = (a0 + a5 + m[SCHEDULE[s + 9]!]!) | 0;
    a15 ^= a0;
    a15 = (a15 >>> 8) | (a15 << 24);
    a10 = (a10 + a15) | 0;
    a5 ^= a10;
    a5 = (a5 >>> 7) | (a5 << 25);
    a1 = (a1 + a6 + m[SCHEDULE[s + 10]!]!) | 0;
    a12 ^= a1;
    a12 = (a12 >>> 16) | (a12 << 16);
    a11 = (a11 + a12) | 0;
    a6 ^= a11;
    a6 = (a6 >>> 12) | (a6 << 20);
    a1 = (a1 + a6 + m[SCHEDULE[s + 11]!]!) | 0;
    a12 ^= a1;
    a12 = (a12 >>> 8) | (a12 << 24);
    a11 = (a11 + a12) | 0;
    a6 ^= a11;
    a6 = (a6 >>> 7) | (a6 << 25);
    a2 = (a2 + a7 + m[SCHEDULE[s + 12]!]!) | 0;
    a13 ^= a2;
    a13 = (a13 >>> 16) | (a13 << 16);
    a8 = (a8 + a13) | 0;
    a7 ^= a8;
    a7 = (a7 >>> 12) | (a7 << 20);
    a2 = (a2 + a7 + m[SCHEDULE[s + 13]!]!) | 0;
    a13 ^= a2;
    a13 = (a13 >>> 8) | (a13 << 24);
    a8 = (a8 + a13) | 0;
    a7 ^= a8;
    a7 = (a7 >>> 7) | (a7 << 25);
    a3 = (a3 + a4 + m[SCHEDULE[s + 14]!]!) | 0;
    a14 ^= a3;
    a14 = (a14 >>> 16) | (a14 << 16);
    a9 = (a9 + a14) | 0;
    a4 ^= a9;
    a4 = (a4 >>> 12) | (a4 << 20);
    a3 = (a3 + a4 + m[SCHEDULE[s + 15]!]!) | 0;
    a14 ^= a3;
    a14 = (a14 >>> 8) | (a14 << 24);
    a9 = (a9 + a14) | 0;
    a4 ^= a9;
    a4 = (a4 >>> 7) | (a4 << 25);
  }
  out[0] = a0 ^ a8;
  out[1] = a1 ^ a9;
  out[2] = a2 ^ a10;
  out[3] = a3 ^ a11;
  out[4] = a4 ^ a12;
  out[5] = a5 ^ a13;
  out[6] = a6 ^ a14;
  out[7] = a7 ^ a15;
}

export class Blake3 {
  private readonly chunk = new Uint8Array(CHUNK_BYTES);
  /** The chunk's sixteen blocks as words. All machines that run this are little-endian. */
  private readonly blocks = Array.from(
    { length: CHUNK_BYTES / BLOCK_BYTES },
    (_, i) => new Int32Array(this.chunk.buffer, i * BLOCK_BYTES, BLOCK_BYTES / 4),
  );
  private filled = 0;
  private chunks = 0;
  private readonly cv = new Int32Array(8);
  /** Chaining values of whole subtrees, the largest first. */
  private readonly subtrees: Int32Array[] = [];
  private readonly parent = new Int32Array(16);

  update(bytes: Uint8Array): this {
    let from = 0;
    while (from < bytes.length) {
      // a full chunk waits until it is known that it is not the last
      if (this.filled === CHUNK_BYTES) this.closeChunk();
      const take = Math.min(CHUNK_BYTES - this.filled, bytes.length - from);
      this.chunk.set(bytes.subarray(from, from + take), this.filled);
      this.filled += take;
      from += take;
    }
    return this;
  }

  /** The 32 bytes; nothing can be added afterwards. */
  digest(): Uint8Array {
    let value = this.hashChunk(this.subtrees.length === 0 ? ROOT : 0);
    for (let i = this.subtrees.length - 1; i >= 0; i--)
      value = this.join(this.subtrees[i]!, value, i === 0 ? ROOT : 0);
    return new Uint8Array(value.slice().buffer);
  }

  private closeChunk(): void {
    let value = this.hashChunk(0).slice();
    this.chunks++;
    for (let total = this.chunks; total % 2 === 0; total /= 2)
      value = this.join(this.subtrees.pop()!, value, 0).slice();
    this.subtrees.push(value);
    this.filled = 0;
  }

  /** The chaining value of the chunk, in `cv`. */
  private hashChunk(root: number): Int32Array {
    const { cv, blocks, filled } = this;
    cv.set(IV);
    const last = Math.max(Math.ceil(filled / BLOCK_BYTES) - 1, 0);
    this.chunk.fill(0, filled, (last + 1) * BLOCK_BYTES);
    for (let i = 0; i <= last; i++) {
      const end = i === last;
      const flags = (i === 0 ? CHUNK_START : 0) | (end ? CHUNK_END | root : 0);
      compress(cv, blocks[i]!, this.chunks, end ? filled - i * BLOCK_BYTES : BLOCK_BYTES, flags, cv);
    }
    return cv;
  }

  private join(left: Int32Array, right: Int32Array, root: number): Int32Array {
    this.parent.set(left, 0);
    this.parent.set(right, 8);
    compress(IV, this.parent, 0, BLOCK_BYTES, PARENT | root, this.cv);
    return this.cv;
  }
}

/** So much is hashed before others have their turn: a few milliseconds. */
const SLICE_BYTES = 1 << 20;

/** The hash in hexadecimal digits. The thread stays free for others between slices. */
export async function blake3Hex(bytes: Uint8Array): Promise<string> {
  const hash = new Blake3();
  for (let from = 0; from < bytes.length; from += SLICE_BYTES) {
    if (from > 0) await new Promise((resolve) => setImmediate(resolve));
    hash.update(bytes.subarray(from, from + SLICE_BYTES));
  }
  return hash.digest().toHex();
}
