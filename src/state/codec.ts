/**
 * Values of state as bytes. The first byte says how: bit 0 compressed (Zstandard), bit 1 encrypted (AES-256-GCM, then
 * 4 bytes of the key's id, 12 of the nonce, the text, 16 of the tag; the storage key is authenticated with it). What is
 * inside is JSON with the forms of `core/wire-values.ts`.
 */
import { SpellError } from "../core/errors.ts";
import { Handle, isPlainObject, isScriptFunction, ScriptTable } from "../core/values.ts";
import { fromWire, toWire } from "../core/wire-values.ts";
import type { StateCipher } from "./cipher.ts";

const COMPRESSED = 1;
const ENCRYPTED = 2;
/** Smaller ones are stored as they are. */
const COMPRESSION_THRESHOLD_BYTES = 1024;
/** As deep as the bridge carries them. */
const MAX_DEPTH = 128;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface StateCodecOptions {
  /** The longest JSON text, in bytes. */
  maxBytes: () => number;
  cipher: StateCipher;
}

export class StateCodec {
  constructor(private readonly options: StateCodecOptions) {}

  /** @throws SpellError invalid_argument (functions, objects, cycles), limit (depth, size) */
  encode(storageKey: string, value: unknown): Uint8Array {
    const tagged = new Scan().needsForms(value, 0);
    const json = encoder.encode(JSON.stringify(tagged ? toWire(value) : (value ?? null)));
    this.checkSize(json.length);
    let flags = 0;
    let content: Uint8Array = json;
    if (json.length >= COMPRESSION_THRESHOLD_BYTES) {
      const smaller = Bun.zstdCompressSync(json);
      if (smaller.length < json.length) {
        flags |= COMPRESSED;
        content = smaller;
      }
    }
    const sealed = this.options.cipher.encrypt(storageKey, content);
    if (sealed !== undefined) flags |= ENCRYPTED;
    return joined(flags, sealed ?? content);
  }

  /** @throws SpellError config (encrypted, and the key is another or missing), io (damaged) */
  decode({ key, value }: { key: string; value: Uint8Array }): unknown {
    const flags = value[0] ?? -1;
    if (flags < 0 || flags > (COMPRESSED | ENCRYPTED)) throw damaged(key);
    let content = value.subarray(1);
    if (flags & ENCRYPTED) content = this.options.cipher.decrypt(key, content);
    try {
      if (flags & COMPRESSED) content = Bun.zstdDecompressSync(content);
      const text = decoder.decode(content);
      const parsed: unknown = JSON.parse(text);
      return text.includes('"$') ? fromWire(parsed) : parsed;
    } catch (cause) {
      throw damaged(key, cause);
    }
  }

  private checkSize(bytes: number): void {
    const most = this.options.maxBytes();
    if (bytes <= most) return;
    throw new SpellError("limit", `Cannot save state: the value must be at most ${most} bytes: ${bytes}`, {
      data: { limit: "state_size" },
      hint: "Save it in parts, or raise runtime.state_persistence.max_state_size_bytes",
    });
  }
}

function joined(flags: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(content.length + 1);
  bytes[0] = flags;
  bytes.set(content, 1);
  return bytes;
}

function damaged(key: string, cause?: unknown): SpellError {
  return new SpellError("io", `Cannot read state: the stored value is damaged: "${key}"`, {
    data: { key },
    hint: "`llmspell state check` tells what else is damaged",
    cause,
  });
}

/** Looks through a value once: what cannot be stored, and whether plain JSON can say the rest. */
class Scan {
  private readonly path: string[] = [];
  private readonly around: object[] = [];

  needsForms(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case "bigint":
        return true;
      case "number":
        return !Number.isFinite(value) || Object.is(value, -0);
      case "function":
      case "symbol":
        throw this.refusal(`must not be a ${typeof value}`);
      case "object":
        return value !== null && this.inside(value, depth);
      default:
        return false;
    }
  }

  private inside(value: object, depth: number): boolean {
    if (value instanceof Uint8Array) return true;
    if (this.around.includes(value))
      throw new SpellError(
        "invalid_argument",
        `Circular reference detected at path: ${this.path.join("").replace(/^\./, "")}`,
        { hint: "Save a table without cycles" },
      );
    if (depth >= MAX_DEPTH)
      throw new SpellError("limit", `Cannot save state: it must nest at most ${MAX_DEPTH} tables deep`, {
        data: { limit: "depth" },
      });
    this.around.push(value);
    const needs = Array.isArray(value) ? this.items(value, depth) : this.members(value, depth);
    this.around.pop();
    return needs;
  }

  private items(items: readonly unknown[], depth: number): boolean {
    let needs = false;
    for (let i = 0; i < items.length; i++) {
      this.path.push(`[${i + 1}]`);
      if (this.needsForms(items[i], depth + 1)) needs = true;
      this.path.pop();
    }
    return needs;
  }

  private members(value: object, depth: number): boolean {
    if (isScriptFunction(value)) throw this.refusal("must not be a function");
    if (value instanceof Handle || value instanceof ScriptTable || !isPlainObject(value))
      throw this.refusal("must be plain data, not an object");
    let needs = false;
    for (const key of Object.keys(value)) {
      this.path.push(`.${key}`);
      if (key.startsWith("$")) needs = true;
      if (this.needsForms(value[key], depth + 1)) needs = true;
      this.path.pop();
    }
    return needs;
  }

  private refusal(rule: string): SpellError {
    const place = this.path.join("").replace(/^\./, "") || "value";
    return new SpellError("invalid_argument", `Cannot save state: "${place}" ${rule}`, {
      hint: "Save texts, numbers, booleans and tables of them",
    });
  }
}
