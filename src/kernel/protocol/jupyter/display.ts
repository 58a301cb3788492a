/** How values and failures look in a notebook. */

import type { ErrorJson } from "../../../core/errors.ts";
import { documentValue } from "../../../core/json.ts";
import { isMimeBundle, plainText } from "../../../core/shown.ts";
import { isPlainObject } from "../../../core/values.ts";
import type { Fields } from "./message.ts";

/** Longer tables are shown as JSON only. */
const MAX_ROWS = 1000;

/**
 * The forms of a value by MIME type. `text/plain` is its JSON text; tables are `application/json` besides, arrays of
 * records an HTML table too. A table whose keys are MIME types says itself how it looks: Markdown, images (base64, or
 * the bytes themselves) and whatever else the front end can show.
 */
export function displayData(value: unknown): Fields {
  const shown = documentValue(value);
  const data: Fields = { "text/plain": plainText(shown) };
  if (isMimeBundle(shown)) return { ...data, ...shown };
  if (typeof shown !== "object" || shown === null || JSON.isRawJSON(shown)) return data;
  data["application/json"] = shown;
  if (isRecords(shown)) data["text/html"] = htmlTable(shown);
  return data;
}

function isRecords(value: object): value is Fields[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MAX_ROWS &&
    value.every((row) => isPlainObject(row) && !JSON.isRawJSON(row))
  );
}

function htmlTable(rows: readonly Fields[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = (tag: string, texts: string[]) =>
    `<tr>${texts.map((text) => `<${tag}>${Bun.escapeHTML(text)}</${tag}>`).join("")}</tr>`;
  const body = rows.map((row) =>
    cells(
      "td",
      columns.map((column) => cellText(row[column])),
    ),
  );
  return `<table><thead>${cells("th", columns)}</thead><tbody>${body.join("")}</tbody></table>`;
}

function cellText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The content of `error` messages, and the failing part of replies. */
export function errorFields(error: ErrorJson, ename = "ExecutionError"): Fields {
  const trace = error.traceback === undefined ? [] : error.traceback.split("\n");
  const hint = error.hint === undefined ? [] : [error.hint];
  return { ename, evalue: error.message, traceback: [`${ename}: ${error.message}`, ...trace, ...hint] };
}
