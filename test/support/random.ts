/** Numbers of [0, 1) from 32-bit integers (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `length` numbers around 0: the sum of three uniform ones, near enough to a bell and exact in every engine. */
export function bell(random: () => number, length: number, scale: number): Float32Array {
  return Float32Array.from({ length }, () => (random() + random() + random() - 1.5) * 2 * scale);
}

/** `length` numbers within 0.1 of `middle`. */
export function around(random: () => number, length: number, middle: number): Float32Array {
  return Float32Array.from({ length }, () => middle + (random() - 0.5) * 0.2);
}
