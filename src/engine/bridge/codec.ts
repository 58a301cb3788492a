/** Script values as bytes: what crosses between the script thread and the kernel. */
import { SpellError } from "../../core/errors.ts";
import { FRAME_PREFIX_BYTES } from "./pipe.ts";

const NIL = 0;
const TRUE = 1;
const FALSE = 2;
const INT32 = 3;
const FLOAT = 4;
const BIGINT = 5;
const TEXT = 6;
const BYTES = 7;
const ARRAY = 8;
const OBJECT = 9;
const SPECIAL = 10;

/** Tables deeper than this do not cross. */
export const MAX_DEPTH = 128;
/** The longest message between the threads. */
const MAX_FRAME_BYTES = 0x7fff_fff0;

/** What stands after the tag of what is not plain data. */
export const Special = { function: 1, handle: 2, table: 3 } as const;

/** How one thread writes and reads what is not plain data: functions, handles, script tables. */
export interface SpecialCodec {
  /** Writes the object and returns true, or returns false when it is plain data. */
  write(value: object, writer: Writer): boolean;
  read(reader: Reader): unknown;
}

const utf8 = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export class Writer {
  private bytes = new Uint8Array(512);
  private view = new DataView(this.bytes.buffer);
  private at = FRAME_PREFIX_BYTES;
  private depth = 0;

  constructor(private readonly special: SpecialCodec) {}

  /** Drops what was written and starts a frame. */
  start(kind: number): this {
    this.at = FRAME_PREFIX_BYTES;
    this.depth = 0;
    return this.byte(kind);
  }

  /** The finished frame with its length prefix; valid until the next `start`. */
  frame(): Uint8Array {
    this.view.setUint32(0, this.at - FRAME_PREFIX_BYTES, true);
    return this.bytes.subarray(0, this.at);
  }

  private room(count: number): void {
    const needed = this.at + count;
    if (needed <= this.bytes.length) return;
    if (needed > MAX_FRAME_BYTES) {
      throw new SpellError("limit", `Cannot pass the value: it must be below ${MAX_FRAME_BYTES} bytes`, {
        data: { limit: "message" },
        hint: "Pass it in parts",
      });
    }
    const larger = new Uint8Array(Math.min(MAX_FRAME_BYTES, Math.max(needed, this.bytes.length * 2)));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }

  byte(value: number): this {
    this.room(1);
    this.bytes[this.at++] = value;
    return this;
  }

  uint32(value: number): this {
    this.room(4);
    this.view.setUint32(this.at, value, true);
    this.at += 4;
    return this;
  }

  text(text: string): this {
    this.room(4 + text.length * 3);
    const from = this.at + 4;
    let end = from;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127 || i === 64) {
        end = from + i + utf8.encodeInto(text.slice(i), this.bytes.subarray(from + i)).written;
        break;
      }
      this.bytes[end++] = code;
    }
    this.view.setUint32(this.at, end - from, true);
    this.at = end;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.room(4 + bytes.length);
    this.view.setUint32(this.at, bytes.length, true);
    this.bytes.set(bytes, this.at + 4);
    this.at += 4 + bytes.length;
    return this;
  }

  /** @throws SpellError invalid_argument for what no script value can be, limit for too deep nesting */
  value(value: unknown): this {
    switch (typeof value) {
      case "undefined":
        return this.byte(NIL);
      case "boolean":
        return this.byte(value ? TRUE : FALSE);
      case "number":
        return this.number(value);
      case "bigint":
        return this.bigint(value);
      case "string":
        return this.byte(TEXT).text(value);
      case "object":
        return value === null ? this.byte(NIL) : this.object(value);
      default:
        throw new SpellError("invalid_argument", `Cannot pass a ${typeof value} to or from a script`);
    }
  }

  private number(value: number): this {
    if ((value | 0) === value) {
      this.room(5);
      this.bytes[this.at] = INT32;
      this.view.setInt32(this.at + 1, value, true);
      this.at += 5;
      return this;
    }
    if (!Number.isFinite(value)) return this.byte(NIL);
    this.room(9);
    this.bytes[this.at] = FLOAT;
    this.view.setFloat64(this.at + 1, value, true);
    this.at += 9;
    return this;
  }

  private bigint(value: bigint): this {
    if (BigInt.asIntN(64, value) !== value) return this.number(Number(value));
    this.room(9);
    this.bytes[this.at] = BIGINT;
    this.view.setBigInt64(this.at + 1, value, true);
    this.at += 9;
    return this;
  }

  private object(value: object): this {
    if (value instanceof Uint8Array) return this.byte(BYTES).raw(value);
    if (++this.depth > MAX_DEPTH) {
      throw new SpellError("limit", `Cannot pass the value: it must nest at most ${MAX_DEPTH} tables deep`, {
        data: { limit: "depth" },
        hint: "A value that contains itself cannot be passed either",
      });
    }
    const special = this.at;
    this.byte(SPECIAL);
    if (!this.special.write(value, this)) {
      this.at = special;
      if (Array.isArray(value)) {
        this.byte(ARRAY).uint32(value.length);
        for (let i = 0; i < value.length; i++) this.value(value[i]);
      } else this.fields(value as Record<string, unknown>);
    }
    this.depth--;
    return this;
  }

  private fields(value: Record<string, unknown>): void {
    const keys = Object.keys(value);
    this.byte(OBJECT).uint32(keys.length);
    for (const key of keys) this.text(key).value(value[key]);
  }
}

