/** Helpers that give a value; those that take a block are in handlebars.ts. */
import { display, member } from "./values.ts";

type Helper = (...args: unknown[]) => unknown;

/** Empty lists, empty text, 0, false and what is missing are false; any object is true. */
export function isTrue(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

export const HELPERS: ReadonlyMap<string, Helper> = new Map<string, Helper>([
  ["uppercase", (text) => display(text).toUpperCase()],
  ["lowercase", (text) => display(text).toLowerCase()],
  ["lookup", (object, key) => member(object, key)],
  ["len", (value) => (Array.isArray(value) ? value.length : Object.keys(Object(value)).length)],
  ["eq", (a, b) => a === b],
  ["ne", (a, b) => a !== b],
  ["gt", (a, b) => Number(a) > Number(b)],
  ["gte", (a, b) => Number(a) >= Number(b)],
  ["lt", (a, b) => Number(a) < Number(b)],
  ["lte", (a, b) => Number(a) <= Number(b)],
  ["and", (...args) => args.every(isTrue)],
  ["or", (...args) => args.some(isTrue)],
  ["not", (value) => !isTrue(value)],
]);
