/**
 * Secrets out of state that is shown: listings, dumps, events (spec/agents-workflows-rag.md section 9.7). Never on the
 * way to a script. Names count as whole words: `author`, `token_count` and `max_tokens` are no secrets.
 */
import { withTextForBytes } from "../core/bytes-as-text.ts";
import { stringifyJson } from "../core/json.ts";
import { linearRegex } from "../core/linear-regex.ts";
import { isPlainObject } from "../core/values.ts";

const REDACTED = "[REDACTED]";
const HASH_CHARACTERS = 8;
/** Of this process alone, so that nobody can try out what a short hash stands for. Hexadecimal. */
export const HASH_KEY = crypto.getRandomValues(new Uint8Array(32)).toHex();

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

export interface RedactionSettings {
  enabled: boolean;
  /** Equal secrets get equal marks, within this process. */
  hash_redacted: boolean;
  /** Further names of secrets, and expressions (RE2) for texts that hold one. */
  field_names: readonly string[];
  patterns: readonly string[];
}

interface Pattern {
  replaceIn(text: string, mark: (secret: string) => string): string;
}

export class Redactor {
  private readonly names: ReadonlySet<string>;
  private readonly patterns: readonly Pattern[];

  /** @param hashKey that of another thread of this process @throws SpellError invalid_argument for a wrong expression */
  constructor(
    private readonly settings: RedactionSettings,
    private readonly hashKey = HASH_KEY,
  ) {
    this.names = new Set(settings.field_names.map(words));
    this.patterns = [...SECRET_TEXTS.map(builtin), ...settings.patterns.map(custom)];
  }

  /** A value as listings and events show it. */
  shown(key: string, value: unknown): unknown {
    if (!this.settings.enabled || value === null || value === undefined) return value;
    return isSensitiveKey(key) ? this.mark(value) : this.redact(value, key);
  }

  /** A copy with secrets replaced: members with the name of a secret, and texts that look like one. */
  redact(value: unknown, name = ""): unknown {
    if (value === null || value === undefined) return value;
    if (this.isSecretName(name)) return this.mark(value);
    if (typeof value === "string") return this.redactText(value);
    if (Array.isArray(value)) return value.map((item) => this.redact(item));
    if (!isPlainObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.redact(member, key)]));
  }

  redactText(text: string): string {
    let shown = text;
    for (const pattern of this.patterns) shown = pattern.replaceIn(shown, (secret) => this.mark(secret));
    return shown;
  }

  private isSecretName(name: string): boolean {
    const own = words(name);
    return SECRET_NAME.test(own) || this.names.has(own);
  }

  private mark(secret: unknown): string {
    if (!this.settings.hash_redacted) return REDACTED;
    const text = typeof secret === "string" ? secret : stringifyJson(withTextForBytes(secret));
    const hash = new Bun.CryptoHasher("sha256", this.hashKey).update(text).digest("hex");
    return `${REDACTED}_${hash.slice(0, HASH_CHARACTERS)}`;
  }
}

const builtin = (pattern: RegExp): Pattern => ({
  replaceIn: (text, mark) => text.replaceAll(pattern, mark),
});

function custom(source: string): Pattern {
  const pattern = linearRegex(source);
  return {
    replaceIn(text, mark) {
      const found = pattern.matcher(text);
      let shown = "";
      let from = 0;
      while (found.find()) {
        if (found.start() === found.end()) continue;
        shown += text.slice(from, found.start()) + mark(text.slice(found.start(), found.end()));
        from = found.end();
      }
      return shown + text.slice(from);
    },
  };
}

/** Keys of state with `secret`, `credential` among their words, or `token` as a part's last word. */
export function isSensitiveKey(key: string): boolean {
  if (!/secret|token|credential/i.test(key)) return false;
  return key
    .split(/[:./]/)
    .some((part) => /(?:^|_)(?:secrets?|credentials?)(?:_|$)|(?:^|_)token$/.test(words(part)));
}

/** `accessToken` and `access-token` as `access_token`. */
const words = (name: string): string =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, "_")
    .replaceAll(/^_+|_+$/g, "");
