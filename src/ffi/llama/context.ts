import { type Pointer, ptr } from "bun:ffi";
import { SpellError } from "../../core/errors.ts";
import { type Address, NativeHandle } from "./handle.ts";
import { reasonIn } from "./library.ts";
import type { Model } from "./model.ts";

export interface ContextOptions {
  contextTokens: number;
  /** Tokens that one `decode` may take. */
  batchTokens: number;
  /** Tokens that are computed at once. */
  ubatchTokens: number;
  /** Sequences that live side by side in the context. */
  sequences: number;
  threads: number;
  flashAttention: boolean | "auto";
}

export type DecodeOutcome = "done" | "full" | "aborted";

/** The state of running sequences. Owns the `llama_context`, its threads and batch arrays; goes before its model. */
export class Context extends NativeHandle {
  readonly contextTokens: number;
  readonly batchTokens: number;
  // One entry a token, written by the caller before `decode`; native code reads them in place.
  readonly tokens: Int32Array;
  readonly positions: Int32Array;
  readonly sequences: Int32Array;
  readonly outputs: Int8Array;

  private readonly batch: Address;
  /** Null: the calling thread computes alone. */
  private readonly threads: Address | null;
  private readonly memory: Address;
  private readonly tokensPointer: Pointer;
  private readonly positionsPointer: Pointer;
  private readonly outputsPointer: Pointer;
  /** Native code reads it during `decode`. */
  protected abortWord: Int32Array | undefined;

  /** @throws SpellError limit where memory does not suffice */
  static create(model: Model, options: ContextOptions): Context {
    const { library } = model;
    library.takeLog();
    const pointer = library.fn.spell_context_new(
      model.pointer,
      options.contextTokens,
      options.batchTokens,
      Math.min(options.ubatchTokens, options.batchTokens),
      options.sequences,
      options.threads,
      options.flashAttention === "auto" ? -1 : Number(options.flashAttention),
    );
    const log = library.takeLog();
    if (pointer !== null) return new Context(model, pointer, options);
    throw new SpellError(
      "limit",
      `Cannot make a context of ${options.contextTokens} tokens: llama.cpp refuses it`,
      {
        data: { contextTokens: options.contextTokens, reason: log.trim() },
        hint: reasonIn(log) ?? "Lower the context size",
      },
    );
  }

  private constructor(
    private readonly model: Model,
    pointer: Address,
    options: ContextOptions,
  ) {
    super(pointer, "the context");
    const { fn } = model.library;
    const n = options.batchTokens;
    // llama.cpp rounds up; what was asked for is the limit
    this.contextTokens = Math.min(options.contextTokens, fn.llama_n_ctx(pointer));
    this.batchTokens = n;
    this.tokens = new Int32Array(new ArrayBuffer(4 * n));
    this.positions = new Int32Array(new ArrayBuffer(4 * n));
    this.sequences = new Int32Array(new ArrayBuffer(4 * n));
    this.outputs = new Int8Array(new ArrayBuffer(n));
    this.tokensPointer = ptr(this.tokens);
    this.positionsPointer = ptr(this.positions);
    this.outputsPointer = ptr(this.outputs);
    this.memory = fn.llama_get_memory(pointer)!;
    this.threads = fn.spell_threads_new(options.threads);
    if (this.threads !== null) fn.llama_attach_threadpool(pointer, this.threads, this.threads);
    const batch = fn.spell_batch_new(n, ptr(this.sequences));
    if (batch === null) throw new SpellError("limit", `Cannot make a batch of ${n} tokens: out of memory`);
    this.batch = batch;
  }

  protected free(pointer: Address): void {
    const { fn } = this.model.library;
    fn.llama_free(pointer);
    fn.spell_threads_free(this.threads);
    fn.spell_batch_free(this.batch);
  }

  /** A running `decode` ends with "aborted" once this shared word is nonzero. Kept until replaced. */
  abortOn(word: Int32Array): void {
    this.model.library.fn.spell_context_abort_word(this.pointer, ptr(word));
    this.abortWord = word;
  }

  /** Decodes the first `count` entries of the batch arrays. After "aborted" a part of them may have been processed. */
  decode(count: number): DecodeOutcome {
    const status = this.model.library.fn.spell_batch_decode(
      this.pointer,
      this.batch,
      count,
      this.tokensPointer,
      this.positionsPointer,
      this.outputsPointer,
    );
    if (status === 0) return "done";
    if (status === 1) return "full";
    if (status === 2) return "aborted";
    const log = this.model.library.takeLog();
    const reason = reasonIn(log) ?? "llama.cpp gives no reason";
    throw new SpellError("provider", `Cannot run the model: ${reason}`, {
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
}
