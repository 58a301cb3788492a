import { describe, expect, test } from "bun:test";
import type { RecordedCall } from "../../../src/core/recording.ts";
import type { ReplayBreakpoint } from "../../../src/sessions/replay/service.ts";
import { failure, world } from "./support.ts";

const START_MS = Date.UTC(2026, 0, 1);

/** Five steps, 100 ms apart: two tools, a failed one, two changes of state. */
async function recordedSession() {
  const w = await world();
  const { id } = await w.sessions.create();
  w.sessions.setCurrent(id);
  const calls: Partial<RecordedCall>[] = [
    { kind: "tool", name: "first", output: 1 },
    { kind: "tool", name: "second", output: 2 },
    { kind: "tool", name: "third", error: "broken", output: null },
    { kind: "state", name: "global:n", input: { operation: "save", value: 7 }, output: null },
    { kind: "state", name: "global:n", input: { operation: "delete" }, output: true },
  ];
  for (const [i, call] of calls.entries())
    w.sessions.recorder.record({
      kind: "tool",
      name: "",
      input: {},
      output: null,
      startedMs: START_MS + i * 100,
      durationMs: 1,
      ...call,
    });
  await w.sessions.save(id);
  return { w, id, replay: w.sessions.replay };
}

describe("A replay that was started", () => {
  test("goes on beside its caller and gives the same result as one that is waited for", async () => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    const going = await replay.start(id);
    expect(going.progress()).toMatchObject({ state: "running", total_hooks: 5, session_id: id });
    const result = await going.result();
    const { steps } = await replay.replay(id);
    expect(result.steps.map(({ hook_name, success }) => [hook_name, success])).toEqual(
      steps.map(({ hook_name, success }) => [hook_name, success]),
    );
    expect(going.progress()).toMatchObject({
      state: "completed",
      hooks_completed: 5,
      progress_percentage: 100,
      estimated_time_remaining: 0,
      current_hook: null,
    });
    expect(replay.status(id)).toMatchObject({ state: "completed", hooks_processed: 5 });
  });

  test("begins paused, steps, and goes on", async () => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    const going = await replay.start(id, { paused: true });
    await going.settled();
    expect(going.progress()).toMatchObject({ state: "paused", hooks_completed: 0, progress_percentage: 0 });
    expect((await going.step())?.hook_name).toBe("first");
    expect((await going.step())?.hook_name).toBe("second");
    expect(going.progress()).toMatchObject({ state: "paused", hooks_completed: 2, progress_percentage: 40 });
    expect((await failure(going.result())).message).toBe("Cannot wait for the replay: it is paused");
    expect(replay.status(id)).toMatchObject({ state: "paused" });
    going.resume();
    expect((await going.result()).hooks_replayed).toBe(5);
  });

  test("steps to its end and then refuses", async () => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    const going = await replay.start(id, { paused: true, fromStep: 5 });
    expect((await going.step())?.step).toBe(5);
    await going.settled();
    expect(going.progress().state).toBe("completed");
    for (const call of [
      () => going.step(),
      () => going.pause(),
      () => going.resume(),
      () => going.setSpeed(1),
    ])
      expect((await failure(call)).message).toEndWith("the replay: it has ended: completed");
  });

  test("does not step while it runs", async () => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    const going = await replay.start(id, { speed: 0.1 });
    expect((await failure(going.step())).message).toBe("Cannot step the replay: it is not paused");
    going.stop();
  });

  test("stops with the steps so far", async () => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    const going = await replay.start(id, { breakpoints: [{ type: "hook_count", count: 2 }] });
    await going.settled();
    going.stop();
    expect((await going.result()).steps.map(({ hook_name }) => hook_name)).toEqual(["first", "second"]);
    expect(going.progress().state).toBe("cancelled");
  });

  test("is one of ten at most, paused ones included", async () => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    const ten = await Promise.all(Array.from({ length: 10 }, () => replay.start(id, { paused: true })));
    expect((await failure(replay.start(id))).code).toBe("limit");
    ten[0]!.stop();
    await ten[0]!.result();
    expect((await replay.replay(id)).hooks_replayed).toBe(5);
  });

  test("ends with whoever started it, also while it is paused", async () => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    const owner = new AbortController();
    const going = await replay.start(id, { paused: true, signal: owner.signal });
    owner.abort(new Error("the script has ended"));
    await expect(going.result()).rejects.toThrow("the script has ended");
    expect(going.progress()).toMatchObject({ state: "cancelled", error: "the script has ended" });
  });
});

