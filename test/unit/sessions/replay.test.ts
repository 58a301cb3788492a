import { describe, expect, test } from "bun:test";
import { Type } from "typebox";
import { silentLog } from "../../../src/core/log.ts";
import { recorded } from "../../../src/core/recording.ts";
import type { ReplayedStep } from "../../../src/sessions/replay/service.ts";
import { createToolService } from "../../../src/tools/create.ts";
import { defineTool, type ToolDefinition } from "../../../src/tools/tool.ts";
import { configWith } from "../../support/config.ts";
import { failure, type World, world } from "./support.ts";

/** A tool whose answer the test can change, as time changes what the outside says. */
function changing(name: string, isPure: boolean) {
  const state = { factor: 2, calls: 0, fails: false };
  const tool = defineTool({
    name,
    aliases: [],
    description: "Multiplies.",
    category: "utility",
    level: "safe",
    version: "1.0.0",
    parameters: Type.Object({ value: Type.Number(), deep: Type.Optional(Type.Unknown()) }),
    resultDoc: "- `product`",
    style: "envelope",
    needs: [],
    isPure: () => isPure,
    examples: [],
    primary: ({ result }) => result,
    execute: ({ value }) => {
      state.calls++;
      if (state.fails) throw new Error("broken now");
      return { operation: "multiply", result: { product: value * state.factor } };
    },
  });
  return { tool, state };
}

function toolsOf(w: World, tools: ToolDefinition[]) {
  return createToolService({
    config: configWith(),
    log: silentLog,
    env: {},
    cwd: w.directory,
    tools,
    recorder: () => Promise.resolve(w.sessions.recorder),
  });
}

const shown = ({ step, kind, hook_name, source, success }: ReplayedStep) =>
  [step, kind, hook_name, source, success].join(" ");

/** A session with a pure tool's call, another tool's, a model's and a failed one. */
async function recordedSession() {
  const [pure, network] = [changing("pure", true), changing("network", false)];
  const tools = [pure.tool, network.tool];
  const w = await world({ tools });
  const service = toolsOf(w, tools);
  const { id } = await w.sessions.create();
  w.sessions.setCurrent(id);
  await service.execute("pure", { value: 1, deep: { list: [{ name: "a" }] } });
  await service.execute("network", { value: 2 });
  const source = () => Promise.resolve(w.sessions.recorder);
  const call = { kind: "model", name: "p/m", input: { prompt: "hi", api_key: "sk-123456" } } as const;
  await recorded(
    source,
    call,
    async () => "hello",
    (text) => ({ text }),
  );
  await failure(
    recorded(
      source,
      { ...call, name: "p/broken" },
      () => service.execute("absent", {}),
      () => null,
    ),
  );
  return { w, id, pure: pure.state, network: network.state };
}

