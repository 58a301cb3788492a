import { blake3 } from "@noble/hashes/blake3.js";

/** So much is hashed before others have their turn: a few milliseconds. */
const SLICE_BYTES = 1 << 20;

/** The BLAKE3 hash in hexadecimal digits. The thread stays free for others between slices. */
export async function blake3Hex(bytes: Uint8Array): Promise<string> {
  const hash = blake3.create();
  for (let from = 0; from < bytes.length; from += SLICE_BYTES) {
    if (from > 0) await new Promise((resolve) => setImmediate(resolve));
    hash.update(bytes.subarray(from, from + SLICE_BYTES));
  }
  return hash.digest().toHex();
}
