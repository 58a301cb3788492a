import { SpellError } from "../../core/errors.ts";
import { EmbeddingContext, type Pooling } from "../../ffi/llama/embedding-context.ts";
import { looksBothWays } from "./abilities.ts";
import type { ModelParts } from "./model-parts.ts";

/** Tokens computed at once: more make attention over texts that have nothing to do with each other dearer. */
const BATCH_TOKENS = 512;
/** Texts computed at once at most. */
const SEQUENCES = 64;
/** How long a batch may take while others use the thread, where texts can be taken apart so far. */
const SLICE_MS = 25;
const FEWEST_TOKENS = 16;

interface Job {
  pooling: Pooling;
  texts: readonly Int32Array[];
  /** The first text that has not been computed. */
  next: number;
  /** One row a text. */
  vectors: Float32Array;
  words: Int32Array;
  end: PromiseWithResolvers<void>;
}

/** Tokens of one text, `from` up to `to`. */
interface Part {
  job: Job;
  tokens: Int32Array;
  vector: Float32Array;
  from: number;
  to: number;
}

/** Computes the vectors of texts in batches, which requests that run at the same time share. Goes before its model. */
export class EmbeddingQueue implements Disposable {
  private readonly contexts = new Map<Pooling, EmbeddingContext>();
  private jobs: Job[] = [];
  private isWorking = false;
  private msPerToken = 0;

  constructor(private readonly parts: ModelParts) {}

  /** Numbers of a vector. @throws SpellError limit */
  dimensions(pooling: Pooling): number {
    return this.context(pooling, 1).dimensions;
  }

  /**
   * The vectors of texts, one row each.
   * @param words the request's shared words: [0] nonzero cancels
   * @throws SpellError limit, interrupted, provider
   */
  async run(pooling: Pooling, texts: readonly Int32Array[], words: Int32Array): Promise<Float32Array> {
    const vectors = new Float32Array(texts.length * this.dimensions(pooling));
    const end = Promise.withResolvers<void>();
    this.jobs.push({ pooling, texts, next: 0, vectors, words, end });
    if (!this.isWorking) void this.work();
    await end.promise;
    return vectors;
  }

  dispose(): void {
    for (const context of this.contexts.values()) context.dispose();
    this.contexts.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private async work(): Promise<void> {
    const { turns } = this.parts;
    this.isWorking = true;
    await turns.during(async () => {
      for (let job = this.jobs[0]; job !== undefined; job = this.jobs[0]) {
        await this.step(job.pooling);
        await turns.pass();
      }
      this.isWorking = false; // before anything else can run
    });
  }

  private async step(pooling: Pooling): Promise<void> {
    const cancelled = this.jobs.filter(({ words }) => Atomics.load(words, 0) !== 0);
    this.end(cancelled, interrupted());
    const batch = this.nextBatch(pooling);
    try {
      await this.compute(pooling, batch);
    } catch (error) {
      this.end(
        batch.map(({ job }) => job),
        error,
      );
    }
    this.end(this.jobs.filter(({ next, texts }) => next === texts.length));
    const first = this.jobs.shift(); // another one's turn
    if (first !== undefined) this.jobs.push(first);
  }

  private end(jobs: readonly Job[], error?: unknown): void {
    const ended = new Set(jobs);
    this.jobs = this.jobs.filter((job) => !ended.has(job));
    for (const { end } of ended) {
      if (error === undefined) end.resolve();
      else end.reject(error);
    }
  }

  /** Texts of all requests in turn, as many as fit; one that is too long for a batch comes alone. */
  private nextBatch(pooling: Pooling): Part[] {
    const batch: Part[] = [];
    let room = this.batchTokens();
    let jobs = this.jobs.filter((job) => job.pooling === pooling);
    while (jobs.length > 0) {
      jobs = jobs.filter((job) => {
        const tokens = job.texts[job.next];
        if (tokens === undefined || batch.length === SEQUENCES) return false;
        if (tokens.length > room && batch.length > 0) return false;
        room -= tokens.length;
        const width = job.vectors.length / job.texts.length;
        const vector = job.vectors.subarray(job.next * width, (job.next + 1) * width);
        batch.push({ job, tokens, vector, from: 0, to: tokens.length });
        job.next++;
        return true;
      });
    }
    return batch;
  }

  /** Fewer tokens while others wait for the thread. */
  private batchTokens(): number {
    if (!this.parts.turns.isShared || this.msPerToken === 0) return BATCH_TOKENS;
    return Math.min(BATCH_TOKENS, Math.max(FEWEST_TOKENS, Math.round(SLICE_MS / this.msPerToken)));
  }

  private async compute(pooling: Pooling, batch: readonly Part[]): Promise<void> {
    const tokens = batch.reduce((sum, part) => sum + part.to, 0);
    if (tokens === 0) return;
    const context = this.context(pooling, tokens);
    context.clear();
    if (tokens <= context.batchTokens) {
      this.decode(context, pooling, batch);
      return;
    }
    const [long] = batch;
    for (let from = 0; from < tokens; ) {
      const to = Math.min(tokens, from + this.batchTokens());
      this.decode(context, pooling, [{ ...long!, from, to }]);
      from = to;
      await this.parts.turns.pass();
    }
  }

  private decode(context: EmbeddingContext, pooling: Pooling, parts: readonly Part[]): void {
    let count = 0;
    for (const [sequence, { tokens, from, to }] of parts.entries()) {
      context.tokens.set(tokens.subarray(from, to), count);
      context.sequences.fill(sequence, count, count + to - from);
      for (let position = from; position < to; position++) context.positions[count++] = position;
    }
    context.abortOn(...new Set(parts.map(({ job }) => job.words)));
    const startedMs = performance.now();
    const outcome = context.decode(count);
    if (outcome === "aborted") throw interrupted();
    if (outcome === "full") throw new SpellError("provider", "Cannot run the model: the context is full");
    this.msPerToken = (performance.now() - startedMs) / count;

    const vector = new Float32Array(new ArrayBuffer(4 * context.dimensions));
    for (const [sequence, part] of parts.entries()) {
      context.read(sequence, vector);
      pool(pooling, part, vector);
    }
  }

  /** A context for texts of so many tokens together. One that is too small gives way to a larger one. */
  private context(pooling: Pooling, tokens: number): EmbeddingContext {
    const made = this.contexts.get(pooling);
    if (made !== undefined && tokens <= made.contextTokens) return made;
    made?.dispose();
    const { header, model, spec, threads } = this.parts;
    const contextTokens = Math.max(BATCH_TOKENS, 2 ** Math.ceil(Math.log2(tokens)));
    const isWhole = looksBothWays(header) || pooling === "rank";
    const context = EmbeddingContext.open(model, {
      pooling,
      contextTokens,
      batchTokens: isWhole ? contextTokens : BATCH_TOKENS,
      sequences: SEQUENCES,
      threads,
      flashAttention: spec.flashAttention,
    });
    this.contexts.set(pooling, context);
    return context;
  }
}

/** Adds what a part of a text gives to the vector of the whole. */
function pool(pooling: Pooling, { tokens, vector, from, to }: Part, part: Float32Array): void {
  if (pooling === "mean") {
    const share = (to - from) / tokens.length;
    for (let i = 0; i < vector.length; i++) vector[i]! += part[i]! * share;
  } else if (pooling === "cls" ? from === 0 : to === tokens.length) vector.set(part);
}

function interrupted(): SpellError {
  return new SpellError("interrupted", "The model call was cancelled");
}