describe("A breakpoint pauses", () => {
  test.each<[string, ReplayBreakpoint, number, number]>([
    ["before a step of that name", { type: "hook_execution", hook: "second" }, 1, 2],
    ["before the first step from a time on", { type: "timestamp", atMs: START_MS + 150 }, 2, 3],
    ["after a failure", { type: "on_error" }, 3, 3],
    ["after the step that left a value", { type: "session_state", key: "global:n", value: 7 }, 4, 4],
    ["after the step that removed one", { type: "session_state", key: "global:n", value: null }, 5, 5],
    ["after so many steps", { type: "hook_count", count: 3 }, 3, 4],
  ])("%s", async (_, breakpoint, completed, step) => {
    const { w, id, replay } = await recordedSession();
    await using __ = w;
    const going = await replay.start(id, { breakpoints: [breakpoint] });
    await going.settled();
    const progress = going.progress();
    expect(progress.hooks_completed).toBe(completed);
    if (completed < 5) {
      expect(progress).toMatchObject({ state: "paused", stopped_at: { type: breakpoint.type, step } });
      going.resume();
    }
    expect((await going.result()).hooks_replayed).toBe(5);
    expect(going.progress().state).toBe("completed");
  });

  test("until it is taken away", async () => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    const going = await replay.start(id, { paused: true });
    const breakpoint = going.addBreakpoint({ type: "hook_execution", hook: "third" });
    expect(going.progress().active_breakpoints).toBe(1);
    expect(going.removeBreakpoint(breakpoint)).toBe(true);
    expect(going.removeBreakpoint(breakpoint)).toBe(false);
    going.resume();
    expect((await going.result()).hooks_replayed).toBe(5);
  });
});

describe("The speed of a replay", () => {
  test("lets the recorded time pass between steps", async () => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    const start = performance.now();
    const going = await replay.start(id, { speed: 4 });
    expect(going.progress()).toMatchObject({ speed_multiplier: 4 });
    await going.result();
    expect(performance.now() - start).toBeGreaterThanOrEqual(99); // 400 ms at four times the speed
  });

  test("may change while it waits", async () => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    const going = await replay.start(id, { speed: 0.1 });
    await Bun.sleep(5);
    expect(going.progress().estimated_time_remaining).toBeCloseTo(3, 5); // three gaps of 100 ms after the next step
    going.setSpeed(undefined);
    expect((await going.result()).hooks_replayed).toBe(5);
  });

  test("moves by half a unit within its bounds", async () => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    const going = await replay.start(id, { paused: true, speed: 1 });
    expect([
      going.changeSpeed(1),
      going.changeSpeed(-1),
      going.changeSpeed(-1),
      going.changeSpeed(-1),
    ]).toEqual([1.5, 1, 0.5, 0.1]);
    expect(going.changeSpeed(1)).toBe(0.5);
    going.setSpeed(10);
    expect(going.changeSpeed(1)).toBe(10);
    going.stop();
  });

  test.each([0, 0.09, 10.1, Number.NaN])("cannot be %p", async (speed) => {
    const { w, id, replay } = await recordedSession();
    await using _ = w;
    expect((await failure(replay.start(id, { speed }))).message).toBe(
      `Invalid replay speed: it must be between 0.1 and 10: ${speed}`,
    );
  });
});

test("A time limit counts the time that it runs, not pauses", async () => {
  const { w, id, replay } = await recordedSession();
  await using _ = w;
  const slow = await replay.start(id, { speed: 0.1, timeoutSeconds: 0.05 });
  expect((await failure(slow.result())).code).toBe("timeout");
  const paused = await replay.start(id, { paused: true, timeoutSeconds: 0.05 });
  await Bun.sleep(80);
  paused.resume();
  expect((await paused.result()).hooks_replayed).toBe(5);
});

test("A replay until a time leaves out what came later", async () => {
  const { w, id, replay } = await recordedSession();
  await using _ = w;
  const { steps } = await replay.replay(id, { untilMs: START_MS + 100 });
  expect(steps.map(({ hook_name }) => hook_name)).toEqual(["first", "second"]);
});
