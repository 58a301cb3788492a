/** A call of a model as recordings keep it, and the same call made once more. */
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { SpellError } from "../core/errors.ts";
import { isPlainObject } from "../core/values.ts";
import {
  EMBEDDINGS,
  embedAgain,
  type ModelChoice,
  overridesOf,
  RERANK,
  rankAgain,
} from "../models/recorded.ts";
import type { ModelService } from "../models/service.ts";
import type { ToolService } from "../tools/service.ts";
import { callModel, loadModel, type ModelAnswer } from "./model-call.ts";
import { modelTool } from "./tool-round.ts";

export function recordedQuestion(choice: ModelChoice, settings: object, options: LanguageModelV4CallOptions) {
  const { prompt, tools = [], toolChoice, responseFormat, providerOptions = {} } = options;
  return {
    ...choice,
    prompt,
    settings,
    tools: tools.map(({ name }) => name),
    ...(toolChoice === undefined ? {} : { tool_choice: toolChoice }),
    ...(responseFormat === undefined ? {} : { response_format: responseFormat }),
    ...(Object.keys(providerOptions).length === 0 ? {} : { provider_options: providerOptions }),
  };
}

export const recordedAnswer = ({ text, toolCalls, finishReason, usage }: ModelAnswer) => ({
  text,
  tool_calls: toolCalls.map(({ toolName, input }) => ({ tool: toolName, input })),
  finish_reason: finishReason,
  usage,
});

interface Through {
  models: ModelService;
  tools: ToolService;
  signal: AbortSignal;
}

/**
 * @param name `provider/model`, for recordings that do not say which model was asked for
 * @throws SpellError invalid_argument for what is no question, not_found for a model or tool, what the model fails with
 */
export async function askAgain(
  name: string,
  input: Record<string, unknown>,
  { models, tools, signal }: Through,
) {
  const { model: specifier = name, settings = {}, prompt } = input;
  if (typeof specifier !== "string") throw noQuestion(name, "model", "a text", specifier);
  if (input.operation === EMBEDDINGS) return embedAgain(specifier, input, models, signal);
  if (input.operation === RERANK) return rankAgain(specifier, input, models, signal);
  if (!isPlainObject(settings)) throw noQuestion(name, "settings", "an object", settings);
  if (!Array.isArray(prompt)) throw noQuestion(name, "prompt", "a list of messages", prompt);
  const named = Array.isArray(input.tools) ? input.tools.map(String) : [];
  const model = await models.resolve(specifier, overridesOf(input));
  const options = {
    ...settings,
    prompt,
    ...(named.length === 0 ? {} : { tools: named.map((tool) => modelTool(toolOf(tools, tool, name))) }),
    ...given("toolChoice", input.tool_choice),
    ...given("responseFormat", input.response_format),
    ...given("providerOptions", input.provider_options),
  } as LanguageModelV4CallOptions;
  await loadModel(model, signal, () => {});
  return recordedAnswer(await callModel(model, options, signal, async () => {}));
}

const given = (key: string, value: unknown) => (value === undefined ? {} : { [key]: value });

function toolOf(tools: ToolService, name: string, model: string) {
  const tool = tools.find(name);
  if (tool !== undefined) return tool;
  throw new SpellError("not_found", `Cannot ask model ${model} again: no such tool: ${name}`, {
    data: { tool: name },
    hint: "Tools of a script are there only while it runs; replay from within it",
  });
}

function noQuestion(name: string, field: string, rule: string, value: unknown): SpellError {
  return new SpellError(
    "invalid_argument",
    `Cannot ask model ${name} again: "${field}" of its input must be ${rule}: ${JSON.stringify(value) ?? "nothing"}`,
    { hint: "Change what stands in the field, for example prompt[2].content[1].text" },
  );
}
