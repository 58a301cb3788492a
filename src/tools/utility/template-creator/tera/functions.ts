import { isPlainObject } from "../../../../core/values.ts";
import { display, templateError } from "../values.ts";
import type { FilterArguments } from "./filters.ts";

const MAX_RANGE = 100_000;

export const FUNCTIONS: ReadonlyMap<string, (args: FilterArguments) => unknown> = new Map([
  ["range", range],
  [
    "throw",
    (args: FilterArguments) => {
      throw templateError(display(args.get("message")));
    },
  ],
]);

/** Members are lists of numbers from `start` (0) to before `end`. */
function range(args: FilterArguments): number[] {
  const [start, end, step] = [args.get("start") ?? 0, args.get("end"), args.get("step_by") ?? 1].map(Number);
  if (end === undefined || !Number.isInteger(start) || !Number.isInteger(end) || !(step! > 0))
    throw templateError("range needs whole numbers: range(end=5), range(start=1, end=9, step_by=2)");
  const length = Math.max(0, Math.ceil((end - start!) / step!));
  if (length > MAX_RANGE) throw templateError(`range has more than ${MAX_RANGE} members`);
  return Array.from({ length }, (_, i) => start! + i * step!);
}

export const TESTS: ReadonlyMap<string, (value: unknown, ...args: unknown[]) => boolean> = new Map<
  string,
  (value: unknown, ...args: unknown[]) => boolean
>([
  ["odd", (value) => Math.abs(Number(value) % 2) === 1],
  ["even", (value) => Number(value) % 2 === 0],
  ["string", (value) => typeof value === "string"],
  ["number", (value) => typeof value === "number" || typeof value === "bigint"],
  ["divisibleby", (value, by) => Number(value) % Number(by) === 0],
  ["iterable", (value) => Array.isArray(value) || isPlainObject(value)],
  ["object", (value) => isPlainObject(value)],
  ["starting_with", (value, text) => display(value).startsWith(display(text))],
  ["ending_with", (value, text) => display(value).endsWith(display(text))],
  [
    "containing",
    (value, item) => (Array.isArray(value) ? value.includes(item) : display(value).includes(display(item))),
  ],
]);
