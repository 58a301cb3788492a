import type { IHasher } from "hash-wasm";

/** So much is hashed before others have their turn: some milliseconds. */
const SLICE_BYTES = 1 << 20;

/** Those that rest: making one takes longer than hashing a short content. */
const idle: IHasher[] = [];

/** A hasher to which bytes are given piece by piece; its `digest` ends it. */
export interface Blake3 {
  update(bytes: Uint8Array): unknown;
  /** 32 bytes. */
  digest(): Uint8Array;
}

export async function blake3Hasher(): Promise<Blake3> {
  const hasher = await made();
  return { update: (bytes) => hasher.update(bytes), digest: () => hasher.digest("binary") };
}

async function made(): Promise<IHasher> {
  const { createBLAKE3 } = await import("hash-wasm");
  return createBLAKE3();
}

/** The BLAKE3 hash in hexadecimal digits. The thread stays free for others between slices. */
export async function blake3Hex(bytes: Uint8Array): Promise<string> {
  const hasher = idle.pop() ?? (await made());
  hasher.init();
  for (let from = 0; from < bytes.length; from += SLICE_BYTES) {
    if (from > 0) await new Promise((resolve) => setImmediate(resolve));
    hasher.update(bytes.subarray(from, from + SLICE_BYTES));
  }
  const hash = hasher.digest("hex");
  idle.push(hasher);
  return hash;
}
