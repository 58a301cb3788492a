/** Built-in hooks that work for the current session: `artifact_collector` and `session_policy`. */
import { describe, expect, test } from "bun:test";
import type { BuiltinSession } from "../../../../src/hooks/builtin/index.ts";
import { testHooks } from "../support.ts";
import { agent, operation } from "./support.ts";

function testSession(id: string | null = "s1") {
  const now = { id };
  const stored: Parameters<BuiltinSession["store"]>[] = [];
  const told: unknown[][] = [];
  const session: BuiltinSession = {
    current: async () => now.id,
    store: async (...call) => void stored.push(call),
    announce: async (...call) => void told.push(call),
  };
  return { now, stored, told, session };
}

const text = (content: Uint8Array) => new TextDecoder().decode(content);

describe("artifact collector", () => {
  test("keeps what tools and agents gave under their names", async () => {
    const { session, stored } = testSession();
    const { hooks } = await testHooks({ session });
    await hooks.enableBuiltin("artifact_collector");
    await hooks.around(operation(), () => ({ sum: 3 }));
    await hooks.around(agent({ input: "hi" }, { describe: (output) => ({ output }) }), () => "hello");
    expect(
      stored.map(([id, { type, name, content, metadata }]) => [
        id,
        type,
        name,
        text(content),
        metadata.mime_type,
      ]),
    ).toEqual([
      ["s1", "tool_result", "adder", '{"sum":3}', "application/json"],
      ["s1", "agent_output", "ada", "hello", "text/plain"],
    ]);
    expect(stored[0]![1].metadata.tags).toEqual(["collected"]);
  });

  test("leaves out what is too small, too large, not asked for, or of no session", async () => {
    const { session, stored, now } = testSession();
    const { hooks } = await testHooks({ session });
    await hooks.enableBuiltin("artifact_collector", { min_bytes: 3, max_bytes: 10, components: ["add*"] });
    for (const result of ["ab", "x".repeat(11)]) await hooks.around(operation(), () => result);
    await hooks.around(operation({}, { component: { type: "Tool", name: "other" } }), () => "wanted");
    await hooks.around(operation({}, { component: { type: "System", name: "adder" } }), () => "wanted");
    now.id = null;
    await hooks.around(operation(), () => "wanted");
    expect(stored).toEqual([]);
    expect(hooks.builtinReport("artifact_collector")).toEqual({
      stored: 0,
      too_small: 1,
      too_large: 1,
      without_session: 1,
    });
  });

  test("that cannot keep something does not disturb the operation", async () => {
    const { session } = testSession();
    session.store = async () => {
      throw new Error("disk full");
    };
    const { hooks, lines } = await testHooks({ session });
    await hooks.enableBuiltin("artifact_collector");
    expect(await hooks.around(operation(), () => "fine")).toBe("fine");
    expect(lines.map(({ message }) => message)).toContain("hook failed, the operation goes on");
  });
});

test("Built-in hooks are not recorded for replays, hooks of scripts are", async () => {
  const recorded: string[] = [];
  const { session } = testSession();
  const { hooks, add } = await testHooks({
    session,
    recorder: async () => ({ record: ({ name }) => void recorded.push(name) }),
  });
  await hooks.enableBuiltin("artifact_collector");
  await hooks.enableBuiltin("session_policy", { max_memory_bytes: 0 });
  await add(() => undefined, { language: "lua", name: "mine", tags: ["builtin"] });
  await hooks.around(operation(), () => "result");
  expect(recorded).toEqual(["mine"]);
});

test("The recording of a hook that fails says why, and so does its replay", async () => {
  const recorded: unknown[] = [];
  const { hooks, add } = await testHooks({
    recorder: async () => ({ record: ({ name, output }) => void recorded.push([name, output]) }),
  });
  const ill = () => {
    throw new Error("ill");
  };
  await add(ill, { language: "lua", name: "ill" });
  await add(() => undefined, { language: "lua", name: "well" });
  await hooks.around(operation(), () => "result");
  expect(recorded).toEqual([
    ["ill", { type: "continue", error: "ill" }],
    ["well", { type: "continue" }],
  ]);
  const input = { point: "BeforeToolExecution", component: operation().component, data: {} };
  expect(await hooks.runAgain("ill", input)).toEqual({ type: "continue", error: "ill" } as never);
  expect(await hooks.runAgain("well", input)).toEqual({ type: "continue" });
  expect([hooks.standsAt("well", "BeforeToolExecution"), hooks.standsAt("well", "ToolError")]).toEqual([
    true,
    false,
  ]);
  await expect(hooks.runAgain("nobody", input)).rejects.toThrow(
    'Cannot run hook "nobody" again: it is not registered',
  );
});

