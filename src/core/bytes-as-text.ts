import { isPlainObject } from "./values.ts";

/** The same value with base64 text in place of bytes, which JSON cannot hold. Objects of classes stay what they are. */
export function withTextForBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.toBase64();
  if (Array.isArray(value)) return value.map(withTextForBytes);
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withTextForBytes(item)]));
}
