/** Secrets out of what is written to a recording. */
import { withoutUrlPasswords } from "../config/redact.ts";
import { isPlainObject } from "../core/values.ts";
import { isSecretName } from "../security/environment-access.ts";
import { Redactor } from "../state/redact.ts";

/** The same mark for every secret, in every process: recordings are compared byte for byte. */
const REDACTOR = new Redactor({ enabled: true, hash_redacted: false, field_names: [], patterns: [] });
const REDACTED = "[REDACTED]";
/** A shorter value would be found in ordinary words. */
const SHORTEST = 8;

export class Secrets {
  /** The longest first: one may be part of another. */
  private readonly known: string[] = [];

  /** @param values what is known to be secret: keys of the configuration, the store and the environment */
  constructor(values: Iterable<string>) {
    for (const value of values) this.add(value);
  }

  add(value: string): void {
    if (value.length < SHORTEST || this.known.includes(value)) return;
    this.known.push(value);
    this.known.sort((a, b) => b.length - a.length);
  }

  /** A request: known secrets, texts that look like one, and members with the name of one. */
  outOfRequest(value: unknown): unknown {
    return REDACTOR.redact(this.mapTexts(value, (text) => this.withoutKnown(text)));
  }

  /** An answer: known secrets, and texts that look like one. */
  outOfAnswer(value: unknown): unknown {
    return this.mapTexts(value, (text) => REDACTOR.redactText(this.withoutKnown(text)));
  }

  private withoutKnown(text: string): string {
    let shown = withoutUrlPasswords(text, REDACTED);
    for (const secret of this.known) if (shown.includes(secret)) shown = shown.replaceAll(secret, REDACTED);
    return shown;
  }

  private mapTexts(value: unknown, change: (text: string) => string): unknown {
    if (typeof value === "string") return change(value);
    if (Array.isArray(value)) return value.map((item) => this.mapTexts(item, change));
    if (!isPlainObject(value)) return value;
    const { deltas } = value;
    if (isTexts(deltas)) {
      // a secret that came in pieces is in none of them
      const whole = deltas.join("");
      const clean = change(whole);
      if (clean !== whole)
        return { ...(this.mapTexts({ ...value, deltas: [] }, change) as object), deltas: [clean] };
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.mapTexts(item, change)]));
  }
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string");

/** Values of variables whose names say that they hold secrets. */
export function* environmentSecrets(env: Readonly<Record<string, string | undefined>>): Iterable<string> {
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && value !== "" && isSecretName(name)) yield value;
}
