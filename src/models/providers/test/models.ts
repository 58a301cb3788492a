import type { EmbeddingModelV4 } from "@ai-sdk/provider";
import type { ProviderConfig } from "../../../config/schema.ts";
import type { SpellModel } from "../../service.ts";
import type { TestScript } from "./script.ts";

/**
 * The scripted models of a process. Models of one provider share its script, so that sequences of answers run on from
 * call to call; they start anew when the provider's responses are changed.
 */
export class TestModels {
  private readonly scripts = new Map<string, { responses: unknown; script: TestScript }>();

  /** @throws config for responses that are wrong */
  async open(
    { key, settings }: { key: string; settings: ProviderConfig },
    modelId: string,
  ): Promise<SpellModel> {
    const [{ TestScript }, { createTestModel }] = await Promise.all([
      import("./script.ts"),
      import("./model.ts"),
    ]);
    const responses = settings.responses;
    let entry = this.scripts.get(key);
    if (entry === undefined || !Bun.deepEquals(entry.responses, responses)) {
      entry = { responses, script: new TestScript(key, responses) };
      this.scripts.set(key, entry);
    }
    const contextTokens = settings.context_size;
    return createTestModel({
      provider: key,
      modelId,
      script: entry.script,
      ...(contextTokens === undefined ? {} : { contextTokens }),
    });
  }

  async openEmbedding(provider: string, modelId: string): Promise<EmbeddingModelV4> {
    return (await import("./embedding.ts")).createTestEmbeddingModel(provider, modelId);
  }
}
