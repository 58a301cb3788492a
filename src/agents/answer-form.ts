/** The form that an agent's final answer has to have: JSON of a schema, or a text of a grammar. */
import type { JSONSchema7, LanguageModelV4CallOptions, LanguageModelV4Message } from "@ai-sdk/provider";
import Schema from "typebox/schema";
import { SpellError } from "../core/errors.ts";
import { schemaGrammar } from "../models/grammar/schema.ts";
import type { SpellModel } from "../models/service.ts";

export type AnswerForm = { schema: unknown } | { grammar: string };

/**
 * Refuses a form that the model cannot be held to, before anything is loaded or asked.
 * @throws SpellError invalid_argument
 */
export function checkForm(form: AnswerForm | undefined, model: SpellModel): void {
  if (form === undefined) return;
  if ("schema" in form) {
    if (model.holdsToGrammar === true) schemaGrammar(form.schema);
    return;
  }
  if (model.holdsToGrammar === true) return;
  throw new SpellError(
    "invalid_argument",
    `Cannot call model ${model.provider}/${model.modelId}: it cannot be held to a grammar`,
    { hint: "Use a local model, or a JSON schema, which the answer is checked against" },
  );
}

/** What of a call's options asks for the form. */
export function formOptions(
  form: AnswerForm,
): Pick<LanguageModelV4CallOptions, "responseFormat" | "providerOptions"> {
  if ("schema" in form) return { responseFormat: { type: "json", schema: form.schema as JSONSchema7 } };
  return { providerOptions: { llamacpp: { grammar: form.grammar } } };
}

/** The value of an answer of the form; undefined where it is none. */
export function readAnswer(form: AnswerForm | undefined, text: string): { value: unknown } | undefined {
  if (form === undefined || !("schema" in form)) return undefined;
  const value = parse(text);
  if (value === undefined || !Schema.Check(form.schema as Schema.XSchema, value.value)) return undefined;
  return value;
}

/** Why an answer is none of the form. */
export function refuseAnswer(form: { schema: unknown }, model: SpellModel, text: string): SpellError {
  return new SpellError(
    "provider",
    `Cannot use the answer of model ${model.provider}/${model.modelId}: it does not keep to the schema: ${mistakes(form, text)[0]}`,
    {
      data: { provider: model.provider, model: model.modelId, answer: text.slice(0, 2000) },
      hint: "Say in the prompt what is wanted; local models are held to the schema while they write",
    },
  );
}

const MISTAKES_TOLD = 5;

/** What a model is told of an answer that is none of the form, and what it is asked for. */
export function askForRepair(form: { schema: unknown }, text: string): LanguageModelV4Message[] {
  const told = mistakes(form, text)
    .slice(0, MISTAKES_TOLD)
    .map((mistake) => `- ${mistake}`);
  const wanted = "Answer again with JSON that keeps to it, and with nothing else.";
  const rule = `This answer does not keep to the JSON schema:\n${told.join("\n")}\n${wanted}`;
  return [
    ...(text === "" ? [] : [{ role: "assistant" as const, content: [{ type: "text" as const, text }] }]),
    { role: "user", content: [{ type: "text", text: rule }] },
  ];
}

function mistakes(form: { schema: unknown }, text: string): string[] {
  const value = parse(text);
  if (value === undefined) return ["it is no JSON"];
  const [, errors] = Schema.Errors(form.schema as Schema.XSchema, value.value);
  const told = errors.map(
    ({ instancePath, message }) => `${instancePath || "the value"} ${message ?? "does not fit"}`,
  );
  return told.length === 0 ? ["the value does not fit"] : told;
}

function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
