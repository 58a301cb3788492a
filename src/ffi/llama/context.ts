import { type Pointer, ptr } from "bun:ffi";
import { SpellError } from "../../core/errors.ts";
import { type Address, NativeHandle } from "./handle.ts";
import { reasonIn } from "./library.ts";
import type { Model } from "./model.ts";

export interface ContextOptions {
  /** Room for all sequences together. */
  contextTokens: number;
  /** Tokens that one `decode` may take. */
  batchTokens: number;
  /** Tokens that are computed at once. */
  ubatchTokens: number;
  /** Sequences that live side by side in the context. */
  sequences: number;
  /** Each sequence has a part of the room to itself, all parts being equal. Default: one room for all. */
  separate?: boolean;
  threads: number;
  flashAttention: boolean | "auto";
}

export type DecodeOutcome = "done" | "full" | "aborted";

/** The state of running sequences. Owns the `llama_context`, its threads and batch arrays; goes before its model. */
export class Context extends NativeHandle {
  readonly contextTokens: number;
  readonly batchTokens: number;
  /** Parts of the room: one, or one for each sequence. */
  private readonly parts: number;
  // One entry a token, written by the caller before `decode`; native code reads them in place.
  readonly tokens: Int32Array;
  readonly positions: Int32Array;
  readonly sequences: Int32Array;
  readonly outputs: Int8Array;

  private readonly batch: Address;
  /** Null: the calling thread computes alone. */
  private readonly threads: Address | null;
  /** Null for a model that remembers nothing between batches. */
  protected readonly memory: Address | null;
  private readonly tokensPointer: Pointer;
  private readonly positionsPointer: Pointer;
  private readonly sequencesPointer: Pointer;
  private readonly outputsPointer: Pointer;
  /** Count and addresses; native code reads it and the words during `decode`. */
  private readonly abortList: BigUint64Array;
  protected abortWords: readonly Int32Array[] = [];

  /** @throws SpellError limit where memory does not suffice */
  static create(model: Model, options: ContextOptions): Context {
    const pointer = allocateContext(model, options.contextTokens, () =>
      model.library.fn.spell_context_new(
        model.pointer,
        options.contextTokens,
        options.batchTokens,
        Math.min(options.ubatchTokens, options.batchTokens),
        options.sequences,
        options.separate ?? false,
        options.threads,
        flashAttentionType(options.flashAttention),
      ),
    );
    return new Context(model, pointer, options);
  }

  protected constructor(
    protected readonly model: Model,
    pointer: Address,
    options: Omit<ContextOptions, "ubatchTokens">,
  ) {
    super(pointer, "the context");
    const { fn } = model.library;
    const n = options.batchTokens;
    // llama.cpp rounds up; what was asked for is the limit
    this.contextTokens = Math.min(options.contextTokens, fn.llama_n_ctx(pointer));
    this.batchTokens = n;
    this.parts = options.separate ? options.sequences : 1;
    this.tokens = new Int32Array(new ArrayBuffer(4 * n));
    this.positions = new Int32Array(new ArrayBuffer(4 * n));
    this.sequences = new Int32Array(new ArrayBuffer(4 * n));
    this.outputs = new Int8Array(new ArrayBuffer(n));
    this.abortList = new BigUint64Array(new ArrayBuffer(8 * (options.sequences + 1)));
    this.tokensPointer = ptr(this.tokens);
    this.positionsPointer = ptr(this.positions);
    this.sequencesPointer = ptr(this.sequences);
    this.outputsPointer = ptr(this.outputs);
    this.memory = fn.llama_get_memory(pointer);
    this.threads = fn.spell_threads_new(options.threads);
    if (this.threads !== null) fn.llama_attach_threadpool(pointer, this.threads, this.threads);
    const batch = fn.spell_batch_new(n, this.sequencesPointer);
    if (batch === null) throw new SpellError("limit", `Cannot make a batch of ${n} tokens: out of memory`);
    this.batch = batch;
    fn.spell_context_abort_words(pointer, ptr(this.abortList));
  }

  protected free(pointer: Address): void {
    const { fn } = this.model.library;
    fn.llama_free(pointer);
    fn.spell_threads_free(this.threads);
    fn.spell_batch_free(this.batch);
  }

  /** Where native code finds the batch and the words of `abortOn`. */
  get addresses() {
    return {
      batch: this.batch,
      tokens: this.tokensPointer,
      positions: this.positionsPointer,
      sequences: this.sequencesPointer,
      outputs: this.outputsPointer,
      abortList: ptr(this.abortList),
    };
  }

  get library() {
    return this.model.library;
  }

  /** A running `decode` ends with "aborted" once all of these shared words are nonzero. Kept until replaced. */
  abortOn(...words: readonly Int32Array[]): void {
    this.abortList[0] = BigInt(words.length);
    for (const [i, word] of words.entries()) this.abortList[i + 1] = BigInt(ptr(word));
    this.abortWords = words;
  }

  /** Decodes the first `count` entries of the batch arrays. After "aborted" a part of them may have been processed. */
  decode(count: number): DecodeOutcome {
    return this.process("spell_batch_decode", count);
  }

  protected process(call: "spell_batch_decode" | "spell_batch_encode", count: number): DecodeOutcome {
    const status = this.model.library.fn[call](
      this.pointer,
      this.batch,
      count,
      this.tokensPointer,
      this.positionsPointer,
      this.outputsPointer,
    );
    return this.outcome(status);
  }

