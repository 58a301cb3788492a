import { SpellError } from "../../core/errors.ts";
import { type Pooling, poolingOf } from "../../ffi/llama/embedding-context.ts";
import { abilitiesOf, hasClassifier, looksBothWays } from "./abilities.ts";
import { EmbeddingQueue } from "./embedding-queue.ts";
import { type LengthRule, pairTokens, textTokens } from "./embedding-texts.ts";
import type { ModelParts } from "./model-parts.ts";
import type { EmbedRequest, EmbedResult, RankRequest, RankResult } from "./protocol.ts";

/** Embeddings and scores of one model. Goes before its model. */
export class Embedder implements Disposable {
  private readonly queue: EmbeddingQueue;
  /** Tokens that one text may have. */
  private readonly contextTokens: number;

  constructor(private readonly parts: ModelParts) {
    const { header, model, spec } = parts;
    const trained = model.trainedContextTokens;
    // a table of positions ends there
    this.contextTokens = looksBothWays(header)
      ? Math.min(spec.contextTokens || trained, trained)
      : parts.contextTokens;
    this.queue = new EmbeddingQueue(parts);
  }

  /**
   * @param words the request's shared words: [0] nonzero cancels
   * @throws SpellError model_invalid, context_overflow (nothing was computed), interrupted, provider
   */
  async embed(request: EmbedRequest, words: Int32Array): Promise<EmbedResult> {
    const pooling = request.pooling ?? this.ownPooling();
    this.refuseUnless("embeds", "embed");
    const rule = this.rule(request.truncate);
    const { model } = this.parts;
    const count = request.texts.length;
    const tokens = await this.tokensOf(count, words, (i) =>
      textTokens(model, request.texts[i]!, `text ${i + 1} of ${count}`, rule),
    );
    const vectors = await this.queue.run(pooling, tokens, words);
    const dimensions = this.queue.dimensions(pooling);
    for (let i = 0; i < count; i++) {
      const vector = vectors.subarray(i * dimensions, (i + 1) * dimensions);
      const length = lengthOf(vector);
      if (!Number.isFinite(length))
        throw new SpellError(
          "provider",
          `Cannot embed text ${i + 1} of ${count}: the model's numbers are not finite`,
        );
      if (request.normalize && length > 0) for (let k = 0; k < dimensions; k++) vector[k]! /= length;
    }
    return { vectors, dimensions, tokens: sum(tokens) };
  }

  /** @throws SpellError as `embed` */
  async rank({ query, documents, truncate }: RankRequest, words: Int32Array): Promise<RankResult> {
    this.refuseUnless("ranks", "rank");
    const rule = this.rule(truncate);
    const { model } = this.parts;
    const count = documents.length;
    const tokens = await this.tokensOf(count, words, (i) =>
      pairTokens(model, query, documents[i]!, `document ${i + 1} of ${count}`, rule),
    );
    const scores = await this.queue.run("rank", tokens, words);
    return { scores: [...scores], tokens: sum(tokens) };
  }

  dispose(): void {
    this.queue.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private rule(truncate: boolean | undefined): LengthRule {
    return { contextTokens: this.contextTokens, truncate: truncate ?? false };
  }

  private async tokensOf(
    count: number,
    words: Int32Array,
    make: (index: number) => Int32Array,
  ): Promise<Int32Array[]> {
    const { turns } = this.parts;
    return turns.during(async () => {
      const tokens: Int32Array[] = [];
      for (let i = 0; i < count; i++) {
        refuseCancelled(words);
        tokens.push(make(i));
        await turns.pass();
      }
      return tokens;
    });
  }

  /** As the file says; else what such models are mostly trained for. */
  private ownPooling(): Pooling {
    const { header, spec } = this.parts;
    const pooling = poolingOf(header.metadata.get(`${header.architecture}.pooling_type`));
    if (pooling === "rank")
      throw new SpellError(
        "model_invalid",
        `Cannot embed with the model: it scores pairs of texts: ${spec.path}`,
        {
          data: { path: spec.path },
          hint: "Rank documents with it, or name a pooling",
        },
      );
    return pooling ?? (looksBothWays(header) ? "mean" : "last");
  }

  private refuseUnless(ability: "embeds" | "ranks", action: string): void {
    const { header, spec } = this.parts;
    if (abilitiesOf(header)[ability]) return;
    const rule = hasClassifier(header)
      ? "it tells the two texts apart by types of tokens, which llama.cpp does not have"
      : "it has no classifier";
    const [reason, hint] =
      ability === "ranks"
        ? [rule, "Choose a cross-encoder with one type of tokens, for example of the bge-reranker family"]
        : [
            `${header.architecture} has an encoder and a decoder`,
            "Choose an embedding model, for example of the bge, e5 or nomic-embed family",
          ];
    throw new SpellError("model_invalid", `Cannot ${action} with the model: ${reason}: ${spec.path}`, {
      data: { path: spec.path, architecture: header.architecture },
      hint,
    });
  }
}

function refuseCancelled(words: Int32Array): void {
  if (Atomics.load(words, 0) !== 0) throw new SpellError("interrupted", "The model call was cancelled");
}

const lengthOf = (vector: Float32Array): number => {
  let squares = 0;
  for (const x of vector) squares += x * x;
  return Math.sqrt(squares);
};

const sum = (tokens: readonly Int32Array[]): number => tokens.reduce((all, { length }) => all + length, 0);
