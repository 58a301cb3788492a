import type { Model } from "../../ffi/llama/model.ts";
import type { SamplerOptions } from "../../ffi/llama/sampler.ts";
import type { GenerateRequest, SamplingRequest } from "./protocol.ts";

/** spec/agents-workflows-rag.md section 3.4. */
const DEFAULTS: Omit<SamplerOptions, "seed"> = {
  temperature: 0.7,
  topK: 40,
  topP: 0.9,
  minP: 0,
  repeatPenalty: 1.1,
  repeatLastN: 64,
  presencePenalty: 0,
  frequencyPenalty: 0,
};

export const DEFAULT_MAX_TOKENS = 512;
/** With it, a step decodes eight: of longer steps a token costs two cores no less. */
export const DEFAULT_SPECULATIVE_TOKENS = 7;

/** For models with one right answer: those with an encoder (T5) turn one text into another. */
const GREEDY = { temperature: 0, repeatPenalty: 1 };

/** Models by `general.name` that are made for other settings than the usual ones. */
const BY_NAME: Readonly<Record<string, Partial<SamplerOptions>>> = {
  "spell-mini": GREEDY,
};

type NumericOption = "temperature" | "topK" | "topP" | "minP" | "repeatPenalty" | "repeatLastN";

/** Keys under which a GGUF may recommend settings (llama.h: `LLAMA_MODEL_META_KEY_SAMPLING_*`). */
const RECOMMENDED: Readonly<Record<string, NumericOption>> = {
  "general.sampling.temp": "temperature",
  "general.sampling.top_k": "topK",
  "general.sampling.top_p": "topP",
  "general.sampling.min_p": "minP",
  "general.sampling.penalty_repeat": "repeatPenalty",
  "general.sampling.penalty_last_n": "repeatLastN",
};

/** The defaults of a model: ours, then what its file recommends, then what is known of it by name. */
export function defaultSampling(model: Model): Omit<SamplerOptions, "seed"> {
  const recommended: Partial<Record<NumericOption, number>> = {};
  for (const [key, option] of Object.entries(RECOMMENDED)) {
    const value = Number(model.metadata(key) ?? Number.NaN);
    if (Number.isFinite(value)) recommended[option] = value;
  }
  const usual = model.hasEncoder ? { ...DEFAULTS, ...GREEDY } : DEFAULTS;
  return { ...usual, ...recommended, ...BY_NAME[model.metadata("general.name") ?? ""] };
}

/** The request with a seed, drawn where it has none: made again, its answer is the same. */
export function withSeed(request: GenerateRequest): GenerateRequest {
  return { ...request, sampling: { ...request.sampling, seed: request.sampling.seed ?? drawnSeed() } };
}

function drawnSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** A request's settings over a model's defaults. Without a seed, one is drawn. */
export function samplingFor(
  defaults: Omit<SamplerOptions, "seed">,
  request: SamplingRequest,
): SamplerOptions {
  const seed = request.seed ?? drawnSeed();
  const stated = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
  return { ...defaults, ...stated, seed: seed >>> 0 };
}
