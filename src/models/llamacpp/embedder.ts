import { SpellError } from "../../core/errors.ts";
import type { ModelParts } from "./model-parts.ts";
import type { EmbedRequest, EmbedResult, RankRequest, RankResult } from "./protocol.ts";

/** Embeddings and scores of one model. Goes before its model. */
export class Embedder implements Disposable {
  constructor(private readonly parts: ModelParts) {}

  /** @throws SpellError interrupted where `words[0]` became nonzero */
  async embed(_request: EmbedRequest, _words: Int32Array): Promise<EmbedResult> {
    throw this.unsupported();
  }

  async rank(_request: RankRequest, _words: Int32Array): Promise<RankResult> {
    throw this.unsupported();
  }

  private unsupported(): SpellError {
    return new SpellError("model_invalid", `Cannot embed with the model: ${this.parts.spec.path}`);
  }

  dispose(): void {}

  [Symbol.dispose](): void {
    this.dispose();
  }
}
