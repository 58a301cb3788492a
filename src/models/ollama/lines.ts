/** Checks a stream of JSON lines before the client sees it, which passes over what it cannot read. */
import { type Asking, cutOff, errorIn, notJson, serverFailure } from "./failures.ts";

const MAX_LINE_BYTES = 64 << 20;
const LINE_FEED = 0x0a;

/**
 * The lines of a body, each whole. Ends after the line that says it is the last.
 * @param type the answer's content type
 * @throws SpellError for a line that is no JSON or says an error, and for an end before the last line
 */
export async function* checkedLines(
  chunks: AsyncIterable<Uint8Array>,
  asking: Asking,
  type: string | null,
): AsyncGenerator<Uint8Array, void, void> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, from)) {
      const line = Buffer.concat([...held, chunk.subarray(from, at + 1)]);
      from = at + 1;
      held = [];
      heldBytes = 0;
      const isLast = checkLine(line, asking, type);
      if (isLast !== undefined) yield line;
      if (isLast) return;
    }
    heldBytes += chunk.length - from;
    if (heldBytes > MAX_LINE_BYTES) throw notJson(asking, type);
    if (from < chunk.length) held.push(chunk.subarray(from));
  }
  const rest = Buffer.concat(held);
  // A server that breaks off in the middle of a line has not sent wrong JSON.
  const isWhole = rest.length > 0 && isJson(rest);
  if (isWhole && checkLine(rest, asking, type)) {
    yield rest;
    return;
  }
  const startsAsJson = rest.length === 0 || rest[0] === 0x7b;
  throw startsAsJson ? cutOff(asking) : notJson(asking, type);
}

/** @returns whether it is the last line; undefined for an empty one */
function checkLine(line: Uint8Array, asking: Asking, type: string | null): boolean | undefined {
  const text = Buffer.from(line).toString("utf8").trim();
  if (text === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notJson(asking, type);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw notJson(asking, type);
  const said = errorIn(text);
  if (said !== undefined) throw serverFailure(asking, said);
  const { done, status } = value as { done?: unknown; status?: unknown };
  return done === true || status === "success";
}

function isJson(line: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(line).toString("utf8"));
    return true;
  } catch {
    return false; // the answer is the question
  }
}
