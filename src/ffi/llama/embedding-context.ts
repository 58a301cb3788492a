import { ptr } from "bun:ffi";
import { allocateContext, Context, type ContextOptions, flashAttentionType } from "./context.ts";
import type { Address } from "./handle.ts";
import type { Model } from "./model.ts";

/** How the states of a text's tokens become one vector, or one score: `enum llama_pooling_type`. */
const POOLINGS = { mean: 1, cls: 2, last: 3, rank: 4 } as const;

export type Pooling = keyof typeof POOLINGS;

/** The pooling that a value of `enum llama_pooling_type` means; undefined for none. */
export function poolingOf(value: unknown): Pooling | undefined {
  return (Object.keys(POOLINGS) as Pooling[]).find((name) => POOLINGS[name] === value);
}

/** `contextTokens` is what one text may have; a batch is computed at once. */
export interface EmbeddingContextOptions extends Omit<ContextOptions, "ubatchTokens"> {
  pooling: Pooling;
}

/** A context that gives one vector for each sequence of a batch. */
export class EmbeddingContext extends Context {
  /** Numbers of a vector; 1 for a score. */
  readonly dimensions: number;

  /** @throws SpellError limit where memory does not suffice */
  static open(model: Model, options: EmbeddingContextOptions): EmbeddingContext {
    const pointer = allocateContext(model, options.contextTokens, () =>
      model.library.fn.spell_embedding_context_new(
        model.pointer,
        options.contextTokens,
        options.batchTokens,
        options.sequences,
        options.threads,
        flashAttentionType(options.flashAttention),
        POOLINGS[options.pooling],
      ),
    );
    return new EmbeddingContext(model, pointer, options);
  }

  private constructor(model: Model, pointer: Address, options: EmbeddingContextOptions) {
    super(model, pointer, options);
    this.outputs.fill(1); // pooling takes every token
    this.dimensions = options.pooling === "rank" ? 1 : model.library.fn.llama_model_n_embd_out(model.pointer);
  }

  /** Forgets all sequences. Models whose attention looks both ways remember none. */
  clear(): void {
    this.pointer;
    if (this.memory !== null) this.model.library.fn.llama_memory_clear(this.memory, false);
  }

  /** The vector of a sequence of the last batch. `target` has room for `dimensions` numbers. */
  read(sequence: number, target: Float32Array): void {
    const { fn } = this.model.library;
    if (!fn.spell_embedding_read(this.pointer, sequence, ptr(target), this.dimensions))
      throw new Error(`llama.cpp has no vector of sequence ${sequence}`);
  }
}
