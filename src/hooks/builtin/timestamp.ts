let atMs = Number.NaN;
let text = "";

/** ISO 8601. Hooks run many times within one millisecond. */
export function isoTime(ms: number): string {
  if (ms !== atMs) {
    atMs = ms;
    text = new Date(ms).toISOString();
  }
  return text;
}
