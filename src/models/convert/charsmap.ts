/**
 * SentencePiece's precompiled normalisation: a double-array trie of 32-bit units (Darts-clone), then replacement texts,
 * each ended by a zero byte. llama.cpp walks it while it tokenizes and ends the process where an index lies outside, so
 * every node that some text can reach is visited here first.
 */

const LONGEST_BYTES = 4 << 20; // sixteen times that of nmt_nfkc_cf

/** @throws Error that `fail` makes */
export function checkCharsmap(bytes: Uint8Array, fail: (rule: string) => Error): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const trieBytes = bytes.length < 4 ? -1 : view.getUint32(0, true);
  if (bytes.length > LONGEST_BYTES || trieBytes <= 0 || trieBytes % 4 !== 0 || 4 + trieBytes >= bytes.length)
    throw fail(`the character map of its tokenizer has ${bytes.length} bytes and a trie of ${trieBytes}`);
  const units = trieBytes / 4;
  const replacements = bytes.subarray(4 + trieBytes);
  if (replacements.at(-1) !== 0) throw fail("the character map of its tokenizer ends within a replacement");

  const unit = (index: number): number => {
    if (index >= units) throw fail("the character map of its tokenizer leads out of itself");
    return view.getUint32(4 + index * 4, true);
  };
  const baseOf = (node: number) => ((node >>> 10) << ((node & 0x200) >>> 6)) >>> 0;
  const waiting = [baseOf(unit(0))];
  const visited = new Set(waiting);
  for (let base = waiting.pop(); base !== undefined; base = waiting.pop()) {
    for (let byte = 1; byte < 256; byte++) {
      const index = (base ^ byte) >>> 0;
      const node = unit(index);
      if ((node & 0x800000ff) >>> 0 !== byte) continue;
      const next = (index ^ baseOf(node)) >>> 0;
      if ((node & 0x100) !== 0 && (unit(next) & 0x7fffffff) >= replacements.length)
        throw fail("the character map of its tokenizer names a replacement beyond its end");
      if (!visited.has(next)) {
        visited.add(next);
        waiting.push(next);
      }
    }
  }
}
