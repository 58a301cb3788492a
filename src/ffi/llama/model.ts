import { CString, ptr } from "bun:ffi";
import { SpellError } from "../../core/errors.ts";
import type { Device } from "./devices.ts";
import { type Address, NativeHandle } from "./handle.ts";
import { cString, type LlamaLibrary, reasonIn } from "./library.ts";

export interface ModelLoadOptions {
  /** What layers are put on; none: everything stays with the processor. */
  devices?: readonly Device[];
  /** Layers put there; negative: as many as fit beside a context of `contextTokens`. */
  gpuLayers: number;
  contextTokens?: number;
  /** For the tokenizer alone: weights are neither needed nor read. */
  vocabularyOnly?: boolean;
  /** Shared words: [0] stops the load when nonzero, [1] receives progress in thousandths. */
  words?: Int32Array;
}

/** Of the tokenizer shim. */
const THREW = -0x7fffffff;
const META_BYTES = 4096;

/** Weights and vocabulary. Owns the `llama_model`; contexts, templates and samplers made from it must be disposed of first. */
export class Model extends NativeHandle {
  readonly vocabulary: Address;
  readonly vocabularySize: number;
  readonly trainedContextTokens: number;
  readonly hasEncoder: boolean;
  readonly hasDecoder: boolean;
  /** False where the memory holds states that cannot forget the last tokens (Mamba, RWKV and mixed models). */
  readonly forgetsParts: boolean;
  /** Tokens that layers with a sliding window see; 0 without such layers. */
  readonly slidingWindowTokens: number;

  /** @throws SpellError model_invalid with llama.cpp's own reason; interrupted */
  static load(library: LlamaLibrary, path: string, options: ModelLoadOptions): Model {
    library.takeLog();
    const words = options.words;
    const devices = BigUint64Array.from([...(options.devices ?? []).map(({ pointer: p }) => BigInt(p)), 0n]);
    const pointer = library.fn.spell_model_load(
      cString(path),
      options.gpuLayers,
      ptr(devices),
      options.contextTokens ?? 0,
      options.vocabularyOnly ?? false,
      false,
      words === undefined ? null : ptr(words),
    );
    const log = library.takeLog();
    if (pointer !== null) return new Model(library, path, pointer);
    if (words !== undefined && Atomics.load(words, 0) !== 0)
      throw new SpellError("interrupted", `Loading the model was cancelled: ${path}`);
    const reason = reasonIn(log) ?? "llama.cpp gives no reason";
    throw new SpellError("model_invalid", `Cannot load the model: ${reason}: ${path}`, {
      data: { path, log: log.trim() },
      hint: "Fetch or convert the model again",
    });
  }

  private constructor(
    readonly library: LlamaLibrary,
    readonly path: string,
    pointer: Address,
  ) {
    super(pointer, "the model");
    const { fn } = library;
    this.vocabulary = fn.llama_model_get_vocab(pointer)!;
    this.vocabularySize = fn.llama_vocab_n_tokens(this.vocabulary);
    this.trainedContextTokens = fn.llama_model_n_ctx_train(pointer);
    this.hasEncoder = fn.llama_model_has_encoder(pointer);
    this.hasDecoder = fn.llama_model_has_decoder(pointer);
    this.slidingWindowTokens = fn.llama_model_n_swa(pointer);
    this.forgetsParts = !fn.llama_model_is_recurrent(pointer) && !fn.llama_model_is_hybrid(pointer);
  }

  protected free(pointer: Address): void {
    this.library.fn.spell_grammar_forget(pointer);
    this.library.fn.llama_model_free(pointer);
  }

  /**
   * @param special puts the vocabulary's begin and end tokens around the text where the model wants them
   * @param parse reads the text of control tokens as these tokens
   */
  tokenize(text: string, special: boolean, parse: boolean): Int32Array {
    this.pointer;
    const bytes = cString(text);
    const length = bytes.length - 1;
    let tokens = new Int32Array(new ArrayBuffer(4 * (length + 8)));
    const call = () =>
      this.library.fn.spell_tokenize(
        this.vocabulary,
        ptr(bytes),
        length,
        ptr(tokens),
        tokens.length,
        special,
        parse,
      );
    let count = call();
    if (count === THREW) throw this.lacksToken("tokenize");
    if (count < 0 && count !== -0x80000000) {
      tokens = new Int32Array(new ArrayBuffer(4 * -count));
      count = call();
    }
    if (count < 0) throw new SpellError("limit", `Cannot tokenize the text: it is too long: ${length} bytes`);
    return tokens.slice(0, count);
  }

  /** Text of tokens, control tokens included when `special`. */
  detokenize(tokens: Int32Array, special: boolean): string {
    this.pointer;
    if (tokens.length === 0) return "";
    for (const token of tokens)
      if (token < 0 || token >= this.vocabularySize)
        throw new SpellError(
          "invalid_argument",
          `Cannot detokenize: the vocabulary has no such token: ${token}`,
        );
    const input = new Int32Array(new ArrayBuffer(4 * tokens.length));
    input.set(tokens);
    let bytes = new Uint8Array(new ArrayBuffer(16 * tokens.length + 64));
    const call = () =>
      this.library.fn.spell_detokenize(
        this.vocabulary,
        ptr(input),
        input.length,
        ptr(bytes),
        bytes.length,
        false,
        special,
      );
    let length = call();
    if (length === THREW) throw this.lacksToken("detokenize");
    if (length < 0) {
      bytes = new Uint8Array(new ArrayBuffer(-length));
      length = call();
    }
    return new TextDecoder().decode(bytes.subarray(0, length));
  }

  /** The tokens that mark a text's parts, and whether the vocabulary wants them there. Undefined where it has none. */
  marks(): Record<"begin" | "end" | "separator", { token: number | undefined; wanted: boolean }> {
    const { fn } = this.library;
    const mark = (token: number, wanted: boolean) => ({ token: token < 0 ? undefined : token, wanted });
    const v = this.vocabulary;
    this.pointer;
    return {
      begin: mark(fn.llama_vocab_bos(v), fn.llama_vocab_get_add_bos(v)),
      end: mark(fn.llama_vocab_eos(v), fn.llama_vocab_get_add_eos(v)),
      separator: mark(fn.llama_vocab_sep(v), fn.llama_vocab_get_add_sep(v)),
    };
  }

  /** The file's named template; undefined where it has none of that name. */
  template(name: string): string | undefined {
    const text = this.library.fn.llama_model_chat_template(this.pointer, cString(name));
    return text === null ? undefined : new CString(text).toString();
  }

  private lacksToken(action: string): SpellError {
    return new SpellError(
      "model_invalid",
      `Cannot ${action} the text: the model's vocabulary has no token for a byte of it: ${this.path}`,
      { data: { path: this.path }, hint: "Fetch or convert the model again" },
    );
  }

  /** A scalar of the file's metadata as text. */
  metadata(key: string): string | undefined {
    const buffer = new Uint8Array(new ArrayBuffer(META_BYTES));
    const length = this.library.fn.llama_model_meta_val_str(
      this.pointer,
      cString(key),
      ptr(buffer),
      META_BYTES,
    );
    return length < 0
      ? undefined
      : new TextDecoder().decode(buffer.subarray(0, Math.min(length, META_BYTES - 1)));
  }

  /** llama.cpp's short name of architecture, size and quantization. */
  describe(): string {
    const buffer = new Uint8Array(new ArrayBuffer(256));
    const length = this.library.fn.llama_model_desc(this.pointer, ptr(buffer), 256);
    return new TextDecoder().decode(buffer.subarray(0, Math.min(length, 255)));
  }
}
