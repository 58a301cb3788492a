import { SpellError } from "../../core/errors.ts";
import type { GenerateHooks, Generator } from "./generator.ts";
import type { ModelParts } from "./model-parts.ts";
import type { GenerateRequest, GenerateResult, ModelStats } from "./protocol.ts";

/** Answers of a model with an encoder (T5), one at a time. */
export class EncoderDecoder implements Generator {
  constructor(private readonly parts: ModelParts) {}

  async generate(_request: GenerateRequest, _hooks: GenerateHooks): Promise<GenerateResult> {
    const { header, spec } = this.parts;
    throw new SpellError(
      "model_invalid",
      `Cannot generate text with the model: ${header.architecture} is no decoder: ${spec.path}`,
    );
  }

  stats(): Omit<ModelStats, "path"> {
    const { contextTokens } = this.parts;
    return { queued: 0, running: 0, sequences: 1, heldTokens: 0, cachedTokens: 0, contextTokens };
  }

  dispose(): void {}

  [Symbol.dispose](): void {
    this.dispose();
  }
}
