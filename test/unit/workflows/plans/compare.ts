/** What came of a plan beside what its model says. */
import { expect } from "bun:test";
import { SpellError } from "../../../../src/core/errors.ts";
import type { WorkflowResult } from "../../../../src/workflows/service.ts";
import type { Outcome, Trace } from "./model.ts";
import type { Plan } from "./plan.ts";

/** @param ended the result, or what was raised */
export function compare(ended: unknown, expected: Outcome): void {
  if (expected.raisedBy !== undefined) {
    expect(ended).toBeInstanceOf(SpellError);
    expect((ended as Error).message).toStartWith(
      `Workflow execution error: step "${expected.raisedBy}" failed: `,
    );
    return;
  }
  const result = ended as WorkflowResult;
  const steps = result.steps?.map(({ name, status, value, retryCount }) => ({
    name,
    status,
    value,
    retries: retryCount,
  }));
  expect({ ...result, steps }).toMatchObject({
    success: expected.success,
    status: expected.status,
    counts: expected.counts,
  });
  expect([result.output, steps]).toEqual([expected.output, expected.steps] as never);
}

/** Which calls fail, by id. */
export function failingIn(plan: Plan): Map<string, ReadonlySet<number>> {
  const failing = new Map<string, ReadonlySet<number>>();
  JSON.stringify(plan, (_, value) => {
    if (value?.kind === "call") failing.set(value.id, value.fails);
    return value;
  });
  return failing;
}

export function callsIn(trace: Trace): string[] {
  return "call" in trace
    ? [trace.call]
    : ("inOrder" in trace ? trace.inOrder : trace.beside).flatMap(callsIn);
}

export function mostAtOnce(trace: Trace): number {
  if ("call" in trace) return 1;
  const each = ("inOrder" in trace ? trace.inOrder : trace.beside).map(mostAtOnce).sort((a, b) => b - a);
  if ("inOrder" in trace) return Math.max(0, ...each);
  return each.slice(0, trace.most).reduce((sum, one) => sum + one, 0);
}
