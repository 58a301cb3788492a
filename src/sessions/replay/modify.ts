/** Other inputs for recorded steps. */
import { SpellError } from "../../core/errors.ts";
import type { Modification, RecordedStep } from "./service.ts";

/** The words before a path that say where a step's input stands in its context. */
const CONTEXT = /^context\.(data|parameters)\./;

export interface Modified {
  input: unknown;
  /** Paths that stood in the input. */
  applied: string[];
}

/** A copy of the step's input with the modifications whose path it has. @throws SpellError invalid_argument */
export function modify(step: RecordedStep, modifications: readonly Modification[]): Modified {
  const applied: string[] = [];
  const input = structuredClone(step.input);
  for (const { path, value, enabled = true, step: only } of modifications) {
    const keys = keysOf(path);
    if (!enabled || (only !== undefined && only !== step.step)) continue;
    if (replace(input, keys, value)) applied.push(path);
  }
  return { input, applied };
}

/** `items[1].name` as `items`, `0`, `name`: places in arrays count from 1, as in scripts. */
function keysOf(path: string): string[] {
  const keys = path
    .replace(CONTEXT, "")
    .split(".")
    .flatMap((part) => {
      const [, name, places] = /^([^[\]]+)((?:\[[1-9]\d{0,8}\])*)$/.exec(part) ?? [];
      if (name === undefined)
        throw new SpellError("invalid_argument", `Invalid modification path: ${JSON.stringify(path)}`, {
          hint: "Write it like operation, items[1].name or context.data.input",
        });
      const indexes = [...places!.matchAll(/\d+/g)].map(([place]) => String(Number(place) - 1));
      return [name, ...indexes];
    });
  return keys;
}

function replace(root: unknown, keys: readonly string[], value: unknown): boolean {
  let parent = root;
  for (const [i, key] of keys.entries()) {
    if (typeof parent !== "object" || parent === null || !Object.hasOwn(parent, key)) return false;
    const record = parent as Record<string, unknown>;
    if (i === keys.length - 1) record[key] = structuredClone(value);
    else parent = record[key];
  }
  return true;
}
