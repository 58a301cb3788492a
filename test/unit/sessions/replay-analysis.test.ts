import { describe, expect, test } from "bun:test";
import {
  compareSteps,
  errorsOf,
  exportSteps,
  stateAt,
  timelineOf,
} from "../../../src/sessions/replay/analysis.ts";
import type { RecordedStep } from "../../../src/sessions/replay/service.ts";

const START_MS = Date.UTC(2026, 0, 1);

const steps = (
  [
    { kind: "state", name: "session:n", input: { key: "n", value: 1 } },
    { kind: "state", name: "global:t", input: { operation: "save", value: { a: 1 } } },
    { kind: "tool", name: "=cmd", input: { q: 1 }, output: { ok: true } },
    { kind: "state", name: "global:t", input: { operation: "update" }, output: { a: 2 } },
    { kind: "tool", name: "net", input: {}, error: 'said "no", twice' },
    { kind: "state", name: "session:n", input: { key: "n", value: null } },
    { kind: "state", name: "global:t", input: { operation: "delete" }, output: true },
    { kind: "tool", name: "net", input: {}, error: "timeout" },
  ] satisfies Partial<RecordedStep>[]
).map(
  (step, i): RecordedStep => ({
    step: i + 1,
    id: `id${i}`,
    output: null,
    error: null,
    startedMs: START_MS + i * 1000,
    durationMs: 2.5,
    correlationId: "c",
    within: null,
    ...step,
  }),
);

test("The timeline has each step with its place in time", () => {
  expect(timelineOf(steps)[4]).toEqual({
    step: 5,
    timestamp: "2026-01-01T00:00:04.000Z",
    offset_ms: 4000,
    kind: "tool",
    hook_name: "net",
    duration_ms: 2.5,
    success: false,
    error: 'said "no", twice',
    correlation_id: "c",
  });
  expect(timelineOf([])).toEqual([]);
});

describe("The state at a moment", () => {
  test.each<[string, Parameters<typeof stateAt>[1], Record<string, unknown>]>([
    ["before all", { step: 0 }, {}],
    ["after a save", { step: 2 }, { "session:n": 1, "global:t": { a: 1 } }],
    ["after an update", { step: 5 }, { "session:n": 1, "global:t": { a: 2 } }],
    ["at a time", { atMs: START_MS + 1500 }, { "session:n": 1, "global:t": { a: 1 } }],
    ["after values went", { step: 8 }, {}],
  ])("%s", (_, until, expected) => {
    expect(stateAt(steps, until)).toEqual(expected);
  });
});

test("Two steps are compared by output and error", () => {
  expect(compareSteps(steps, 3, 3).identical).toBe(true);
  expect(compareSteps(steps, 5, 8)).toMatchObject({ identical: false, differences: [{ path: "$.error" }] });
  expect(() => compareSteps(steps, 1, 9)).toThrow("Step not found in the recording: 9");
});

test("Errors are counted", () => {
  expect(errorsOf(steps)).toMatchObject({
    total_steps: 8,
    total_errors: 2,
    error_rate: 0.25,
    by_hook: { net: 2 },
    by_kind: { tool: 2 },
    by_error: { 'said "no", twice': 1, timeout: 1 },
    first: { step: 5 },
    last: { step: 8 },
  });
  expect(errorsOf([])).toMatchObject({ total_errors: 0, error_rate: 0, first: null, last: null });
});

describe("An export", () => {
  test("as JSON holds everything", () => {
    const read = JSON.parse(exportSteps(steps, "json"));
    expect(read).toHaveLength(8);
    expect(read[3]).toMatchObject({ step: 4, input: { operation: "update" }, output: { a: 2 } });
  });

  test("as CSV is quoted, and no cell is a formula", () => {
    const lines = exportSteps(steps, "csv").split("\r\n");
    expect(lines).toHaveLength(10);
    expect(lines[0]).toBe("step,timestamp,offset_ms,kind,hook_name,duration_ms,success,error,correlation_id");
    expect(lines[3]).toBe("3,2026-01-01T00:00:02.000Z,2000,tool,'=cmd,2.5,true,,c");
    expect(lines[5]).toBe('5,2026-01-01T00:00:04.000Z,4000,tool,net,2.5,false,"said ""no"", twice",c');
  });
});
