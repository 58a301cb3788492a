import { InferenceClient } from "../src/models/llamacpp/client.ts";
import type { GenerateRequest, GenerateResult, ModelSpec } from "../src/models/llamacpp/protocol.ts";

/** The inference thread, as agents reach it; times are taken on this side of it. */
export class LocalEngine {
  private readonly client = new InferenceClient();
  private readonly spec: ModelSpec;

  constructor(spec: Partial<ModelSpec> & Pick<ModelSpec, "path">) {
    this.spec = {
      contextTokens: 0,
      threads: 0,
      gpuLayers: 0,
      batchTokens: 2048,
      ubatchTokens: 512,
      flashAttention: "auto",
      ...spec,
    };
  }

  /** A text of exactly so many tokens, each letter one: `leading` times b, then a. */
  async textOf(tokens: number, leading = 0): Promise<string> {
    const extra = (await this.client.count(this.spec, { text: "a" })) - 1;
    const letters = Math.max(0, tokens - extra);
    const text = "b".repeat(leading) + "a".repeat(letters - leading);
    const count = await this.client.count(this.spec, { text });
    if (count !== tokens) throw new Error(`the prompt has ${count} tokens instead of ${tokens}`);
    return text;
  }

  /** An answer of exactly so many greedy tokens, decoded one by one unless `speculativeTokens` says otherwise. */
  async generate(
    text: string,
    maxTokens: number,
    { grammar, speculativeTokens = 0 }: { grammar?: string; speculativeTokens?: number } = {},
  ): Promise<GenerateResult> {
    const request: GenerateRequest = {
      prompt: { text, ...(grammar === undefined ? {} : { grammar }) },
      sampling: { temperature: 0, repeatPenalty: 1 },
      maxTokens,
      stops: [],
      reusePrefix: false,
      speculativeTokens,
    };
    const result = await this.client.generate(this.spec, request);
    if (result.tokens.length !== maxTokens)
      throw new Error(`the model made ${result.tokens.length} tokens of ${maxTokens}`);
    return result;
  }

  dispose(): Promise<void> {
    return this.client.dispose();
  }
}
