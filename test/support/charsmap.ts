/**
 * Writes SentencePiece's precompiled character maps: a Darts-clone double array over UTF-8 bytes whose values are places of
 * replacement texts, after sentencepiece's builder.cc and darts.h.
 */

interface Node {
  children: Map<number, Node>;
  /** Where the replacement begins. */
  value?: number;
}

export function precompiledCharsmap(replacements: Readonly<Record<string, string>>): Uint8Array {
  const root: Node = { children: new Map() };
  let texts = Buffer.alloc(0);
  for (const [from, to] of Object.entries(replacements)) {
    let node = root;
    for (const byte of Buffer.from(from)) {
      if (!node.children.has(byte)) node.children.set(byte, { children: new Map() });
      node = node.children.get(byte)!;
    }
    node.value = texts.length;
    texts = Buffer.concat([texts, Buffer.from(`${to}\0`)]);
  }
  const trie = doubleArray(root);
  const length = new Uint8Array(new Uint32Array([trie.byteLength]).buffer);
  return Buffer.concat([length, new Uint8Array(trie.buffer), texts]);
}

/** A unit: label in bits 0–7, bit 8 where a value follows, offset to the children in bits 10–30; values have bit 31. */
function doubleArray(root: Node): Uint32Array {
  const units = new Map<number, number>([[0, 0]]);
  const bases = new Set<number>();
  const place = (node: Node, index: number, label: number): void => {
    const labels = [...(node.value === undefined ? [] : [0]), ...node.children.keys()];
    let base = 1;
    while (bases.has(base) || labels.some((child) => units.has(base ^ child))) base++;
    bases.add(base);
    const hasValue = node.value === undefined ? 0 : 1 << 8;
    units.set(index, (((index ^ base) << 10) | hasValue | label) >>> 0);
    for (const child of labels) units.set(base ^ child, 0);
    if (node.value !== undefined) units.set(base, (node.value | (1 << 31)) >>> 0);
    for (const [byte, child] of node.children) place(child, base ^ byte, byte);
  };
  place(root, 0, 0);
  const length = Math.ceil((Math.max(...units.keys()) + 1) / 256) * 256;
  return Uint32Array.from({ length }, (_, i) => units.get(i) ?? 0);
}