describe("session policy", () => {
  const tokens = (total: number) =>
    agent(
      { input: "hi", model: "openai/gpt-4" },
      { describe: () => ({ tokens: { prompt_tokens: total, completion_tokens: 0 } }) },
    );

  async function policy(options: Record<string, unknown>) {
    const one = testSession();
    const rest = await testHooks({ session: one.session });
    // the memory of the process that runs the tests is no matter of theirs
    await rest.hooks.enableBuiltin("session_policy", { max_memory_bytes: 0, ...options });
    const call = () => rest.hooks.around(operation(), () => "done");
    return { ...one, ...rest, call };
  }

  test("limits the number of operations of a session, not of others", async () => {
    const { call, now } = await policy({ max_operations: 2 });
    expect([await call(), await call()]).toEqual(["done", "done"]);
    await expect(call()).rejects.toThrow(
      "the policy of session s1 refuses it: operations is used up: 2 of 2",
    );
    now.id = "s2";
    expect(await call()).toBe("done");
    now.id = null;
    for (let i = 0; i < 5; i++) expect(await call()).toBe("done");
  });

  test("limits tokens and costs of all model calls", async () => {
    const { hooks } = await policy({ max_tokens: 1000, max_cost_usd: 0 });
    await hooks.around(tokens(1000), () => "answer");
    await expect(hooks.around(tokens(1), () => "answer")).rejects.toThrow("tokens is used up: 1000 of 1000");
    const costly = await policy({ max_cost_usd: 0.03, max_tokens: 0 });
    await costly.hooks.around(tokens(1000), () => "answer");
    await expect(costly.hooks.around(tokens(1), () => "answer")).rejects.toThrow(
      "cost_usd is used up: 0.03 of 0.03",
    );
    expect(costly.hooks.builtinReport("session_policy")).toMatchObject({
      allowed: 1,
      refused: 1,
      sessions: { s1: { tokens: 1000, cost_usd: 0.03 } },
    });
  });

  test("refuses the answer of a model call that took too many tokens", async () => {
    const { hooks } = await policy({ max_tokens_per_operation: 10 });
    await expect(hooks.around(tokens(11), () => "answer")).rejects.toThrow(
      "a model call of session s1 took 11 tokens, 10 are allowed",
    );
  });

  test("limits how fast, with a burst, and forgives with time", async () => {
    const { call, clock } = await policy({ tool_execution_per_minute: 2, burst: 1.5 });
    for (let i = 0; i < 3; i++) expect(await call()).toBe("done");
    await expect(call()).rejects.toThrow("tool_execution is limited to 2 a minute");
    clock.ms += 30_000;
    expect(await call()).toBe("done");
    await expect(call()).rejects.toThrow("tool_execution is limited to 2 a minute");
  });

  const kinds = {
    tool: operation(),
    model: agent({ input: "hi" }),
    state: operation({}, { before: "BeforeStateWrite", after: "AfterStateWrite" }),
  };

  test.each<[string, Record<string, unknown>, Record<keyof typeof kinds, number>]>([
    ["session", { session_per_minute: 2 }, { tool: 2, model: 0, state: 0 }],
    ["llm_call", { llm_call_per_minute: 1 }, { tool: 3, model: 1, state: 3 }],
    ["tool_execution", { tool_execution_per_minute: 1 }, { tool: 1, model: 3, state: 3 }],
    ["state_update", { state_update_per_minute: 2 }, { tool: 3, model: 3, state: 2 }],
    ["nothing where all are 0", { llm_call_per_minute: 0 }, { tool: 3, model: 3, state: 3 }],
  ])("limits %s, and no other kind of operation", async (name, limit, passed) => {
    const { hooks } = await policy({ burst: 1, max_cost_usd: 0, ...limit });
    const seen = { tool: 0, model: 0, state: 0 };
    for (const [kind, work] of Object.entries(kinds) as [keyof typeof kinds, typeof kinds.tool][])
      for (let i = 0; i < 3; i++)
        await hooks
          .around(work, () => "done")
          .then(
            () => seen[kind]++,
            (error: Error) => expect(error.message).toContain(`${name} is limited to`),
          );
    expect(seen).toEqual(passed);
  });

  test("limits the memory of the process", async () => {
    const small = await policy({ max_memory_bytes: 1000 });
    await expect(small.call()).rejects.toThrow(/memory is used up: \d+ of 1000 bytes/);
    const roomy = await policy({ max_memory_bytes: 2 ** 50 });
    expect(await roomy.call()).toBe("done");
  });

  test("limits all sessions together", async () => {
    const { call, now } = await policy({ global_per_minute: 2, burst: 1 });
    await call();
    now.id = "s2";
    await call();
    await expect(call()).rejects.toThrow("global is limited to 2 a minute");
  });

  test("warns once at each share of a limit", async () => {
    const { call, told, lines } = await policy({ max_operations: 4 });
    for (let i = 0; i < 4; i++) await call();
    expect(told).toEqual(
      [0.5, 0.75, 0.9].map((share, i) => [
        "s1",
        "policy_alert",
        { resource: "operations", used: [2, 3, 4][i], limit: 4, share },
      ]),
    );
    expect(lines.filter(({ level }) => level === "warn")).toHaveLength(3);
  });

  test("names one reached limit, all, or refuses only by more than half", async () => {
    const both = { max_operations: 1, tool_execution_per_minute: 1, burst: 1 };
    const sequential = await policy(both);
    await sequential.call();
    await expect(sequential.call()).rejects.toThrow(/refuses it: operations is used up: 1 of 1$/);
    const parallel = await policy({ ...both, combination: "parallel" });
    await parallel.call();
    await expect(parallel.call()).rejects.toThrow(
      "operations is used up: 1 of 1; tool_execution is limited to 1 a minute",
    );
    const voting = await policy({ ...both, combination: "voting" });
    await voting.call();
    expect(await voting.call()).toBe("done");
  });

  test("refuses wrong options", async () => {
    const { hooks } = await testHooks();
    await expect(hooks.enableBuiltin("session_policy", { alerts: ["2"] })).rejects.toThrow(
      "must be shares between 0 and 1: 2",
    );
    await expect(hooks.enableBuiltin("session_policy", { prices: { x: 1 } })).rejects.toThrow(
      "hooks.builtin.session_policy.prices.x",
    );
  });
});
