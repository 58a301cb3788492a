import type { AgentInput } from "../../agents/service.ts";
import { SpellError } from "../../core/errors.ts";
import type { ScriptValue } from "../../core/values.ts";
import { answerForm } from "./answer-form.ts";
import { integer, number, present, type Table, table, text } from "./fields.ts";
import { imagesOf } from "./images.ts";

/**
 * A string, or a table with `text` (or `prompt`, `input`). Other fields: `parameters`, `image`, `media`, `temperature`,
 * `max_tokens`, `schema`, `grammar`, `response_format`; temperature and length are also taken from `parameters`.
 * @throws SpellError invalid_argument when there is no text, or an image is none
 */
export function agentInput(value: ScriptValue): AgentInput {
  const given: Table = table(value) ?? { text: text(value) };
  const words = text(given.text) ?? text(given.prompt) ?? text(given.input);
  if (words === undefined) {
    throw new SpellError("invalid_argument", 'Cannot run agent: "text" is required in the input', {
      hint: 'Pass {text = "..."} or a string',
    });
  }
  const { temperature, max_tokens, ...parameters } = table(given.parameters) ?? {};
  const images = imagesOf(given);
  return present<AgentInput>({
    text: words,
    temperature: number(given.temperature) ?? number(temperature),
    maxTokens: integer(given.max_tokens) ?? integer(max_tokens),
    form: answerForm(given),
    parameters: Object.keys(parameters).length > 0 ? parameters : undefined,
    images: images.length > 0 ? images : undefined,
  });
}
