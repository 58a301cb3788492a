import { isPlainObject } from "../../core/values.ts";
import type { Comparison, Expression } from "./parse.ts";

/** What a reference stands for; undefined where nothing has that name. */
export type Lookup = (name: string) => unknown;

export function evaluate(expression: Expression, lookup: Lookup): unknown {
  switch (expression.type) {
    case "value":
      return expression.value;
    case "reference":
      return lookup(expression.name) ?? null;
    case "not":
      return !isTrue(evaluate(expression.of, lookup));
    case "and":
      return isTrue(evaluate(expression.left, lookup)) && isTrue(evaluate(expression.right, lookup));
    case "or":
      return isTrue(evaluate(expression.left, lookup)) || isTrue(evaluate(expression.right, lookup));
    case "compare":
      return compare(
        expression.operator,
        evaluate(expression.left, lookup),
        evaluate(expression.right, lookup),
      );
  }
}

/** As in Lua, and texts that say no are no too: outputs of steps are texts. */
export function isTrue(value: unknown): boolean {
  return value !== null && value !== undefined && value !== false && value !== "" && value !== "false";
}

/** Numbers and texts that write the same number are equal; all else compares by what it holds. */
export function isEqual(left: unknown, right: unknown): boolean {
  if (typeof left === typeof right) return Bun.deepEquals(left ?? null, right ?? null);
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a !== undefined && b !== undefined) return a === b;
  if (typeof left === "boolean" || typeof right === "boolean") return String(left) === String(right);
  return (left ?? null) === (right ?? null);
}

function compare(operator: Comparison, left: unknown, right: unknown): boolean {
  switch (operator) {
    case "==":
      return isEqual(left, right);
    case "!=":
      return !isEqual(left, right);
    case "contains":
      return contains(left, right);
    default:
      return isInOrder(operator, left, right);
  }
}

function isInOrder(operator: "<" | "<=" | ">" | ">=", left: unknown, right: unknown): boolean {
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a !== undefined && b !== undefined) return ordered(operator, a, b);
  return typeof left === "string" && typeof right === "string" && ordered(operator, left, right);
}

function ordered<T extends number | string>(operator: "<" | "<=" | ">" | ">=", a: T, b: T): boolean {
  if (operator === "<") return a < b;
  if (operator === "<=") return a <= b;
  return operator === ">" ? a > b : a >= b;
}

export function contains(whole: unknown, part: unknown): boolean {
  if (typeof whole === "string") return typeof part !== "object" && whole.includes(String(part));
  if (Array.isArray(whole)) return whole.some((item) => isEqual(item, part));
  return isPlainObject(whole) && typeof part === "string" && Object.hasOwn(whole, part);
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const number = Number(value);
  return Number.isNaN(number) ? undefined : number;
}