describe("A replay", () => {
  test("runs pure tools again and tells the rest from the recording", async () => {
    const { w, id, pure, network } = await recordedSession();
    await using _ = w;
    expect((await failure(w.sessions.replay.replay(id))).message).toStartWith(
      "Cannot replay session: it was never saved",
    );
    expect(await w.sessions.replay.canReplay(id)).toBe(false);
    await w.sessions.save(id);
    expect(await w.sessions.replay.canReplay(id)).toBe(true);
    expect(await w.sessions.replay.replayable()).toEqual([id]);
    const result = await w.sessions.replay.replay(id, { metadata: { why: "test" } });
    expect(result.steps.map(shown)).toEqual([
      "1 tool pure run true",
      "2 tool network recorded true",
      "3 model p/m recorded true",
      "4 model p/broken recorded true",
    ]);
    expect(result).toMatchObject({
      session_id: id,
      mode: "exact",
      hooks_replayed: 4,
      successful_replays: 4,
      failed_replays: 0,
      mismatches: 0,
      metadata: { why: "test" },
    });
    expect([pure.calls, network.calls]).toEqual([2, 1]);
    // and records nothing itself
    expect((await w.sessions.replay.metadata(id)).total_hooks).toBe(4);
  });

  test("names what is another result now", async () => {
    const { w, id, pure } = await recordedSession();
    await using _ = w;
    await w.sessions.save(id);
    pure.factor = 3;
    const { mismatches, steps, failed_replays } = await w.sessions.replay.replay(id);
    expect([mismatches, failed_replays]).toEqual([1, 0]);
    expect(steps[0]!.comparison).toMatchObject({
      identical: false,
      differences: [{ path: "$.output.result.product", description: "changed: 2 → 3" }],
    });
    expect((await w.sessions.replay.replay(id, { compareResults: false })).mismatches).toBe(0);
    expect((await w.sessions.replay.replay(id, { mode: "simulate" })).mismatches).toBe(0);
    expect(pure.calls).toBe(3);
  });

  test("goes on after a failure unless told to stop", async () => {
    const { w, id, pure } = await recordedSession();
    await using _ = w;
    await w.sessions.save(id);
    pure.fails = true;
    const on = await w.sessions.replay.replay(id);
    expect([on.hooks_replayed, on.successful_replays, on.failed_replays]).toEqual([4, 3, 1]);
    expect(on.steps[0]!.error).toContain("broken now");
    expect(w.sessions.replay.status(id)).toMatchObject({
      state: "failed",
      hooks_processed: 4,
      total_hooks: 4,
    });
    const stopped = await w.sessions.replay.replay(id, { stopOnError: true });
    expect(stopped.hooks_replayed).toBe(1);
  });

  test("takes the steps between two", async () => {
    const { w, id } = await recordedSession();
    await using _ = w;
    await w.sessions.save(id);
    const steps = async (fromStep?: number, toStep?: number) =>
      (
        await w.sessions.replay.replay(id, { ...(fromStep && { fromStep }), ...(toStep && { toStep }) })
      ).steps.map(({ step }) => step);
    expect([await steps(2), await steps(2, 3), await steps(undefined, 1), await steps(9)]).toEqual([
      [2, 3, 4],
      [2, 3],
      [1],
      [],
    ]);
    expect((await failure(steps(3, 2))).code).toBe("invalid_argument");
  });

  test("with other inputs runs the tools that they concern", async () => {
    const { w, id, network } = await recordedSession();
    await using _ = w;
    await w.sessions.save(id);
    const modifications = [
      { path: "context.data.value", value: 10 },
      { path: "deep.list[1].name", value: "b" },
      { path: "value", value: 77, enabled: false },
      { path: "value", value: 5, step: 2 },
      { path: "no.such.place", value: 0 },
    ];
    const { steps } = await w.sessions.replay.replay(id, { mode: "modified", modifications });
    expect(steps.map(({ applied_modifications }) => applied_modifications)).toEqual([
      ["context.data.value", "deep.list[1].name"],
      ["context.data.value", "value"],
      [],
      [],
    ]);
    expect(steps.slice(0, 2).map(({ comparison }) => comparison!.differences[0]!.description)).toEqual([
      "changed: 2 → 20",
      "changed: 4 → 10",
    ]);
    expect(network.calls).toBe(2);
    const model = await w.sessions.replay.replay(id, {
      mode: "modified",
      modifications: [{ path: "prompt", value: "other" }],
      fromStep: 3,
      toStep: 3,
    });
    expect(model.steps[0]!.error).toBe("Cannot run model p/m again: its recorded input is not whole");
    const wrong = { mode: "modified", modifications: [{ path: "a..b", value: 1 }] } as const;
    expect((await failure(w.sessions.replay.replay(id, wrong))).message).toBe(
      'Invalid modification path: "a..b"',
    );
  });

  test("for debugging shows inputs and outputs", async () => {
    const { w, id } = await recordedSession();
    await using _ = w;
    await w.sessions.save(id);
    const { steps } = await w.sessions.replay.replay(id, { mode: "debug" });
    expect(steps[1]).toMatchObject({
      input: { value: 2 },
      output: { success: true, result: { product: 4 } },
    });
  });

  test("ends in time", async () => {
    const { w, id } = await recordedSession();
    await using _ = w;
    await w.sessions.save(id);
    const aborted = new AbortController();
    aborted.abort(new Error("enough"));
    await expect(w.sessions.replay.replay(id, { signal: aborted.signal })).rejects.toThrow("enough");
    expect(w.sessions.replay.status(id)!.state).toBe("cancelled");
  });

  test("runs at times to come", async () => {
    const { w, id, pure } = await recordedSession();
    await using _ = w;
    await w.sessions.save(id);
    const { replay } = w.sessions;
    await replay.schedule(id, { type: "interval", initialSeconds: 0, intervalSeconds: 0.1, most: 2 });
    const never = await replay.schedule(id, { type: "once", delaySeconds: 3600 });
    const yearly = await replay.schedule(id, { type: "cron", expression: "0 0 1 1 *" });
    const deadline = Date.now() + 20_000;
    while (replay.scheduled()[0]!.runs < 2 && Date.now() < deadline) await Bun.sleep(20);
    await Bun.sleep(250);
    expect(replay.scheduled()[0]).toMatchObject({ runs: 2, next_run: null, last: { state: "completed" } });
    expect(pure.calls).toBe(3);
    expect(replay.scheduled()[2]!.next_run).toMatch(/-01-01T/);
    expect([replay.cancel(never), replay.cancel(never), replay.cancel(yearly)]).toEqual([true, false, true]);
    expect((await failure(replay.schedule(id, { type: "cron", expression: "often" }))).message).toStartWith(
      "Invalid cron expression",
    );
  });

  test("of nothing is refused", async () => {
    await using w = await world();
    const { id } = await w.sessions.create();
    await w.sessions.save(id);
    expect((await failure(w.sessions.replay.replay(id))).message).toBe(
      `No hook executions found for session: ${id}`,
    );
    expect(await w.sessions.replay.metadata(id)).toMatchObject({
      total_hooks: 0,
      first_hook_timestamp: null,
      can_replay: false,
    });
  });
});

