/**
 * A `.backup` file: 8 bytes of magic, one of flags, then frames of about 1 MiB: their length (4 bytes, little endian)
 * and content, until a frame of length 0. A frame holds whole MessagePack values; it is compressed by itself, then
 * encrypted bound to the backup and its place in it. So neither writer nor reader needs room for more than a frame.
 */
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { SpellError } from "../../core/errors.ts";
import { ioError } from "../../core/io-error.ts";
import { writeAll } from "../../security/replace-file.ts";
import type { StateCipher } from "../cipher.ts";
import { type Packed, Packer, Unpacker } from "./msgpack.ts";

const MAGIC = Buffer.from("LLSPBKP1");
const COMPRESSED = 1;
const ENCRYPTED = 2;
const FRAME_BYTES = 1024 * 1024;
const LENGTH_BYTES = 4;
/** More than any frame can have: one value of the largest size beside a full frame. */
const LARGEST_FRAME = 1024 * 1024 * 1024;

export interface SnapshotEntry {
  key: string;
  /** As the state's codec wrote it. */
  data: Uint8Array;
  version: number;
  /** Milliseconds since the epoch. */
  lastModified: number;
  schemaVersion: string;
}

/** In the order of the file. `removed`: a key that the parents have and this backup has no more. */
export type SnapshotItem = { type: "entry"; entry: SnapshotEntry } | { type: "removed"; key: string };

export interface SnapshotFormat {
  id: string;
  /** 1 to 9; undefined: not compressed. */
  compressionLevel: number | undefined;
  /** Undefined: not encrypted. */
  cipher: StateCipher | undefined;
}

export interface Written {
  sha256: string;
  /** Bytes of the file, and of its content before compression. */
  sizeBytes: number;
  originalBytes: number;
}

const placeOf = (id: string, frame: number): string => `backup:${id}:${frame}`;

export class SnapshotWriter {
  private readonly packer = new Packer();
  private readonly hasher = new Bun.CryptoHasher("sha256");
  private frames = 0;
  private sizeBytes = 0;
  private originalBytes = 0;

  private constructor(
    private readonly file: FileHandle,
    private readonly format: SnapshotFormat,
  ) {}

  static async begin(file: FileHandle, format: SnapshotFormat, timestampMs: number): Promise<SnapshotWriter> {
    const writer = new SnapshotWriter(file, format);
    const flags =
      (format.compressionLevel === undefined ? 0 : COMPRESSED) |
      (format.cipher === undefined ? 0 : ENCRYPTED);
    await writer.put(Buffer.concat([MAGIC, Buffer.from([flags])]));
    writer.packer.pack({ id: format.id, timestamp: timestampMs });
    return writer;
  }

  async entry({ key, data, version, lastModified, schemaVersion }: SnapshotEntry): Promise<void> {
    this.packer.pack({ key, data, version, last_modified: lastModified, schema_version: schemaVersion });
    if (this.packer.size >= FRAME_BYTES) await this.frame();
  }

  async removed(key: string): Promise<void> {
    this.packer.pack({ removed: key });
    if (this.packer.size >= FRAME_BYTES) await this.frame();
  }

  async end(): Promise<Written> {
    if (this.packer.size > 0) await this.frame();
    await this.put(Buffer.alloc(LENGTH_BYTES));
    return {
      sha256: this.hasher.digest("hex"),
      sizeBytes: this.sizeBytes,
      originalBytes: this.originalBytes,
    };
  }

  private async frame(): Promise<void> {
    const { id, compressionLevel: level, cipher } = this.format;
    let content = this.packer.take();
    this.originalBytes += content.length;
    if (level !== undefined) content = await Bun.zstdCompress(content, { level });
    if (cipher !== undefined) content = cipher.encrypt(placeOf(id, this.frames), content) ?? content;
    this.frames++;
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(content.length);
    await this.put(length);
    await this.put(content);
  }

  private async put(bytes: Uint8Array): Promise<void> {
    this.hasher.update(bytes);
    this.sizeBytes += bytes.length;
    await writeAll(this.file, bytes);
  }
}

