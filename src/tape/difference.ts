/** How two requests differ, in words short enough for a message. */
import { isPlainObject } from "../core/values.ts";

/** Characters shown of a text. */
const SHOWN = 60;

export interface Difference {
  /** `prompt[1].content[0].text` */
  path: string;
  /** Undefined: it was not there. */
  recorded: string | undefined;
  asked: string | undefined;
}

/** In the order of the asked request; at most `limit`. */
export function differences(recorded: unknown, asked: unknown, limit = 20): Difference[] {
  const found: Difference[] = [];
  compare(recorded, asked, "", found, limit);
  return found;
}

function compare(before: unknown, now: unknown, path: string, found: Difference[], limit: number): void {
  if (found.length >= limit || before === now) return;
  if (Array.isArray(before) && Array.isArray(now)) {
    for (let i = 0; i < Math.max(before.length, now.length); i++)
      compare(before[i], now[i], `${path}[${i}]`, found, limit);
    return;
  }
  if (isPlainObject(before) && isPlainObject(now)) {
    for (const key of new Set([...Object.keys(now), ...Object.keys(before)]))
      compare(before[key], now[key], path === "" ? key : `${path}.${key}`, found, limit);
    return;
  }
  if (typeof before === "string" && typeof now === "string") {
    const [a, b] = around(before, now);
    found.push({ path, recorded: a, asked: b });
    return;
  }
  found.push({ path, recorded: shown(before), asked: shown(now) });
}

/** Both texts from a little before where they part. */
function around(before: string, now: string): [string, string] {
  let at = 0;
  while (at < before.length && at < now.length && before[at] === now[at]) at++;
  const from = before.length <= SHOWN && now.length <= SHOWN ? 0 : Math.max(0, at - 12);
  const cut = (text: string) =>
    `${from > 0 ? "…" : ""}${text.slice(from, from + SHOWN)}${text.length > from + SHOWN ? "…" : ""}`;
  return [JSON.stringify(cut(before)), JSON.stringify(cut(now))];
}

function shown(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const text = JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

export function inWords({ path, recorded, asked }: Difference): string {
  const place = path === "" ? "the request" : path;
  if (recorded === undefined) return `${place} is new: ${asked}`;
  if (asked === undefined) return `${place} is gone: ${recorded}`;
  return `${place} was ${recorded}, is ${asked}`;
}
