/**
 * Secrets out of state that is shown: listings, dumps, events (spec/agents-workflows-rag.md section 9.7). Never on the
 * way to a script. Names count as whole words: `author`, `token_count` and `max_tokens` are no secrets.
 */
import { isPlainObject } from "../core/values.ts";

const REDACTED = "[REDACTED]";

const SECRET_NAMES = [
  "api_key",
  "apikey",
  "secret",
  "secret_key",
  "password",
  "passwd",
  "pwd",
  "token",
  "access_token",
  "auth_token",
  "bearer_token",
  "private_key",
  "privatekey",
  "credential",
  "credentials",
  "authorization",
  "auth",
];
/** The whole name, or its last words: `openai_api_key`, `githubToken`. */
const SECRET_NAME = new RegExp(`(?:^|_)(?:${SECRET_NAMES.join("|")})$`);

const SECRET_TEXTS: readonly RegExp[] = [
  /sk-ant-[A-Za-z0-9_-]{95}/g,
  /sk-[A-Za-z0-9]{48}/g,
  /\b(?:api[_-]?key|secret|(?:access|auth)[_-]?token|bearer)["']?\s*[:=]{1,2}\s*["']?[A-Za-z0-9_.~+/-]{20,}=*/gi,
  /\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g,
  /\bAKIA[0-9A-Z]{16}\b/g,
  /\bgh[po]_[A-Za-z0-9]{36}\b/g,
  /\b(?:password|secret|private[_-]?key)["']?\s*[:=]{1,2}\s*["']?[^\s"',;]{8,}/gi,
];

/** A copy with secrets replaced: members with the name of a secret, and texts that look like one. */
export function redactState(value: unknown, name = ""): unknown {
  if (value === null || value === undefined) return value;
  if (isSecretName(name)) return REDACTED;
  if (typeof value === "string") return redactText(value);
  if (Array.isArray(value)) return value.map((item) => redactState(item));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, redactState(member, key)]));
}

/** A value as listings and events show it. */
export function shownValue(key: string, value: unknown): unknown {
  return isSensitiveKey(key) && value !== null && value !== undefined ? REDACTED : redactState(value, key);
}

export function redactText(text: string): string {
  let shown = text;
  for (const pattern of SECRET_TEXTS) shown = shown.replaceAll(pattern, REDACTED);
  return shown;
}

/** Keys of state with `secret`, `credential` among their words, or `token` as a part's last word. */
export function isSensitiveKey(key: string): boolean {
  if (!/secret|token|credential/i.test(key)) return false;
  return key
    .split(/[:./]/)
    .some((part) => /(?:^|_)(?:secrets?|credentials?)(?:_|$)|(?:^|_)token$/.test(words(part)));
}

const isSecretName = (name: string): boolean => SECRET_NAME.test(words(name));

/** `accessToken` and `access-token` as `access_token`. */
const words = (name: string): string =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, "_")
    .replaceAll(/^_+|_+$/g, "");
