import { SpellError } from "../../core/errors.ts";
import { isPlainObject } from "../../core/values.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** @throws SpellError invalid_argument for functions, objects and text that is not UTF-8, naming the place */
export function checkPayload(value: unknown, path = "data"): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) checkPayload(value[i], `${path}[${i + 1}]`);
    return;
  }
  if (value instanceof Uint8Array)
    throw refused(path, "must be valid UTF-8 text", "a string that is not UTF-8");
  if (!isPlainObject(value)) {
    const isFunction = (value as { kind?: unknown }).kind === "function";
    throw refused(path, "must be data", isFunction ? "function" : "object");
  }
  for (const key in value) {
    const member = value[key];
    if (typeof member === "object" && member !== null) checkPayload(member, `${path}.${key}`);
  }
}

/** @throws SpellError invalid_argument */
export function checkUuid(name: string, value: string | undefined): void {
  if (value !== undefined && !UUID.test(value)) throw refused(name, "must be a UUID", JSON.stringify(value));
}

function refused(path: string, rule: string, value: string): SpellError {
  return new SpellError("invalid_argument", `Cannot call Event.publish: "${path}" ${rule}: ${value}`, {
    data: { call: "Event.publish", argument: path },
  });
}
