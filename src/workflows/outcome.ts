/** How a step ended, as JSON can say it: the journal keeps it. */

import { withTextForBytes } from "../core/bytes-as-text.ts";
import type { ErrorJson } from "../core/errors.ts";
import { stringifyJson } from "../core/json.ts";
import type { StepType } from "./model.ts";

export interface StepOutcome {
  name: string;
  type: StepType;
  /** Of the tool, agent or workflow. */
  target: string;
  /** `skipped`: its condition did not hold, or a hook or the user passed over it. */
  status: "completed" | "failed" | "skipped";
  /** What a placeholder yields: a tool's main value, an agent's text, a workflow's output. */
  value: unknown;
  /** Where a placeholder finds fields: a tool's `result`, a workflow's output. */
  fields: unknown;
  error?: ErrorJson;
  durationMs: number;
  /** Repetitions after the first attempt. */
  retryCount: number;
  /** The last texts of agents within it, by name, in the order in which they ended. */
  agents: [agent: string, text: string][];
}

export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  return typeof value === "object" ? stringifyJson(withTextForBytes(value)) : String(value);
}
