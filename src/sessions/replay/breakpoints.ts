/** Where a replay stops by itself: spec/kernel.md section 16. */
import type { RecordedStep, ReplayBreakpoint, ReplayedStep } from "./service.ts";

export interface SetBreakpoint {
  readonly id: string;
  readonly at: ReplayBreakpoint;
  /** A moment comes once. */
  isSpent: boolean;
}

/** The breakpoint before a step. @param done steps so far */
export function breakpointBefore(
  set: Iterable<SetBreakpoint>,
  step: RecordedStep,
  done: number,
): SetBreakpoint | undefined {
  return firstOf(set, ({ at }) => {
    switch (at.type) {
      case "hook_execution":
        return at.hook === step.name;
      case "timestamp":
        return step.startedMs >= at.atMs;
      case "hook_count":
        return done === at.count;
      case "on_error":
      case "session_state":
        return false;
    }
  });
}

/** The breakpoint after a step. */
export function breakpointAfter(
  set: Iterable<SetBreakpoint>,
  step: RecordedStep,
  replayed: ReplayedStep,
): SetBreakpoint | undefined {
  return firstOf(set, ({ at }) => {
    switch (at.type) {
      case "on_error":
        return replayed.error !== null;
      case "session_state":
        return (
          step.kind === "state" &&
          (step.name === at.key || step.name === `session:${at.key}`) &&
          Bun.deepEquals(valueLeftBy(step), at.value)
        );
      case "hook_execution":
      case "timestamp":
      case "hook_count":
        return false;
    }
  });
}

function firstOf(
  set: Iterable<SetBreakpoint>,
  holds: (one: SetBreakpoint) => boolean,
): SetBreakpoint | undefined {
  for (const one of set) {
    if (one.isSpent || !holds(one)) continue;
    one.isSpent = one.at.type === "timestamp" || one.at.type === "hook_count";
    return one;
  }
  return undefined;
}

/** The value that a recorded change of state left; null where it was removed. */
export function valueLeftBy({ input, output }: RecordedStep): unknown {
  const { operation, value } = (input ?? {}) as { operation?: unknown; value?: unknown };
  if (operation === "delete") return null;
  return (operation === "update" ? output : value) ?? null;
}
