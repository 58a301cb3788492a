/** Bodies of answers as text and JSON, bounded. */
import { type CalledModel, callFailure } from "../../provider-error.ts";

const MAX_JSON_BYTES = 64 << 20;

/** The text of a body, cut where it is longer. */
export async function textBody(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const read: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    read.push(chunk);
    bytes += chunk.length;
    if (bytes > maxBytes) break;
  }
  return Buffer.concat(read).toString("utf8").slice(0, maxBytes);
}

/** @throws SpellError provider for a body that is no JSON, or longer than 64 MiB */
export async function jsonBody(
  model: CalledModel,
  response: Response,
  chunks: AsyncIterable<Uint8Array>,
  hide: (text: string) => string,
): Promise<unknown> {
  const text = await textBody(chunks, MAX_JSON_BYTES + 1);
  if (text.length > MAX_JSON_BYTES)
    throw callFailure(model, `its answer is longer than ${MAX_JSON_BYTES} bytes`);
  try {
    return JSON.parse(text);
  } catch {
    throw notJson(model, response, text, hide);
  }
}

/** An answer in another form than the vendor's. */
export function notJson(
  model: CalledModel,
  response: Response,
  text: string,
  hide: (text: string) => string,
): Error {
  const type = response.headers.get("content-type") ?? "no content type";
  const isPage = /^\s*</.test(text);
  const shown = isPage || text.trim() === "" ? "" : `: ${hide(text.trim().slice(0, 200))}`;
  const what = isPage ? "a web page" : text.trim() === "" ? "empty" : "not JSON";
  return callFailure(model, `its answer is ${what} (${type})${shown}`, {
    data: { contentType: type },
    hint: "A login page or a proxy may stand between; check base_url of the provider",
  });
}
