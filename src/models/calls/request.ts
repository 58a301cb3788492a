/** A request to a model as what its answer depends on: the same text for the same question. */
import { createHash } from "node:crypto";
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { isPlainObject } from "../../core/values.ts";

/** Without headers, which carry keys, and signals. Bytes stand as their length and hash. */
export function normalRequest({
  abortSignal: _signal,
  headers: _headers,
  includeRawChunks: _raw,
  ...options
}: LanguageModelV4CallOptions): Record<string, unknown> {
  return plain(options) as Record<string, unknown>;
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    const sha256 = createHash("sha256").update(value).digest("hex");
    return { bytes: value.length, sha256 };
  }
  if (value instanceof URL) return value.href;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (!isPlainObject(value)) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(entries.map(([key, member]) => [key, plain(member)]));
}
