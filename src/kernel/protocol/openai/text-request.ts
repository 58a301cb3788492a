/** `POST /v1/completions`: the request. */
import { Type } from "typebox";
import { badRequest, type Fields, readAs } from "./read.ts";
import { type Call, callOf, REFUSED, type Refused, settingFields, supportedFields } from "./settings.ts";

/** What OpenAI's reference says of a request that names no limit. */
const DEFAULT_MAX_TOKENS = 16;

const TextRequest = Type.Object(
  { ...settingFields, prompt: Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })]) },
  { additionalProperties: false },
);

const TEXT_REFUSED: Refused = {
  ...REFUSED,
  logprobs: { only: [] },
  echo: { only: [false] },
  suffix: { only: [""] },
  best_of: { only: [1] },
};

/** @throws SpellError invalid_argument, the parameter in `data.param` */
export function textCall(fields: Fields): Call {
  const { prompt: given } = fields;
  if (Array.isArray(given) && given.some((item) => typeof item !== "string"))
    throw badRequest('"prompt" must be text; tokens are not supported', "prompt");
  const request = readAs(TextRequest, supportedFields(fields, TEXT_REFUSED));
  const prompts = [request.prompt].flat().map((text) => ({
    prompt: [{ role: "user" as const, content: [{ type: "text" as const, text }] }],
    providerOptions: { llamacpp: { rawPrompt: true } },
  }));
  return callOf({ max_tokens: DEFAULT_MAX_TOKENS, ...request }, prompts);
}
