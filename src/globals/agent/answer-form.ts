import type { AnswerForm } from "../../agents/answer-form.ts";
import { messageOf, SpellError } from "../../core/errors.ts";
import { parseJson } from "../../core/json.ts";
import { describeValue } from "../check.ts";
import { type Table, table, text } from "./fields.ts";

/**
 * What an answer has to be: `schema`, `grammar`, or `response_format` as OpenAI has it
 * (`{type = "json_schema", json_schema = {schema = ...}}`, `{type = "json_object"}`).
 * @throws SpellError invalid_argument for several of them, or one of the wrong type
 */
export function answerForm(given: Table): AnswerForm | undefined {
  const forms: AnswerForm[] = [];
  if (given.schema !== undefined) forms.push({ schema: schemaTable(given.schema, "schema") });
  if (given.grammar !== undefined) {
    const grammar = text(given.grammar);
    if (grammar === undefined) throw wrong("grammar", "must be a string in GBNF");
    forms.push({ grammar });
  }
  if (given.response_format !== undefined) forms.push(...formatForm(given.response_format));
  if (forms.length > 1) throw wrong("schema", 'must be given alone, without "grammar" or "response_format"');
  return forms[0];
}

function formatForm(given: unknown): AnswerForm[] {
  const format = table(given) ?? {};
  if (format.type === "text") return [];
  if (format.type === "json_object") return [{ schema: { type: "object" } }];
  if (format.type === "json_schema") {
    const schema = table(format.json_schema)?.schema ?? format.schema;
    return [{ schema: schemaTable(schema, "response_format.json_schema.schema") }];
  }
  throw wrong(
    "response_format",
    `must be a table with the type "text", "json_object" or "json_schema": ${describeValue(format.type ?? given)}`,
  );
}

/** A table, or JSON text, which keeps the order of the properties. */
function schemaTable(given: unknown, name: string): unknown {
  const value = typeof given === "string" ? schemaText(given, name) : given;
  if (table(value) !== undefined || (Array.isArray(value) && value.length === 0)) return value;
  throw wrong(name, "must be a JSON Schema, as a table or as text");
}

function schemaText(given: string, name: string): unknown {
  try {
    return parseJson(given);
  } catch (error) {
    throw wrong(name, `must be a JSON Schema: ${messageOf(error)}`);
  }
}

function wrong(name: string, rule: string): SpellError {
  return new SpellError("invalid_argument", `Cannot hold the answer: "${name}" ${rule}`);
}
