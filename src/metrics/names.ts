/** What metrics and their labels may be called. Light: script threads load it. */
import { SpellError } from "../core/errors.ts";

export type Labels = Readonly<Record<string, string>>;

export const MAX_LABELS = 8;
/** Longer values are cut. */
export const MAX_LABEL_CHARACTERS = 128;

const NAME = /^[A-Za-z][A-Za-z0-9_.\-/]{0,254}$/;
const LABEL = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;
/** Prometheus gives these a meaning. */
const TAKEN_LABELS = new Set(["le", "quantile"]);
const RESERVED =
  /^(kernel|execution|script_runtime|tool|agent|model|workflow|hook|event|state|session|security|vector|transport|debug)\./;

/** @throws SpellError invalid_argument */
export function checkScriptName(call: string, name: string): void {
  const refuse = (rule: string, hint: string) =>
    new SpellError("invalid_argument", `Cannot call ${call}: "name" ${rule}: ${JSON.stringify(name)}`, {
      data: { argument: "name" },
      hint,
    });
  if (!NAME.test(name))
    throw refuse(
      "must be a letter, then letters, digits, `_`, `.`, `-` or `/`, 255 characters at most",
      "Put what varies into labels",
    );
  if (RESERVED.test(name))
    throw refuse("begins as the kernel's own names do", `Choose another first word, such as my.${name}`);
}

/** Labels as text, sorted by name. Numbers and booleans become text. @throws SpellError invalid_argument */
export function checkLabels(call: string, given: Readonly<Record<string, unknown>> = {}): Labels {
  const names = Object.keys(given).sort();
  const refuse = (rule: string, value: unknown) =>
    new SpellError("invalid_argument", `Cannot call ${call}: "labels" ${rule}: ${String(value)}`, {
      data: { argument: "labels" },
      hint: 'Labels are a table such as {kind = "cold"}',
    });
  if (names.length > MAX_LABELS) throw refuse(`may hold ${MAX_LABELS} at most`, names.length);
  const labels: Record<string, string> = {};
  for (const name of names) {
    const value = given[name];
    if (!LABEL.test(name) || TAKEN_LABELS.has(name))
      throw refuse("must have names of letters, digits and `_`, and not le or quantile", name);
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
      throw refuse(`must be texts, numbers or booleans; "${name}" is none`, typeof value);
    labels[name] = String(value).slice(0, MAX_LABEL_CHARACTERS);
  }
  return labels;
}

/** `{kind="cold"}`, or nothing for no labels; the form of Prometheus' text. */
export function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