/**
 * What a backup holds, in its order.
 * @throws SpellError io (damaged, not readable), config (encrypted with another key, or none is set)
 */
export async function* readSnapshot(
  path: string,
  id: string,
  cipher: StateCipher,
): AsyncGenerator<SnapshotItem[]> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw ioError("Cannot read the backup", path, error);
  });
  try {
    const head = await exactly(file, MAGIC.length + 1, path);
    const flags = head[MAGIC.length]!;
    if (!head.subarray(0, MAGIC.length).equals(MAGIC) || flags > (COMPRESSED | ENCRYPTED))
      throw damaged(path);
    for (let frame = 0; ; frame++) {
      const length = (await exactly(file, LENGTH_BYTES, path)).readUInt32LE();
      if (length === 0) return;
      if (length > LARGEST_FRAME) throw damaged(path);
      let content: Uint8Array = await exactly(file, length, path);
      if (flags & ENCRYPTED) content = decrypted(content, placeOf(id, frame), cipher, path);
      if (flags & COMPRESSED) content = await decompressed(content, path);
      yield itemsOf(content, { path, id, isFirst: frame === 0 });
    }
  } finally {
    await file.close();
  }
}

function decrypted(content: Uint8Array, place: string, cipher: StateCipher, path: string): Uint8Array {
  try {
    return cipher.decrypt(place, content);
  } catch (cause) {
    if (!(cause instanceof SpellError) || cause.code !== "config") throw damaged(path);
    throw new SpellError(
      "config",
      `Cannot read the backup: the key it is encrypted with is not set: ${path}`,
      {
        data: { path },
        hint: "Set LLMSPELL_STATE_KEY, or runtime.state_persistence.encryption.key_file, to the key with which it was made",
        cause,
      },
    );
  }
}

async function decompressed(content: Uint8Array, path: string): Promise<Uint8Array> {
  try {
    return await Bun.zstdDecompress(content);
  } catch {
    throw damaged(path);
  }
}

interface FrameOf {
  path: string;
  id: string;
  isFirst: boolean;
}

function itemsOf(content: Uint8Array, { path, id, isFirst }: FrameOf): SnapshotItem[] {
  const unpacker = new Unpacker(content);
  if (isFirst) {
    const header = unpacker.next();
    if (!isMap(header) || header.id !== id) throw damaged(path);
  }
  const items: SnapshotItem[] = [];
  while (!unpacker.isDone) {
    const item = itemOf(unpacker.next());
    if (item === undefined) throw damaged(path);
    items.push(item);
  }
  return items;
}

const isMap = (value: Packed): value is { [key: string]: Packed } =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

function itemOf(value: Packed): SnapshotItem | undefined {
  if (!isMap(value)) return undefined;
  if (typeof value.removed === "string") return { type: "removed", key: value.removed };
  const { key, data, version, last_modified: lastModified, schema_version: schemaVersion } = value;
  const isEntry =
    typeof key === "string" &&
    data instanceof Uint8Array &&
    typeof version === "number" &&
    typeof lastModified === "number" &&
    typeof schemaVersion === "string";
  return isEntry ? { type: "entry", entry: { key, data, version, lastModified, schemaVersion } } : undefined;
}

/** @throws SpellError io where the file ends before */
async function exactly(file: FileHandle, length: number, path: string): Promise<Buffer> {
  const { size } = await file.stat();
  if (length > size) throw damaged(path);
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, null);
    if (bytesRead === 0) throw damaged(path);
    done += bytesRead;
  }
  return bytes;
}

/** Of a file, in small pieces. @throws SpellError */
export async function checksumOf(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  try {
    for await (const piece of Bun.file(path).stream()) hasher.update(piece);
  } catch (error) {
    throw ioError("Cannot read the backup", path, error);
  }
  return hasher.digest("hex");
}

const damaged = (path: string): SpellError =>
  new SpellError("io", `Cannot read the backup: its content is damaged: ${path}`, {
    data: { path },
    hint: "Use another backup; `llmspell backup list` shows them",
  });
