/** The one place where failures become prose for people. */
import { type ErrorJson, errorToJson, messageOf } from "../core/errors.ts";
import { documentValue } from "../core/json.ts";
import { printable } from "../core/printable.ts";

/**
 * `Error: …`, the causes, the script's traceback and the next step, without a final newline.
 * spec/cli.md section 1.2.
 */
export function formatError(error: unknown): string {
  const json = errorToJson(error);
  const lines = [`Error: ${json.message}`];
  for (const cause of causesOf(error)) {
    if (!lines.some((line) => line.includes(cause))) lines.push(`  Caused by: ${cause}`);
  }
  if (json.traceback?.trim()) lines.push(json.traceback.trimEnd());
  if (json.hint !== undefined) lines.push(`  Next: ${json.hint}`);
  if (json.code === "internal" && error instanceof Error && error.stack !== undefined) {
    lines.push(error.stack, "  Next: This is a bug in llmspell; please report it with the lines above");
  }
  return printable(lines.join("\n"));
}

/**
 * What `--output json` prints for a failure: spec/cli.md section 1.3. What the script printed before it stands in
 * `console`, as in the document of a success.
 */
export function errorDocument(
  error: unknown,
): { status: "error"; error: string } & Omit<ErrorJson, "message"> {
  const { message, data: { console, usage, planned, ...data } = {}, ...rest } = errorToJson(error);
  return {
    status: "error",
    error: message,
    ...rest,
    ...(Object.keys(data).length === 0 ? {} : { data: documentValue(data) as Record<string, unknown> }),
    ...(Array.isArray(console) ? { console } : {}),
    ...(usage === undefined ? {} : { usage }),
    ...(planned === undefined ? {} : { planned }),
  };
}

function causesOf(error: unknown): string[] {
  const causes: string[] = [];
  let current = error instanceof Error ? error.cause : undefined;
  while (current !== undefined && causes.length < 8) {
    causes.push(messageOf(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return causes;
}