describe("A recording", () => {
  test("holds no secret, outlives the process, and counts what the session did", async () => {
    const { w, id } = await recordedSession();
    await using _ = w;
    await w.restart();
    const steps = await w.sessions.replay.steps(id);
    expect(steps.map(({ step, kind, name, error }) => [step, kind, name, error])).toEqual([
      [1, "tool", "pure", null],
      [2, "tool", "network", null],
      [3, "model", "p/m", null],
      [4, "model", "p/broken", expect.stringContaining("absent")],
    ]);
    expect(steps[2]!.input).toEqual({ prompt: "hi", api_key: "<REDACTED>" });
    expect(w.sessions.get(id).operation_count).toBe(4);
    // the end of a process saves
    expect(await w.sessions.replay.canReplay(id)).toBe(true);
  });

  test("keeps bytes and what is too long as marks, and runs neither again", async () => {
    const pure = changing("pure", true);
    await using w = await world({ tools: [pure.tool] });
    const service = toolsOf(w, [pure.tool]);
    const { id } = await w.sessions.create();
    w.sessions.setCurrent(id);
    await service.execute("pure", { value: 1, deep: Uint8Array.of(255) });
    await service.execute("pure", { value: 1, deep: "x".repeat(1_100_000) });
    await w.sessions.save(id);
    const steps = await w.sessions.replay.steps(id);
    expect(steps[0]!.input).toEqual({ value: 1, deep: { $bytes: "/w==" } });
    expect(Object.keys(steps[1]!.input as object)).toEqual(["$not_kept"]);
    const { steps: replayed } = await w.sessions.replay.replay(id);
    expect(replayed.map(({ source }) => source)).toEqual(["recorded", "recorded"]);
  });

  test("of a storm keeps the newest ten thousand steps under their numbers", async () => {
    await using w = await world();
    const { id } = await w.sessions.create();
    w.sessions.setCurrent(id);
    for (let n = 1; n <= 45_000; n++)
      w.sessions.recorder.record({
        kind: "event",
        name: "storm",
        input: { data: { n } },
        output: { outcome: "accepted" },
        startedMs: n,
        durationMs: 0,
      });
    const steps = await w.sessions.replay.steps(id);
    expect([steps.length, steps[0]!.step, steps.at(-1)!.step]).toEqual([10_000, 35_001, 45_000]);
    expect(steps.every(({ step, input }) => (input as { data: { n: number } }).data.n === step)).toBe(true);
    expect(w.sessions.get(id).operation_count).toBe(45_000);
  });

  test("is off where the configuration says so, or no session is current", async () => {
    const pure = changing("pure", true);
    await using w = await world({
      tools: [pure.tool],
      change: (settings) => {
        settings.enable_replay = false;
      },
    });
    const service = toolsOf(w, [pure.tool]);
    const { id } = await w.sessions.create();
    await service.execute("pure", { value: 1 });
    w.sessions.setCurrent(id);
    await service.execute("pure", { value: 1 });
    expect(await w.sessions.replay.steps(id)).toEqual([]);
  });
});
