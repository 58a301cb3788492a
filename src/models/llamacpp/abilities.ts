/** What a model file is for, by what its header says. */
import type { GgufHeader } from "./gguf.ts";

export interface Abilities {
  /** It continues a text. */
  generates: boolean;
  /** It gives vectors of texts. */
  embeds: boolean;
  /** It scores a text against a query: it has a classifier, and llama.cpp computes what it was trained for. */
  ranks: boolean;
}

/**
 * Architectures whose attention looks both ways, so that nothing can be continued: those that llama.cpp gives no memory
 * (`create_memory` in src/llama-model.cpp of v0.5.0), and the encoder of T5 alone.
 */
const BOTH_WAYS: ReadonlySet<string> = new Set([
  "bert",
  "dream",
  "eurobert",
  "gemma-embedding",
  "jina-bert-v2",
  "jina-bert-v3",
  "llada",
  "llada-moe",
  "modern-bert",
  "neo-bert",
  "nomic-bert",
  "nomic-bert-moe",
  "rnd1",
  "t5encoder",
  "wavtokenizer-dec",
]);
const ENCODER_DECODERS: ReadonlySet<string> = new Set(["t5"]);
const CLASSIFIERS = ["cls.weight", "cls.output.weight"];

export function abilitiesOf({ architecture, metadata, tensors }: GgufHeader): Abilities {
  const embeds = !hasEncoderAndDecoder({ architecture });
  return {
    generates: !looksBothWays({ architecture, metadata }),
    embeds,
    ranks: embeds && hasClassifier({ tensors }) && !tellsTextsApart({ metadata, tensors }),
  };
}

export function hasClassifier({ tensors }: Pick<GgufHeader, "tensors">): boolean {
  return CLASSIFIERS.some((name) => tensors.has(name));
}

/** BERT's own vocabulary marks the tokens of a second text by another type; llama.cpp gives all tokens the first. */
function tellsTextsApart({ metadata, tensors }: Pick<GgufHeader, "metadata" | "tensors">): boolean {
  const [, types = 1] = tensors.get("token_types.weight")?.shape ?? [];
  return metadata.get("tokenizer.ggml.model") === "bert" && types > 1;
}

export function hasEncoderAndDecoder({ architecture }: Pick<GgufHeader, "architecture">): boolean {
  return ENCODER_DECODERS.has(architecture);
}

/** A text must then be computed as a whole. */
export function looksBothWays({
  architecture,
  metadata,
}: Pick<GgufHeader, "architecture" | "metadata">): boolean {
  return BOTH_WAYS.has(architecture) || metadata.get(`${architecture}.attention.causal`) === false;
}
