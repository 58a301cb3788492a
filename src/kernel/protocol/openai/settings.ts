/** The parameters that chat and text completions share, and those that are taken without effect or refused. */
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { type Static, Type } from "typebox";
import { badRequest, type Fields } from "./read.ts";

const MAX_CHOICES = 16;
const MAX_STOPS = 16;

/** `llama_sampler` draws a seed of its own for 2³² − 1. */
const SEEDS = 2 ** 32 - 1;

const penalty = Type.Optional(Type.Number({ minimum: -2, maximum: 2 }));
const count = (maximum = Number.MAX_SAFE_INTEGER) => Type.Optional(Type.Integer({ minimum: 1, maximum }));

export const settingFields = {
  model: Type.String({ minLength: 1 }),
  temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2 })),
  top_p: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  top_k: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 })),
  min_p: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  repeat_penalty: Type.Optional(Type.Number({ minimum: 0.1, maximum: 10 })),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  seed: Type.Optional(Type.Integer()),
  stop: Type.Optional(
    Type.Union([
      Type.String({ minLength: 1 }),
      Type.Array(Type.String({ minLength: 1 }), { maxItems: MAX_STOPS }),
    ]),
  ),
  grammar: Type.Optional(Type.String({ minLength: 1 })),
  max_tokens: count(),
  n: count(MAX_CHOICES),
  stream: Type.Optional(Type.Boolean()),
  stream_options: Type.Optional(
    Type.Object(
      {
        include_usage: Type.Optional(Type.Boolean()),
        include_obfuscation: Type.Optional(Type.Literal(false)),
      },
      { additionalProperties: false },
    ),
  ),
};

const Settings = Type.Object(settingFields);
export type Settings = Static<typeof Settings>;

/** Labels for the caller's own books; an answer never depends on them. */
const WITHOUT_EFFECT = ["user", "metadata", "safety_identifier", "prompt_cache_key"];

/** What a request may say of parameters that are not supported: the values that change nothing. */
export type Refused = Readonly<Record<string, { only: readonly unknown[]; hint?: string }>>;

export const REFUSED: Refused = {
  logprobs: { only: [false] },
  top_logprobs: { only: [0] },
  logit_bias: { only: [{}] },
  store: { only: [false] },
  service_tier: { only: ["auto", "default"] },
};

/**
 * Takes off what has no effect here, and refuses what would have one elsewhere: nothing is ignored in silence.
 * @throws SpellError invalid_argument
 */
export function supportedFields(fields: Fields, refused: Refused): Fields {
  const left: Fields = {};
  for (const [name, value] of Object.entries(fields)) {
    if (WITHOUT_EFFECT.includes(name)) continue;
    const rule = Object.hasOwn(refused, name) ? refused[name] : undefined;
    if (rule === undefined) left[name] = value;
    else if (!rule.only.some((allowed) => Bun.deepEquals(allowed, value, true))) {
      const unless = rule.only.map((allowed) => JSON.stringify(allowed)).join(" or ");
      throw badRequest(
        `"${name}" is not supported${unless === "" ? "" : ` other than as ${unless}`}`,
        name,
        rule.hint ?? "Leave it out",
      );
    }
  }
  return left;
}

/** One answer that a request asks for. */
export interface Choice {
  /** Number of the prompt it answers: several answers to one prompt count its tokens once. */
  prompt: number;
  options: LanguageModelV4CallOptions;
}

/** What a request asks of a model. */
export interface Call {
  model: string;
  choices: Choice[];
  stream: boolean;
  includeUsage: boolean;
}

/** @throws SpellError invalid_argument */
export function callOf(
  settings: Settings,
  prompts: readonly (Pick<LanguageModelV4CallOptions, "prompt"> & Partial<LanguageModelV4CallOptions>)[],
): Call {
  const { model, stream = false, stream_options, n = 1 } = settings;
  if (stream_options !== undefined && !stream)
    throw badRequest('"stream_options" is allowed only with "stream": true', "stream_options");
  if (prompts.length * n > MAX_CHOICES)
    throw badRequest(`a request gets at most ${MAX_CHOICES} answers: ${prompts.length * n}`, "n");
  const choices = prompts.flatMap((options, prompt) =>
    Array.from({ length: n }, (_, i) => ({ prompt, options: withSettings(settings, options, i) })),
  );
  return { model, choices, stream, includeUsage: stream_options?.include_usage ?? false };
}

function withSettings(
  s: Settings,
  options: Pick<LanguageModelV4CallOptions, "prompt"> & Partial<LanguageModelV4CallOptions>,
  number: number,
): LanguageModelV4CallOptions {
  const llamacpp = given({
    ...options.providerOptions?.llamacpp,
    minP: s.min_p,
    repeatPenalty: s.repeat_penalty,
    grammar: s.grammar,
  });
  return {
    ...given({
      temperature: s.temperature,
      topP: s.top_p,
      topK: s.top_k,
      presencePenalty: s.presence_penalty,
      frequencyPenalty: s.frequency_penalty,
      maxOutputTokens: s.max_tokens,
      seed: s.seed === undefined ? undefined : (((s.seed + number) % SEEDS) + SEEDS) % SEEDS,
      stopSequences: s.stop === undefined ? undefined : [s.stop].flat(),
    }),
    ...options,
    providerOptions: { llamacpp },
  };
}

function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
