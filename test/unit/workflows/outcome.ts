import type { StepOutcome } from "../../../src/workflows/outcome.ts";

export const outcome = (name: string, value: unknown, more: Partial<StepOutcome> = {}): StepOutcome => ({
  name,
  type: "tool",
  target: "t",
  status: "completed",
  value,
  fields: value,
  durationMs: 1,
  retryCount: 0,
  agents: [],
  ...more,
});
