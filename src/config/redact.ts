/** Secrets out of values that are shown or handed to scripts. */
import { childNode, ROOT, type SchemaNode } from "./node.ts";
import { isTree } from "./tree.ts";

export const REDACTED = "<REDACTED>";

const SECRET_NAME = /api_?key|secret|password|passwd|token$|hmac_key/i;
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+@/gi;
/** Names of variables and counts, not secrets. */
const HARMLESS_NAME = /_env$|max_tokens|tokens_per/i;

/**
 * A copy with every secret replaced, at every level: keys the schema marks, and, where it knows nothing, keys whose
 * name says so; passwords in URLs too. @param keys where the value stands in the configuration
 */
export function redact(
  value: unknown,
  keys: readonly string[] = [],
  mask: (secret: string) => string = () => REDACTED,
): unknown {
  let node: SchemaNode | undefined = ROOT;
  for (const key of keys) node = node && childNode(node, key);
  return redactNode(value, node, keys.at(-1) ?? "", mask);
}

function redactNode(
  value: unknown,
  node: SchemaNode | undefined,
  key: string,
  mask: (secret: string) => string,
): unknown {
  if (Array.isArray(value)) return value.map((entry) => redactNode(entry, node?.items, key, mask));
  if (isTree(value)) {
    const entries = Object.entries(value);
    return Object.fromEntries(
      entries.map(([name, entry]) => [name, redactNode(entry, node && childNode(node, name), name, mask)]),
    );
  }
  if (value === undefined || value === null || value === "" || typeof value === "boolean") return value;
  if (isSecret(key, node)) return mask(String(value));
  return typeof value === "string" ? withoutUrlPasswords(value, REDACTED) : value;
}

/** @param mark stands in place of each password */
export const withoutUrlPasswords = (text: string, mark: string): string =>
  text.replace(URL_PASSWORD, `$1${mark}@`);

function isSecret(key: string, node: SchemaNode | undefined): boolean {
  if (node?.["x-secret"]) return true;
  return SECRET_NAME.test(key) && !HARMLESS_NAME.test(key);
}

/** Enough of a secret to recognise it: `sk-…last4`. */
export function maskSecret(secret: string): string {
  if (secret.length < 12) return "…";
  const prefix = /^[A-Za-z]{2,4}[-_]/.exec(secret)?.[0] ?? "";
  return `${prefix}…${secret.slice(-4)}`;
}
