/**
 * Reads the files of a git bundle (https://git-scm.com/docs/gitformat-bundle, gitformat-pack) that holds one commit with
 * all it needs, so that a machine without git can unpack one.
 */
import { inflateSync } from "node:zlib";

const COMMIT = 1;
const TREE = 2;
const BLOB = 3;
const KINDS = ["", "commit", "tree", "blob", "tag"];
const OFFSET_DELTA = 6;
const REFERENCE_DELTA = 7;

interface GitObject {
  kind: number;
  content: Buffer;
}

export interface BundledFile {
  path: string;
  content: Buffer;
  isExecutable: boolean;
  /** The content is the path it leads to. */
  isLink: boolean;
}

/** @throws Error where it is no such bundle or one of its objects is damaged */
export function* filesOfBundle(bundle: Buffer): Generator<BundledFile> {
  const headerEnd = bundle.indexOf("\n\n");
  const [signature, ...lines] = bundle.toString("latin1", 0, Math.max(headerEnd, 0)).split("\n");
  if (signature !== "# v2 git bundle" || lines.length !== 1 || lines[0]!.startsWith("-"))
    throw new Error("this is no git bundle of one commit");
  const objects = readPack(bundle.subarray(headerEnd + 2));
  const wanted = (id: string, kind: number): Buffer => {
    const found = objects.get(id);
    if (found?.kind !== kind) throw new Error(`the bundle holds no ${KINDS[kind]} ${id}`);
    return found.content;
  };
  const commit = wanted(lines[0]!.slice(0, 40), COMMIT).toString();
  yield* filesOfTree(/^tree ([0-9a-f]{40})$/m.exec(commit)![1]!, "", wanted);
}

function* filesOfTree(
  id: string,
  prefix: string,
  wanted: (id: string, kind: number) => Buffer,
): Generator<BundledFile> {
  const tree = wanted(id, TREE);
  for (let at = 0; at < tree.length; ) {
    const space = tree.indexOf(0x20, at);
    const zero = tree.indexOf(0, space);
    const mode = tree.toString("latin1", at, space);
    const path = prefix + tree.toString("utf8", space + 1, zero);
    const child = tree.toString("hex", zero + 1, zero + 21);
    at = zero + 21;
    if (mode === "40000") yield* filesOfTree(child, `${path}/`, wanted);
    else if (mode !== "160000")
      // (a submodule: its content lies elsewhere)
      yield {
        path,
        content: wanted(child, BLOB),
        isExecutable: mode === "100755",
        isLink: mode === "120000",
      };
  }
}

/** All objects of a pack by their id. */
function readPack(pack: Buffer): Map<string, GitObject> {
  if (pack.toString("latin1", 0, 4) !== "PACK" || pack.readUInt32BE(4) !== 2)
    throw new Error("the bundle holds no pack of version 2");
  const byId = new Map<string, GitObject>();
  const byOffset = new Map<number, GitObject>();
  const bytes = new Bytes(pack, 12);
  for (let left = pack.readUInt32BE(8); left > 0; left--) {
    const start = bytes.at;
    const first = bytes.next();
    const type = (first >> 4) & 7;
    const size = (first & 15) + (first & 0x80 ? bytes.number() * 16 : 0);
    let base: GitObject | undefined;
    if (type === OFFSET_DELTA) base = byOffset.get(start - bytes.distance());
    else if (type === REFERENCE_DELTA) base = byId.get(bytes.take(20).toString("hex"));
    const data = bytes.inflate(size);
    if (base === undefined && KINDS[type] === undefined)
      throw new Error(`the base of the object at ${start} is missing`);
    const object =
      base === undefined ? { kind: type, content: data } : { kind: base.kind, content: patched(base, data) };
    byOffset.set(start, object);
    byId.set(idOf(object), object);
  }
  return byId;
}

/** Copies out of a base and insertions, as a delta lists them. */
function patched({ content: base }: GitObject, delta: Buffer): Buffer {
  const bytes = new Bytes(delta, 0);
  if (bytes.number() !== base.length) throw new Error("a delta does not fit its base");
  const result = Buffer.alloc(bytes.number());
  let end = 0;
  while (bytes.at < delta.length) {
    const command = bytes.next();
    if (command & 0x80) {
      const from = bytes.chosen(command, 4);
      const count = bytes.chosen(command >> 4, 3) || 0x10000;
      end += base.copy(result, end, from, from + count);
    } else end += bytes.take(command).copy(result, end);
  }
  return result;
}

function idOf({ kind, content }: GitObject): string {
  return new Bun.CryptoHasher("sha1")
    .update(`${KINDS[kind]} ${content.length}\0`)
    .update(content)
    .digest("hex");
}

/** Reads the pack format's numbers in order. */
class Bytes {
  constructor(
    private readonly from: Buffer,
    public at: number,
  ) {}

  next(): number {
    return this.from.readUInt8(this.at++);
  }

  take(count: number): Buffer {
    this.at += count;
    return this.from.subarray(this.at - count, this.at);
  }

  /** Seven bits a byte, the lowest first, the eighth says that more follow. */
  number(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.next();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
  }

  /** The same with the highest first, and one added for each byte that follows. */
  distance(): number {
    let byte = this.next();
    let value = byte & 0x7f;
    while (byte >= 0x80) {
      byte = this.next();
      value = (value + 1) * 128 + (byte & 0x7f);
    }
    return value;
  }

  /** The bytes of a number, the lowest first, that the bits of `mask` say are there. */
  chosen(mask: number, count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) if (mask & (1 << i)) value += this.next() * 256 ** i;
    return value;
  }

  inflate(size: number): Buffer {
    const { buffer, engine } = inflateSync(this.from.subarray(this.at), { info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    if (buffer.length !== size) throw new Error(`the object at ${this.at} is damaged`);
    this.at += engine.bytesWritten;
    return buffer;
  }
}
