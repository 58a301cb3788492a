/** The form that an agent's final answer has to have: JSON of a schema, or a text of a grammar. */
import type { JSONSchema7, LanguageModelV4CallOptions } from "@ai-sdk/provider";
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
  const value = parse(text);
  const [, errors] =
    value === undefined ? [false, []] : Schema.Errors(form.schema as Schema.XSchema, value.value);
  const reason =
    value === undefined
      ? "it is no JSON"
      : `${errors[0]?.instancePath || "the value"} ${errors[0]?.message ?? "does not fit"}`;
  return new SpellError(
    "provider",
    `Cannot use the answer of model ${model.provider}/${model.modelId}: it does not keep to the schema: ${reason}`,
    {
      data: { provider: model.provider, model: model.modelId, answer: text.slice(0, 2000) },
      hint: "Say in the prompt what is wanted; local models are held to the schema while they write",
    },
  );
}

function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
