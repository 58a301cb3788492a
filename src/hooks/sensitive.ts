/** Secrets out of what hooks write down. */
import { isPlainObject } from "../core/values.ts";

export const REDACTED = "<REDACTED>";

const USUAL = ["password", "token", "key", "secret", "api_key", "auth", "authorization"];

/** A copy with the values under such names replaced; the names of the data itself are the operation's own. */
export function withoutSecrets(
  data: Record<string, unknown>,
  isSensitive: (name: string) => boolean = usual,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, inner(value, isSensitive)]));
}

function inner(value: unknown, isSensitive: (name: string) => boolean): unknown {
  if (Array.isArray(value)) return value.map((entry) => inner(entry, isSensitive));
  if (value instanceof Uint8Array) return `<${value.byteLength} bytes>`;
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [
      name,
      isSensitive(name) ? REDACTED : inner(entry, isSensitive),
    ]),
  );
}

/** Whether a name is one of these, or ends with one: `apiKey`, `x-api-key`, `DB_PASSWORD`. */
export function sensitiveNames(names: readonly string[]): (name: string) => boolean {
  const words = names.map((name) => name.toLowerCase().replace(/[_-]/g, ""));
  return (name) => {
    const parts = name
      .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
      .toLowerCase()
      .split(/[^a-z0-9]+/);
    return parts.some((_, from) => words.includes(parts.slice(from).join("")));
  };
}

const usual = sensitiveNames(USUAL);
