/** What Ollama's API answers about models, in its documents' words. */
import type { FakeModel } from "./types.ts";

/** Whether the server is of this version or a later one. */
type Knows = (version: string) => boolean;

const BARE = "0123456789abcdef";

/** What `/api/show` answers. */
export function shown(name: string, model: FakeModel, knows: Knows) {
  const { trainedTokens = 131_072, parameterCount = 8_030_261_248, presetTokens } = model;
  return {
    license: model.licence ?? "\nLLAMA 3.1 COMMUNITY LICENSE AGREEMENT\nmore of it",
    modelfile: "",
    parameters: [
      ...(presetTokens === undefined ? [] : [`num_ctx                        ${presetTokens}`]),
      'stop                           "<|eot_id|>"',
    ].join("\n"),
    template: "{{ .Prompt }}",
    details: summary(name, model).details,
    model_info: {
      "general.architecture": "llama",
      "general.parameter_count": parameterCount,
      "llama.context_length": trainedTokens,
    },
    ...(knows("0.6.4") ? { capabilities: model.capabilities ?? ["completion"] } : {}),
    ...(model.thinking === undefined ? {} : { thinking: model.thinking }),
  };
}

/** An entry of `/api/ps`. */
export function running(name: string, model: FakeModel, contextTokens: number, knows: Knows) {
  return {
    name,
    model: name,
    size: model.sizeBytes ?? 1,
    digest: BARE.repeat(4),
    details: summary(name, model).details,
    expires_at: "2024-06-04T14:38:31.83753-07:00",
    size_vram: 0,
    ...(knows("0.10.0") ? { context_length: contextTokens } : {}),
  };
}

export const head = (model: string) => ({ model, created_at: "2023-08-04T08:52:19.385406455-07:00" });

/** An entry of `/api/tags`. */
export function summary(name: string, model: FakeModel) {
  return {
    name,
    model: name,
    modified_at: "2023-12-07T09:32:18.757212583-08:00",
    size: model.sizeBytes ?? 3_825_819_519,
    digest: BARE.repeat(4),
    details: {
      parent_model: "",
      format: "gguf",
      family: "llama",
      families: ["llama"],
      parameter_size: model.parameterSize ?? "8.0B",
      quantization_level: model.quantization ?? "Q4_0",
    },
  };
}

export const wordsOf = (texts: readonly string[]): number =>
  texts.reduce((sum, text) => sum + Math.ceil((text.match(/\S+/g)?.length ?? 0) * 1.25), 0);

/** Of length 1, as Ollama's. */
export function vectorOf(text: string): number[] {
  const angle = (Bun.hash.crc32(text) % 628) / 100;
  return [Math.cos(angle), Math.sin(angle), 0];
}
