/** The forms in which a script's value can be shown. */
import { isPlainObject } from "./values.ts";

const MIME_TYPE = /^(text|image|audio|video|application|model)\/[\w.+-]+$/;

/** A table whose keys are MIME types says itself how it looks: Markdown, images, whatever a front end can show. */
export function isMimeBundle(value: unknown): value is Record<string, unknown> {
  if (!isPlainObject(value)) return false;
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => MIME_TYPE.test(key));
}

/**
 * A value (as `documentValue` gives it) for those who can show text only: its JSON text; of a table of MIME types a text
 * of it, or the names.
 */
export function plainText(shown: unknown): string {
  if (!isMimeBundle(shown)) return JSON.stringify(shown);
  const text = Object.entries(shown).find(([type, data]) => /^text\//.test(type) && typeof data === "string");
  const plain = shown["text/plain"] ?? text?.[1];
  return plain === undefined ? `<${Object.keys(shown).join(", ")}>` : String(plain);
}
