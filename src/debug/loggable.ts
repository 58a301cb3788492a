/** A script's value as it may stand in a log: what has no JSON form is named instead of refused. */
export function loggable(value: unknown): unknown {
  if (value instanceof Uint8Array) return `<${value.length} bytes that are not UTF-8>`;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(loggable);
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const kind = (value as { kind?: unknown }).kind;
    return typeof kind === "string" ? `<${kind}>` : "<object>";
  }
  if ((value as { kind?: unknown }).kind === "function" && "call" in value) return "<function>";
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, loggable(field)]));
}
