/** A models service whose configuration names a fake Ollama. */
import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart } from "@ai-sdk/provider";
import type { ModelService, SpellModel } from "../../../src/models/service.ts";
import { modelService, type TestHome, temporaryHome } from "../model-service.ts";
import { FakeOllama } from "./server.ts";
import type { Settings } from "./types.ts";

export interface WithOllama extends AsyncDisposable {
  fake: FakeOllama;
  home: TestHome;
  models: ModelService;
}

/** @param toml keys of `[providers.ollama]` besides the address */
export async function withOllama(settings: Settings = {}, toml = ""): Promise<WithOllama> {
  const fake = await FakeOllama.start({ models: { "llama3:latest": {} }, ...settings });
  const home = temporaryHome();
  const { models } = await modelService(
    home,
    `[providers.ollama]\nprovider_type = "ollama"\nbase_url = "${fake.url}"\nretry = { max_retries = 1, initial_delay_ms = 1 }\n${toml}`,
  );
  return {
    fake,
    home,
    models,
    async [Symbol.asyncDispose]() {
      await models.dispose();
      await fake[Symbol.asyncDispose]();
      home[Symbol.dispose]();
    },
  };
}

export const says = (text: string): LanguageModelV4CallOptions["prompt"] => [
  { role: "user", content: [{ type: "text", text }] },
];

/** All parts of a stream. */
export async function partsOf(
  model: SpellModel,
  options: LanguageModelV4CallOptions,
): Promise<LanguageModelV4StreamPart[]> {
  const parts: LanguageModelV4StreamPart[] = [];
  const { stream } = await model.doStream(options);
  for await (const part of stream as unknown as AsyncIterable<LanguageModelV4StreamPart>) parts.push(part);
  return parts;
}

export const deltasOf = (
  parts: readonly LanguageModelV4StreamPart[],
  type: "text-delta" | "reasoning-delta",
) => parts.flatMap((part) => (part.type === type ? [part.delta] : []));
