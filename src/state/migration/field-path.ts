/** Fields by dotted paths: `address.city`, `items.0.name`. */
import { isPlainObject } from "../../core/values.ts";

type Container = Record<string, unknown> | unknown[];

const isContainer = (value: unknown): value is Container => Array.isArray(value) || isPlainObject(value);

export type FieldPath = readonly string[];

export const fieldPath = (text: string): FieldPath => text.split(".");

const member = (container: Container, name: string): unknown =>
  Object.hasOwn(container, name) ? (container as Record<string, unknown>)[name] : undefined;

/** Undefined where there is none. */
export function getField(record: unknown, path: FieldPath): unknown {
  let at = record;
  for (const name of path) {
    if (!isContainer(at)) return undefined;
    at = member(at, name);
  }
  return at;
}

/** Makes the objects on the way. A value on the way that is no table is replaced. */
export function setField(record: Container, path: FieldPath, value: unknown): void {
  let at = record;
  for (const name of path.slice(0, -1)) {
    let next = member(at, name);
    if (!isContainer(next)) {
      next = {};
      (at as Record<string, unknown>)[name] = next;
    }
    at = next as Container;
  }
  (at as Record<string, unknown>)[path.at(-1)!] = value;
}

/** Whether there was one. In an array, the later items move up. */
export function removeField(record: Container, path: FieldPath): boolean {
  const parent = path.length === 1 ? record : getField(record, path.slice(0, -1));
  const name = path.at(-1)!;
  if (!isContainer(parent) || !Object.hasOwn(parent, name)) return false;
  if (Array.isArray(parent)) parent.splice(Number(name), 1);
  else delete parent[name];
  return true;
}
