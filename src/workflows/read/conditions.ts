/** Conditions as scripts write them: spec/agents-workflows-rag.md section 4.4. */
import { messageOf } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { isPlainObject, isScriptFunction } from "../../core/values.ts";
import { parseExpression } from "../expression/parse.ts";
import type { Condition } from "../model.ts";
import { isNil, list, type Place, type Table, text } from "./fields.ts";

const TYPES = [
  "always",
  "never",
  "shared_data_equals",
  "shared_data_exists",
  "step_output_equals",
  "step_result_equals",
  "step_output_contains",
  "step_output_exists",
  "step_succeeded",
  "step_failed",
  "agent_classification",
  "and",
  "or",
  "not",
  "custom",
] as const;

/**
 * A table with a `type`, a function, an expression, `"step:NAME:OUTPUT"`, or true and false.
 * @param expected what the output of `"step:NAME:output"` must be, where it is given apart
 */
export function readCondition(value: unknown, place: Place, expected?: unknown): Condition {
  if (isScriptFunction(value)) return { type: "function", call: value };
  if (typeof value === "boolean") return { type: value ? "always" : "never" };
  if (typeof value === "string") return readText(value, place, expected);
  if (!isPlainObject(value))
    throw place.refuse(
      "must be a condition",
      value ?? null,
      'Give {type = "always"}, an expression or a function',
    );
  return readTable(value, place);
}

export function maybeCondition(value: unknown, place: Place): Condition | undefined {
  return isNil(value) ? undefined : readCondition(value, place);
}

function readText(given: string, place: Place, expected: unknown): Condition {
  const [, step, output] = /^step:([^:]+):(.*)$/s.exec(given) ?? [];
  if (step === undefined) return custom(given, place);
  if (!isNil(expected)) return { type: "step_output_equals", step, value: expected };
  if (output === "output") return { type: "step_output_exists", step };
  return { type: "step_output_equals", step, value: output! };
}

function custom(given: string, place: Place): Condition {
  try {
    return { type: "custom", text: given, expression: parseExpression(given) };
  } catch (error) {
    throw place.refuse(messageOf(error).replace(/^Cannot read the condition/, "cannot be read"));
  }
}

function readTable(given: Table, place: Place): Condition {
  const type = text(given.type, place.at("type"));
  const step = () => text(given.step ?? given.step_name, place.at("step"));
  const key = () => text(given.key, place.at("key"));
  const value = () => given.value ?? given.expected ?? given.expected_value ?? null;
  switch (type) {
    case "always":
    case "never":
      return { type };
    case "shared_data_equals":
      return { type, key: key(), value: value() };
    case "shared_data_exists":
      return { type, key: key() };
    case "step_output_equals":
      return { type, step: step(), value: given.expected ?? given.output ?? value() };
    case "step_result_equals":
      return { type, step: step(), value: value() };
    case "step_output_contains":
      return { type, step: step(), text: text(given.text ?? given.search_text, place.at("text")) };
    case "step_succeeded":
    case "step_failed":
    case "step_output_exists":
      return { type, step: step() };
    case "agent_classification":
      return { type, step: step(), label: text(given.label ?? given.expected, place.at("label")) };
    case "and":
    case "or": {
      const all = place.at("conditions");
      const conditions = list(given.conditions ?? [], all).map((part, i) => readCondition(part, all.item(i)));
      if (conditions.length === 0) throw all.refuse("must not be empty");
      return { type, conditions };
    }
    case "not":
      return { type, condition: readCondition(given.condition, place.at("condition")) };
    case "custom":
      return custom(text(given.expression, place.at("expression")), place.at("expression"));
    default:
      throw place
        .at("type")
        .refuse(
          "is no type of condition",
          type,
          didYouMean(type, TYPES) ?? `Types are ${TYPES.join(", ")}; a function of the script works too`,
        );
  }
}