export class Reader {
  private ownView: DataView | undefined = undefined;
  private at = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly special: SpecialCodec,
  ) {}

  /** Made for numbers that are no small integers only: most messages hold none. */
  private get view(): DataView {
    const { bytes } = this;
    this.ownView ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return this.ownView;
  }

  private int32(): number {
    const { bytes, at } = this;
    this.at = at + 4;
    return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  }

  byte(): number {
    return this.bytes[this.at++]!;
  }

  uint32(): number {
    return this.int32() >>> 0;
  }

  text(): string {
    const length = this.uint32();
    const from = this.at;
    this.at += length;
    return length <= MAX_SHORT
      ? shortText(this.bytes, from, this.at)
      : utf8Decoder.decode(this.bytes.subarray(from, this.at));
  }

  raw(): Uint8Array {
    const length = this.uint32();
    this.at += length;
    return this.bytes.slice(this.at - length, this.at);
  }

  value(): unknown {
    const tag = this.byte();
    switch (tag) {
      case NIL:
        return null;
      case TRUE:
        return true;
      case FALSE:
        return false;
      case INT32:
        return this.int32();
      case FLOAT:
        this.at += 8;
        return this.view.getFloat64(this.at - 8, true);
      case BIGINT:
        this.at += 8;
        return this.view.getBigInt64(this.at - 8, true);
      case TEXT:
        return this.text();
      case BYTES:
        return this.raw();
      case ARRAY:
        return this.array();
      case OBJECT:
        return this.object();
      case SPECIAL:
        return this.special.read(this);
      default:
        throw new SpellError("internal", `Cannot read a message of the script thread: unknown tag: ${tag}`);
    }
  }

  private array(): unknown[] {
    const length = this.uint32();
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.push(this.value());
    return items;
  }

  private object(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (let left = this.uint32(); left > 0; left--) setField(object, this.text(), this.value());
    return object;
  }
}

const MAX_SHORT = 24;
/** Short texts come again and again: names of fields, types, words. */
const recent = new Array<string>(512).fill("");

function shortText(bytes: Uint8Array, from: number, to: number): string {
  let hash = to - from;
  for (let i = from; i < to; i++) {
    const code = bytes[i]!;
    if (code > 127) return utf8Decoder.decode(bytes.subarray(from, to));
    hash = (Math.imul(hash, 31) + code) | 0;
  }
  const slot = hash & (recent.length - 1);
  const known = recent[slot]!;
  if (isText(known, bytes, from, to)) return known;
  const text = utf8Decoder.decode(bytes.subarray(from, to));
  recent[slot] = text;
  return text;
}

function isText(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}

/** Assigns without ever touching the prototype. */
export function setField(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}
