/** An embedding model without weights: texts that share parts of words lie near each other, the same everywhere. */
import type { EmbeddingModelV4 } from "@ai-sdk/provider";
import { countTokens } from "./tokens.ts";

const DIMENSIONS = 384;
const PART_LENGTH = 3;

export function createTestEmbeddingModel(provider: string, modelId: string): EmbeddingModelV4 {
  return {
    specificationVersion: "v4",
    provider,
    modelId,
    maxEmbeddingsPerCall: Number.POSITIVE_INFINITY,
    supportsParallelCalls: true,
    async doEmbed({ values, abortSignal }) {
      abortSignal?.throwIfAborted();
      const tokens = values.reduce((sum, text) => sum + countTokens(text), 0);
      return { embeddings: values.map(vectorOf), usage: { tokens }, warnings: [] };
    },
  };
}

/** Three letters of a word, its ends marked, add 1 at a place that their hash gives; the whole is of length 1. */
function vectorOf(text: string): number[] {
  const vector = new Array<number>(DIMENSIONS).fill(0);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}\p{M}]+/gu) ?? []) {
    const letters = [" ", ...word, " "];
    for (let at = 0; at + PART_LENGTH <= letters.length; at++) {
      const hash = Bun.hash.xxHash32(letters.slice(at, at + PART_LENGTH).join(""));
      vector[hash % DIMENSIONS]! += 1;
    }
  }
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((x) => x / length);
}