  /** What a status of llama_decode means. @throws SpellError provider with what llama.cpp logged */
  outcome(status: number): DecodeOutcome {
    if (status === 0) return "done";
    if (status === 1) return "full";
    if (status === 2) return "aborted";
    const log = this.model.library.takeLog();
    const reason = reasonIn(log) ?? "llama.cpp gives no reason";
    throw new SpellError("provider", `Cannot run the model: ${reason}: ${this.model.path}`, {
      data: { status, log: log.trim() },
    });
  }

  /**
   * Forgets a sequence from a position on. False where this kind of memory cannot forget a part; the sequence is then
   * forgotten as a whole.
   */
  forget(sequence: number, fromPosition: number): boolean {
    const { fn } = this.model.library;
    this.pointer;
    if (fn.llama_memory_seq_rm(this.memory, sequence, fromPosition, -1)) return true;
    fn.llama_memory_seq_rm(this.memory, sequence, -1, -1);
    return false;
  }

  /** In one room for all: lets `target` begin with the first `count` tokens of `source`. They take no more room. */
  share(source: number, target: number, count: number): void {
    this.pointer;
    this.model.library.fn.llama_memory_seq_cp(this.memory, source, target, 0, count);
  }

  /** Forgets `count` tokens within a sequence and moves those behind them up. Not for tokens that sequences share. */
  shift(sequence: number, fromPosition: number, count: number): void {
    const { fn } = this.model.library;
    this.pointer;
    const end = fromPosition + count;
    fn.llama_memory_seq_rm(this.memory, sequence, fromPosition, end);
    fn.llama_memory_seq_add(this.memory, sequence, end, -1, -count);
  }

  /** Lets `target` hold what `source` does as well. False where it could not be copied; `target` is empty then. */
  copy(source: number, target: number): boolean {
    return this.restore(target, this.state(source));
  }

  /** What two sequences hold changes places. Whether each has what the other had; one that has not is empty. */
  exchange(a: number, b: number): [aToB: boolean, bToA: boolean] {
    const [stateOfA, stateOfB] = [this.state(a), this.state(b)];
    this.forget(a, 0);
    this.forget(b, 0);
    return [this.restore(b, stateOfA), this.restore(a, stateOfB)];
  }

  /** Copies what `source` holds into another context of the same model. False where this does not succeed. */
  moveTo(other: Context, source: number, target: number): boolean {
    const state = this.state(source);
    const part = this.parts === 1 ? 0 : source;
    return other.restore(target, state && restated(state, part, this.parts, other.parts));
  }

  private state(sequence: number): Uint8Array | undefined {
    if (this.lengthOf(sequence) === 0) return undefined;
    const { fn } = this.model.library;
    const bytes = new Uint8Array(
      new ArrayBuffer(Number(fn.llama_state_seq_get_size(this.pointer, sequence))),
    );
    const written = Number(fn.llama_state_seq_get_data(this.pointer, ptr(bytes), bytes.length, sequence));
    return bytes.subarray(0, written);
  }

  /** True where the sequence holds the state then. Undefined: of one that is empty. */
  private restore(sequence: number, state: Uint8Array | undefined): boolean {
    if (state === undefined) return true;
    if (state.length === 0) return false;
    const { fn } = this.model.library;
    return Number(fn.llama_state_seq_set_data(this.pointer, ptr(state), state.length, sequence)) > 0;
  }

  /** Whether the memory can `shift`. */
  get canShift(): boolean {
    this.pointer;
    return this.model.library.fn.llama_memory_can_shift(this.memory);
  }

  /** Tokens of a sequence as llama.cpp counts them: its last position, and one. */
  lengthOf(sequence: number): number {
    this.pointer;
    return this.model.library.fn.llama_memory_seq_pos_max(this.memory, sequence) + 1;
  }
}

/** Where a state says how many parts its context has: behind llama.cpp's mark and the sequence, 4 bytes each. */
const PARTS_AT = 8;
const COUNT_BYTES = 4;

/**
 * A sequence's state for a context with another number of parts: in `llama_kv_cache::state_write` (llama.cpp v0.5.0) each part
 * tells how many of the sequence's tokens it has: none, but for one part, with these tokens behind the number.
 */
function restated(state: Uint8Array, part: number, from: number, to: number): Uint8Array {
  const tokensAt = PARTS_AT + COUNT_BYTES;
  const tokens = state.subarray(
    tokensAt + part * COUNT_BYTES,
    state.length - (from - 1 - part) * COUNT_BYTES,
  );
  const other = new Uint8Array(new ArrayBuffer(tokensAt + tokens.length + (to - 1) * COUNT_BYTES));
  other.set(state.subarray(0, PARTS_AT));
  new DataView(other.buffer).setUint32(PARTS_AT, to, true);
  other.set(tokens, tokensAt);
  return other;
}

/** `enum llama_flash_attn_type` */
export function flashAttentionType(flashAttention: boolean | "auto"): number {
  return flashAttention === "auto" ? -1 : Number(flashAttention);
}

/** What `make` makes. @throws SpellError limit with llama.cpp's reason where it makes nothing */
export function allocateContext(model: Model, contextTokens: number, make: () => Address | null): Address {
  const { library } = model;
  library.takeLog();
  const pointer = make();
  const log = library.takeLog();
  if (pointer !== null) return pointer;
  throw new SpellError("limit", `Cannot make a context of ${contextTokens} tokens: llama.cpp refuses it`, {
    data: { contextTokens, reason: log.trim() },
    hint: reasonIn(log) ?? "Lower the context size",
  });
}
