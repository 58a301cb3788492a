/** The table of a loop: what it goes over, what it does, and when it ends. */
import { isPlainObject } from "../../core/values.ts";
import { AGGREGATIONS, type Condition, DEFAULTS, type Iterator, type LoopDefinition } from "../model.ts";
import { maybeCondition, readCondition } from "./conditions.ts";
import {
  checkKeys,
  isNil,
  list,
  maybeCount,
  maybeFlag,
  maybeNumber,
  number,
  type Place,
  refuseObjects,
  type Table,
  table,
  word,
} from "./fields.ts";
import { readSteps, type StepDefaults } from "./steps.ts";

export const LOOP_FIELDS = [
  "iterator",
  "range",
  "collection",
  "while_condition",
  "loop_condition",
  "max_iterations",
  "body",
  "steps",
  "break_conditions",
  "continue_on_error",
  "aggregation",
  "aggregation_count",
  "iteration_delay_ms",
];

type Loop = Omit<
  LoopDefinition,
  "name" | "description" | "errorStrategy" | "timeoutMs" | "budget" | "durable" | "runId"
>;

export function readLoop(given: Table, place: Place, defaults: StepDefaults): Loop {
  const where = place.at("iterator");
  const source = isNil(given.iterator) ? given : table(given.iterator, where);
  if (source !== given)
    checkKeys(source, ["range", "collection", "while_condition", "max_iterations"], where);
  const cap = source.max_iterations ?? given.max_iterations;
  const body = readSteps(
    [...list(given.body ?? [], place.at("body")), ...list(given.steps ?? [], place.at("steps"))],
    place.at("body"),
    defaults,
  );
  if (body.length === 0) throw place.at("body").refuse("must have at least one step");
  const loopCondition = maybeCondition(given.loop_condition, place.at("loop_condition"));
  const iterator = readIterator(source, source === given ? place : where, loopCondition);
  const breaks = place.at("break_conditions");
  return {
    type: "loop",
    iterator,
    body,
    maxIterations:
      maybeCount(cap, place.at("max_iterations"), 1) ??
      (iterator.type === "while" ? DEFAULTS.maxIterations : undefined),
    loopCondition,
    breakConditions: breakList(given.break_conditions, breaks).map((one, i) =>
      readCondition(one, breaks.item(i)),
    ),
    continueOnError: maybeFlag(given.continue_on_error, place.at("continue_on_error")) ?? false,
    aggregation: word(given.aggregation, AGGREGATIONS, place.at("aggregation")) ?? "collect_all",
    aggregationCount: maybeCount(given.aggregation_count, place.at("aggregation_count"), 1) ?? 1,
    iterationDelayMs: maybeNumber(given.iteration_delay_ms, place.at("iteration_delay_ms"), 0) ?? 0,
  };
}

function breakList(value: unknown, place: Place): unknown[] {
  if (isNil(value)) return [];
  return Array.isArray(value) || (isPlainObject(value) && Object.keys(value).length === 0)
    ? list(value, place)
    : [value];
}

function readIterator(given: Table, place: Place, loopCondition: Condition | undefined): Iterator {
  const kinds = ["range", "collection", "while_condition"].filter((key) => !isNil(given[key]));
  if (kinds.length > 1) throw place.refuse(`must have one of ${kinds.join(" and ")}, not both`);
  if (!isNil(given.collection)) {
    const items = list(given.collection, place.at("collection"));
    if (items.length === 0) throw place.at("collection").refuse("must not be empty");
    refuseObjects(items, place.at("collection"));
    return { type: "collection", items };
  }
  if (!isNil(given.while_condition)) {
    const condition = readCondition(given.while_condition, place.at("while_condition"));
    const text = typeof given.while_condition === "string" ? given.while_condition : condition.type;
    return { type: "while", condition, text };
  }
  if (isNil(given.range) && loopCondition !== undefined)
    return { type: "while", condition: { type: "always" }, text: "loop_condition" };
  return readRange(isNil(given.range) ? {} : table(given.range, place.at("range")), place.at("range"));
}

function readRange(given: Table, place: Place): Iterator {
  checkKeys(given, ["start", "end", "step"], place);
  const read = (key: keyof typeof DEFAULTS.range) =>
    isNil(given[key]) ? DEFAULTS.range[key] : number(given[key], place.at(key));
  const [start, end, step] = [read("start"), read("end"), read("step")];
  if (step === 0) throw place.at("step").refuse("must not be 0");
  if (step > 0 ? start >= end : start <= end)
    throw place.refuse(`must run at least once: from ${start} to ${end} (exclusive) in steps of ${step}`);
  return { type: "range", start, end, step };
}
