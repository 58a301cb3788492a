import { CString, type Pointer, ptr } from "bun:ffi";
import { SpellError } from "../../core/errors.ts";
import type { Chat } from "./chat.ts";
import type { Context } from "./context.ts";
import { type Address, NativeHandle } from "./handle.ts";
import { cString } from "./library.ts";
import type { Model } from "./model.ts";

export interface SamplerOptions {
  /** 0 and below: always the most likely token. */
  temperature: number;
  /** 0: all tokens. */
  topK: number;
  /** 1: off. */
  topP: number;
  /** 0: off. */
  minP: number;
  /** 1: off. */
  repeatPenalty: number;
  /** Tokens that the penalties look back on; 0 for none. */
  repeatLastN: number;
  presencePenalty: number;
  frequencyPenalty: number;
  /** 32 bits. */
  seed: number;
  /** Hold the answer to the chat call's grammar. Default true. */
  constrained?: boolean;
  /** GBNF for a call that has no chat. */
  grammar?: string;
}

/** Longest text of a token. */
export const PIECE_BYTES = 65536;

/** Chooses tokens. Owns the native chain, grammar state included; goes before its model. */
export class Sampler extends NativeHandle {
  private readonly pieceBuffer = new Uint8Array(new ArrayBuffer(PIECE_BYTES));
  private readonly out = new Int32Array(new ArrayBuffer(12));
  private readonly piecePointer = ptr(this.pieceBuffer);
  private readonly outPointer = ptr(this.out);

  /** @throws SpellError invalid_argument for options or grammars that llama.cpp refuses */
  static create(model: Model, chat: Chat | undefined, options: SamplerOptions): Sampler {
    const error = new BigUint64Array(new ArrayBuffer(8));
    const json = cString(JSON.stringify(options));
    const pointer = model.library.fn.spell_sampler_new(
      model.pointer,
      chat?.pointer ?? null,
      json,
      ptr(error),
    );
    if (pointer !== null) return new Sampler(model, pointer);
    const reason = model.library.takeText(error[0]!);
    throw new SpellError("invalid_argument", `Cannot sample with these options: ${reason}`, {
      data: { log: model.library.takeLog().trim() },
    });
  }

  private constructor(
    private readonly model: Model,
    pointer: Address,
  ) {
    super(pointer, "the sampler");
  }

  protected free(pointer: Address): void {
    this.model.library.fn.spell_sampler_free(pointer);
  }

  /** Tells the penalties about prompt tokens. */
  seen(tokens: Int32Array): void {
    if (tokens.length === 0) return;
    const copy = copyOf(tokens);
    this.model.library.fn.spell_sampler_seen(this.pointer, ptr(copy), copy.length);
  }

  /**
   * Where the answer repeats its prompt, itself or what was predicted of it, up to `most` tokens that probably follow are decoded
   * beside the next one, while it is the only request (`native/history.h`). What is chosen stays the same.
   */
  draftFrom(prediction: Int32Array, prompt: Int32Array, most: number): void {
    const { fn } = this.model.library;
    const copy = copyOf(prediction, prompt);
    fn.spell_sampler_draft_from(this.pointer, ptr(copy), copy.length, prediction.length, most);
  }

  /** Chooses from the logits of a batch entry of the last decode; then `token`, `isEnd` and `piece` tell the choice. */
  next(context: Context, index: number): void {
    const { fn } = this.model.library;
    const status = fn.spell_sampler_next(
      this.pointer,
      context.pointer,
      index,
      this.piecePointer,
      PIECE_BYTES,
      this.outPointer,
    );
    if (status !== 0) throw this.failure();
  }

  /** Why the last choice failed. */
  failure(): SpellError {
    const reason = new CString(this.model.library.fn.spell_sampler_error(this.pointer) as Pointer).toString();
    return new SpellError("provider", `Cannot choose a token: ${reason}`);
  }

  get token(): number {
    return this.out[0]!;
  }

  /** The token ends the answer. */
  get isEnd(): boolean {
    return this.out[1] !== 0;
  }

  /** UTF-8 bytes of the token's text, perhaps a part of a character. Valid until the next call. */
  get piece(): Uint8Array {
    return this.pieceBuffer.subarray(0, this.out[2]);
  }
}

/** In memory that native code may be given. */
function copyOf(...parts: Int32Array[]): Int32Array {
  const copy = new Int32Array(new ArrayBuffer(4 * parts.reduce((sum, { length }) => sum + length, 0)));
  let at = 0;
  for (const part of parts) {
    copy.set(part, at);
    at += part.length;
  }
  return copy;
}
