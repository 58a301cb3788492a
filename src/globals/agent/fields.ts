/** Reading options tables: a field of the wrong type is ignored, as spec/lua-api.md section 0.1 has it. */
import { isPlainObject, type ScriptValue } from "../../core/values.ts";

export type Table = Record<string, ScriptValue>;

export function text(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return typeof value === "string" ? value : undefined;
}

export function number(value: unknown): number | undefined {
  const n =
    typeof value === "bigint" || (typeof value === "string" && value.trim() !== "") ? Number(value) : value;
  return typeof n === "number" && Number.isFinite(n) ? n : undefined;
}

export function integer(value: unknown): number | undefined {
  const n = number(value);
  return n !== undefined && Number.isInteger(n) ? n : undefined;
}

export function flag(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

export function table(value: unknown): Table | undefined {
  return isPlainObject(value) ? (value as Table) : undefined;
}

/** An array of strings; `{}` is an empty one. */
export function texts(value: unknown): string[] | undefined {
  if (isPlainObject(value) && Object.keys(value).length === 0) return [];
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((item) => text(item) ?? []);
}

/** The fields that are there: what `exactOptionalPropertyTypes` wants instead of undefined ones. */
export function present<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
