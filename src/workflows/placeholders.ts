/** `{{step.NAME.output}}` and its like in the texts of a step's input: spec/agents-workflows-rag.md section 4.5. */
import { isPlainObject } from "../core/values.ts";
import { textOf } from "./outcome.ts";
import type { Scope } from "./scope.ts";

/** Three braces are a template's. */
const PLACEHOLDER = /(?<!\{)\{\{([^{}]{1,500})\}\}(?!\})|\$step_(\w+)/g;

/**
 * The value with its placeholders filled in: a text that is one placeholder becomes the value itself, within a text it is
 * written out. One that names nothing stays as it stands, and so does a name that the step's own `context` has: it is the
 * tool's. What is filled in is not looked at again.
 */
export function substitute(value: unknown, scope: Scope): unknown {
  const context = isPlainObject(value) && isPlainObject(value.context) ? value.context : undefined;
  if (context === undefined) return filled(value, scope, {});
  const { context: _, ...rest } = value as Record<string, unknown>;
  return { ...(filled(rest, scope, context) as object), context: filled(context, scope, {}) };
}

/** Names that `substitute` would look for in the value, as they are written; `$step_NAME` as `step.NAME`. */
export function* placeholdersIn(value: unknown): Generator<string> {
  const context = isPlainObject(value) && isPlainObject(value.context) ? value.context : {};
  for (const text of textsIn(value))
    for (const [, name, step] of text.matchAll(PLACEHOLDER)) {
      const asked = name === undefined ? `step.${step}` : name.trim();
      if (!Object.hasOwn(context, asked)) yield asked;
    }
}

function* textsIn(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  else if (Array.isArray(value)) for (const item of value) yield* textsIn(item);
  else if (isPlainObject(value)) for (const item of Object.values(value)) yield* textsIn(item);
}

function filled(value: unknown, scope: Scope, kept: Record<string, unknown>): unknown {
  if (typeof value === "string") return filledText(value, scope, kept);
  if (Array.isArray(value)) return value.map((item) => filled(item, scope, kept));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, scope, kept)]));
}

function filledText(text: string, scope: Scope, kept: Record<string, unknown>): unknown {
  if (!text.includes("{{") && !text.includes("$step_")) return text;
  const find = (name: string | undefined, step: string | undefined) => {
    if (step !== undefined) return scope.find(`step.${step}`);
    const asked = name!.trim();
    return Object.hasOwn(kept, asked) ? undefined : scope.find(asked);
  };
  const whole = new RegExp(`^(?:${PLACEHOLDER.source})$`).exec(text);
  if (whole !== null) {
    const found = find(whole[1], whole[2]);
    return found === undefined ? text : (found.value ?? "");
  }
  return text.replace(PLACEHOLDER, (written, name?: string, step?: string) => {
    const found = find(name, step);
    return found === undefined ? written : textOf(found.value);
  });
}
