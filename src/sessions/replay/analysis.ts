/** What a recording tells without being replayed: spec/kernel.md section 16, "Debug". */
import { type Comparison, compareJson } from "../../core/compare-json.ts";
import { SpellError } from "../../core/errors.ts";
import { stringifyJson } from "../../core/json.ts";
import { time } from "../rows.ts";
import { valueLeftBy } from "./breakpoints.ts";
import type { ErrorAnalysis, RecordedStep, TimelineEntry } from "./service.ts";

export function timelineOf(steps: readonly RecordedStep[]): TimelineEntry[] {
  const firstMs = steps[0]?.startedMs ?? 0;
  return steps.map((step) => ({
    step: step.step,
    timestamp: time(step.startedMs),
    offset_ms: step.startedMs - firstMs,
    kind: step.kind,
    hook_name: step.name,
    duration_ms: step.durationMs,
    success: step.error === null,
    error: step.error,
    correlation_id: step.correlationId,
  }));
}

/**
 * The values that recorded changes had left, by key: `session:KEY` of the session, `SCOPE:KEY` of state. What was there
 * before the recording began is not among them.
 * @param until the last step that counts, or a time
 */
export function stateAt(
  steps: readonly RecordedStep[],
  until: { step: number } | { atMs: number },
): Record<string, unknown> {
  const values = new Map<string, unknown>();
  for (const step of steps) {
    const isLater = "step" in until ? step.step > until.step : step.startedMs > until.atMs;
    if (isLater || step.kind !== "state" || step.error !== null) continue;
    const value = valueLeftBy(step);
    if (value === null) values.delete(step.name);
    else values.set(step.name, value);
  }
  return Object.fromEntries(values);
}

/** Outputs and errors of two steps. @throws SpellError not_found */
export function compareSteps(steps: readonly RecordedStep[], a: number, b: number): Comparison {
  const [left, right] = [a, b].map((wanted) => {
    const found = steps.find(({ step }) => step === wanted);
    if (found === undefined)
      throw new SpellError("not_found", `Step not found in the recording: ${wanted}`, {
        hint:
          steps.length === 0
            ? "Nothing was recorded"
            : `It has the steps ${steps[0]!.step} to ${steps.at(-1)!.step}`,
      });
    return { output: found.output, error: found.error };
  });
  return compareJson(left, right);
}

export function errorsOf(steps: readonly RecordedStep[]): ErrorAnalysis {
  const failed = steps.filter(({ error }) => error !== null);
  return {
    total_steps: steps.length,
    total_errors: failed.length,
    error_rate: steps.length === 0 ? 0 : failed.length / steps.length,
    by_hook: counted(failed.map(({ name }) => name)),
    by_kind: counted(failed.map(({ kind }) => kind)),
    by_error: counted(failed.map(({ error }) => error!)),
    first: timelineOf(failed.slice(0, 1))[0] ?? null,
    last: timelineOf(failed.slice(-1))[0] ?? null,
  };
}

function counted(words: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}

const COLUMNS = [
  "step",
  "timestamp",
  "offset_ms",
  "kind",
  "hook_name",
  "duration_ms",
  "success",
  "error",
  "correlation_id",
] as const satisfies readonly (keyof TimelineEntry)[];

/** The recording as a text: JSON with inputs and outputs, or the timeline as CSV (RFC 4180). */
export function exportSteps(steps: readonly RecordedStep[], format: "json" | "csv"): string {
  const timeline = timelineOf(steps);
  if (format === "json")
    return stringifyJson(
      timeline.map((entry, i) => ({ ...entry, input: steps[i]!.input, output: steps[i]!.output })),
    );
  const lines = timeline.map((entry) => COLUMNS.map((column) => cell(entry[column])).join(","));
  return [COLUMNS.join(","), ...lines, ""].join("\r\n");
}

/** A text that a spreadsheet would read as a formula gets an apostrophe in front. */
function cell(value: TimelineEntry[keyof TimelineEntry]): string {
  if (value === null) return "";
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
