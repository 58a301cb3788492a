/** MessagePack, as far as backups need it: nil, booleans, safe integers, text, bytes, arrays, maps with text keys. */
import { SpellError } from "../../core/errors.ts";

export type Packed = null | boolean | number | string | Uint8Array | Packed[] | { [key: string]: Packed };

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Collects packed values in one growing buffer. */
export class Packer {
  private bytes: Buffer = Buffer.allocUnsafe(64 * 1024);
  private length = 0;

  get size(): number {
    return this.length;
  }

  /** What was packed since the last call. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.bytes.subarray(0, this.length));
    this.length = 0;
    return taken;
  }

  pack(value: Packed): void {
    if (value === null) this.byte(0xc0);
    else if (typeof value === "boolean") this.byte(value ? 0xc3 : 0xc2);
    else if (typeof value === "number") this.integer(value);
    else if (typeof value === "string") this.text(value);
    else if (value instanceof Uint8Array) this.binary(value);
    else if (Array.isArray(value)) {
      this.head(value.length, 0x90, 16, 0xdc);
      for (const item of value) this.pack(item);
    } else {
      const keys = Object.keys(value);
      this.head(keys.length, 0x80, 16, 0xde);
      for (const key of keys) {
        this.text(key);
        this.pack(value[key]!);
      }
    }
  }

  private integer(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError("backups pack safe integers only");
    if (value >= 0 && value < 0x80) this.byte(value);
    else if (value >= 0 && value <= 0xffff_ffff) {
      this.byte(0xce);
      this.word(value);
    } else {
      this.byte(0xd3);
      this.room(8);
      this.length = this.bytes.writeBigInt64BE(BigInt(value), this.length);
    }
  }

  private text(value: string): void {
    const bytes = encoder.encode(value);
    if (bytes.length < 32) this.byte(0xa0 | bytes.length);
    else {
      this.byte(0xdb);
      this.word(bytes.length);
    }
    this.raw(bytes);
  }

  private binary(value: Uint8Array): void {
    this.byte(0xc6);
    this.word(value.length);
    this.raw(value);
  }

  /** Of an array or a map: the short form below `most`, else 32 bits of length. */
  private head(count: number, short: number, most: number, wide: number): void {
    if (count < most) this.byte(short | count);
    else {
      this.byte(wide + 1);
      this.word(count);
    }
  }

  private byte(value: number): void {
    this.room(1);
    this.bytes[this.length++] = value;
  }

  private word(value: number): void {
    this.room(4);
    this.length = this.bytes.writeUInt32BE(value, this.length);
  }

  private raw(value: Uint8Array): void {
    this.room(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  private room(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

const MAX_DEPTH = 8;

/** Reads packed values one after the other. Bytes are copied. */
export class Unpacker {
  private at = 0;
  private readonly view: Buffer;

  constructor(bytes: Uint8Array) {
    this.view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isDone(): boolean {
    return this.at === this.view.length;
  }

  /** @throws SpellError io for what is no such value */
  next(depth = 0): Packed {
    if (depth > MAX_DEPTH) throw notPacked();
    const type = this.take(1)[0]!;
    if (type < 0x80) return type;
    if (type < 0x90) return this.map(type & 0x0f, depth);
    if (type < 0xa0) return this.array(type & 0x0f, depth);
    if (type < 0xc0) return this.text(type & 0x1f);
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc6:
        return new Uint8Array(this.take(this.word()));
      case 0xce:
        return this.word();
      case 0xd3: {
        const value = Number(this.take(8).readBigInt64BE());
        if (!Number.isSafeInteger(value)) throw notPacked();
        return value;
      }
      case 0xdb:
        return this.text(this.word());
      case 0xdd:
        return this.array(this.word(), depth);
      case 0xdf:
        return this.map(this.word(), depth);
      default:
        throw notPacked();
    }
  }

  private array(count: number, depth: number): Packed[] {
    const items: Packed[] = [];
    for (let i = 0; i < count; i++) items.push(this.next(depth + 1));
    return items;
  }

  private map(count: number, depth: number): { [key: string]: Packed } {
    const map: { [key: string]: Packed } = Object.create(null);
    for (let i = 0; i < count; i++) {
      const key = this.next(depth + 1);
      if (typeof key !== "string") throw notPacked();
      map[key] = this.next(depth + 1);
    }
    return map;
  }

  private text(length: number): string {
    try {
      return decoder.decode(this.take(length));
    } catch {
      throw notPacked();
    }
  }

  private word(): number {
    return this.take(4).readUInt32BE();
  }

  private take(length: number): Buffer {
    if (length > this.view.length - this.at) throw notPacked();
    this.at += length;
    return this.view.subarray(this.at - length, this.at);
  }
}

const notPacked = (): SpellError => new SpellError("io", "Cannot read the backup: its content is damaged");
