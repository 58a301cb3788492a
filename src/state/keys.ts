/**
 * Scopes, keys and classes of state (spec/kernel.md sections 13.1 to 13.3): what a script names, and the storage key
 * that stands for it. A colon within an id is written `%3A`, so that `user:a:b` and the key `b:x` of `user:a` are two.
 */
import { SpellError } from "../core/errors.ts";
import { isSensitiveKey } from "./redact.ts";

/** `KIND:ID` is a scope of its own. */
const KINDS = new Set(["user", "session", "agent", "tool", "workflow", "hook", "custom"]);

const MAX_KEY_CHARACTERS = 256;
const MAX_STORAGE_KEY_BYTES = 512;

/** `ephemeral`: in memory only. `trusted`: no hooks. `sensitive`, `external`: not shown in listings. */
export type StateClass = "ephemeral" | "trusted" | "standard" | "sensitive" | "external";

export interface StatePlace {
  storageKey: string;
  scope: string;
  key: string;
  class: StateClass;
}

/** Whether it is `KIND:ID`. */
export function isScopeWithId(scope: string): boolean {
  const colon = scope.indexOf(":");
  return KINDS.has(scope.slice(0, Math.max(0, colon))) && colon < scope.length - 1;
}

/** @throws SpellError invalid_argument: `Invalid format: …` */
export function placeOf(scope: string, key: string): StatePlace {
  const name = normalized(scope);
  const own = normalized(key);
  checkName("Scope", name);
  checkName("Key", own);
  const storageKey = scopePrefix(name) + own;
  if (storageKey.length * 3 > MAX_STORAGE_KEY_BYTES && Buffer.byteLength(storageKey) > MAX_STORAGE_KEY_BYTES)
    throw invalid(`Scope and key together cannot be longer than ${MAX_STORAGE_KEY_BYTES} bytes`, key);
  return { storageKey, scope: name, key: own, class: classOf(own) };
}

function scopePrefix(name: string): string {
  const colon = name.indexOf(":");
  if (colon === -1 || !KINDS.has(name.slice(0, colon))) return `${name}:`;
  return `${name.slice(0, colon)}:${escapeId(name.slice(colon + 1))}:`;
}

/**
 * What the storage keys of a scope begin with, as they are and as they were before ids were escaped. One colon at the
 * end of the scope is ignored.
 */
export function prefixesOf(scope: string): string[] {
  const name = normalized(scope.endsWith(":") ? scope.slice(0, -1) : scope);
  checkName("Scope", name);
  return [...new Set([scopePrefix(name), `${name}:`])];
}

/** Scope and key of a stored record. */
export function parseStorageKey(storageKey: string): { scope: string; key: string } {
  const first = storageKey.indexOf(":");
  if (first === -1) return { scope: "custom", key: storageKey };
  const head = storageKey.slice(0, first);
  const second = storageKey.indexOf(":", first + 1);
  if (!KINDS.has(head) || second <= first + 1) return { scope: head, key: storageKey.slice(first + 1) };
  const id = storageKey
    .slice(first + 1, second)
    .replaceAll("%3A", ":")
    .replaceAll("%25", "%");
  return { scope: `${head}:${id}`, key: storageKey.slice(second + 1) };
}

/** Scope and key of a key that is written with its scope (`user:ID:x`, `global:x`); any other is of `global`. */
export function splitKey(key: string): { scope: string; key: string } {
  const head = key.slice(0, Math.max(0, key.indexOf(":")));
  return head === "global" || KINDS.has(head) ? parseStorageKey(key) : { scope: "global", key };
}

/**
 * Other storage keys under which the same value may stand: written before ids were escaped, or named by another
 * division into scope and key (`workflow` with `a:b:step` is `workflow:a:b` with `step`). For reads that found nothing.
 */
export function otherSpellings({ scope, key, storageKey }: StatePlace): string[] {
  const keys: string[] = [];
  const flat = `${scope}:${key}`;
  if (flat !== storageKey) keys.push(flat);
  if (KINDS.has(scope)) {
    const parts = key.split(":");
    for (let ids = 2; ids < parts.length; ids++)
      keys.push(`${scopePrefix(`${scope}:${parts.slice(0, ids).join(":")}`)}${parts.slice(ids).join(":")}`);
  }
  return keys;
}

/** Storage keys that a script may name whatever the scope: a workflow's, and any after a colon. */
export function rawKeys(key: string): string[] {
  if (key.startsWith(":") && key.length > 1) return [key.slice(1)];
  return key.startsWith("workflow:") || key.startsWith("nested:") ? [key] : [];
}

export function classOf(key: string): StateClass {
  if (key.startsWith("temp:") || key.startsWith("cache:")) return "ephemeral";
  if (key.startsWith("benchmark:") || key.startsWith("test:")) return "trusted";
  if (key.startsWith("external:") || key.startsWith("user_input:")) return "external";
  return isSensitiveKey(key) ? "sensitive" : "standard";
}

const escapeId = (id: string): string =>
  id.includes(":") || id.includes("%") ? id.replaceAll("%", "%25").replaceAll(":", "%3A") : id;

const PLAIN = /^[\x20-\x7e]*$/;
const normalized = (text: string): string => (PLAIN.test(text) ? text : text.normalize("NFC"));

function checkName(what: "Key" | "Scope", name: string): void {
  if (name === "") throw invalid(`${what} cannot be empty`, name);
  if (name.length > MAX_KEY_CHARACTERS && [...name].length > MAX_KEY_CHARACTERS)
    throw invalid(`${what} cannot be longer than ${MAX_KEY_CHARACTERS} characters`, name);
  if (name.includes("..") || name.includes("\\") || name.includes("//"))
    throw invalid(`${what} contains invalid path traversal characters`, name);
  if (/[\0\r\n]/.test(name)) throw invalid(`${what} contains invalid control characters`, name);
  if (name.startsWith("__") || name.startsWith("$$"))
    throw invalid(`${what} cannot start with reserved prefixes __ or $$`, name);
}

function invalid(rule: string, name: string): SpellError {
  return new SpellError("invalid_argument", `Invalid format: ${rule}`, {
    data: { name: name.slice(0, MAX_KEY_CHARACTERS) },
  });
}
