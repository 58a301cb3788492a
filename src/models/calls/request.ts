/** A request to a model as what its answer depends on: the same text for the same question. */
import { createHash } from "node:crypto";
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { isPlainObject } from "../../core/values.ts";

/** Calls whose longest answer is not theirs but what a budget leaves. */
const bounded = new WeakSet<LanguageModelV4CallOptions>();

/** The same call with a longest answer; which call it is does not depend on that. */
export function boundAnswer(
  options: LanguageModelV4CallOptions,
  maxOutputTokens: number,
): LanguageModelV4CallOptions {
  const call = { ...options, maxOutputTokens };
  bounded.add(call);
  return call;
}

export const isBounded = (options: LanguageModelV4CallOptions): boolean => bounded.has(options);

/** Without headers, which carry keys, and signals. Bytes stand as their length and hash. */
export function normalRequest(call: LanguageModelV4CallOptions): Record<string, unknown> {
  const {
    abortSignal: _signal,
    headers: _headers,
    includeRawChunks: _raw,
    maxOutputTokens,
    ...options
  } = call;
  return plain({ ...options, ...(isBounded(call) ? {} : { maxOutputTokens }) }) as Record<string, unknown>;
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
