import { describe, expect, test } from "bun:test";
import type { Agent } from "../../../src/agents/service.ts";
import { SpellError } from "../../../src/core/errors.ts";
import type { Task } from "../../../src/core/task.ts";
import { currentTasks } from "../../../src/core/task.ts";
import {
  type Answer,
  calls,
  failureOf,
  finish,
  gate,
  type Part,
  ScriptedModel,
  says,
  testRun,
  testTool,
  textParts,
  world,
} from "./support.ts";

describe("Turns of one agent", () => {
  test("run one after another, in the order in which they were asked for", async () => {
    const hold = gate();
    const slow: Answer = async function* () {
      await hold.promise;
      yield* says("first")({} as never) as Iterable<Part>;
    };
    const model = new ScriptedModel([slow, says("second"), says("third")]);
    const { agents } = world({ m: model });
    const agent = await agents.create({ model: "m", systemPrompt: "" });
    const run = testRun();
    const turns = ["1", "2", "3"].map((text) => agent.execute({ text }, run));
    hold.resolve();
    expect((await Promise.all(turns)).map((output) => output.text)).toEqual(["first", "second", "third"]);
    expect(model.prompt(2)).toEqual([
      "user: 1",
      "assistant: first",
      "user: 2",
      "assistant: second",
      "user: 3",
    ]);
  });

  test("of different agents overlap", async () => {
    const both = gate();
    let inside = 0;
    const meet: Answer = async function* () {
      if (++inside === 2) both.resolve();
      await both.promise;
      yield* says("met")({} as never) as Iterable<Part>;
    };
    const { agents } = world({ a: new ScriptedModel([meet]), b: new ScriptedModel([meet]) });
    const a = await agents.create({ model: "a" });
    const b = await agents.create({ model: "b" });
    const run = testRun();
    const outputs = await Promise.all([a.execute({ text: "x" }, run), b.execute({ text: "x" }, run)]);
    expect(outputs.map((output) => output.text)).toEqual(["met", "met"]);
  });
});

describe("A cancelled turn", () => {
  test("ends in the middle of a stream that does not heed the signal, and stops reading it", async () => {
    const started = gate();
    let cancelled = false;
    const model = new ScriptedModel([]);
    model.doStream = async () => ({
      stream: new ReadableStream<Part>({
        start(controller) {
          for (const part of textParts("some")) controller.enqueue(part);
        },
        cancel() {
          cancelled = true;
        },
      }),
    });
    const { agents } = world({ m: model });
    const agent = await agents.create({ model: "m" });
    const run = testRun();
    const turn = agent.execute({ text: "go" }, run, () => started.resolve());
    await started.promise;
    run.abort(new SpellError("interrupted", "Interrupted by the user"));
    expect(await failureOf(turn)).toMatchObject({ code: "interrupted", message: "Interrupted by the user" });
    expect(cancelled).toBe(true);
    expect(agent.lifecycle.state).toBe("Ready");
  });

  test("ends in the middle of a tool, whose signal is aborted too", async () => {
    const started = gate();
    let toolSignal: AbortSignal | undefined;
    const wait = testTool("wait", (_, signal) => {
      toolSignal = signal;
      started.resolve();
      return new Promise(() => {});
    });
    const { agents } = world({ m: new ScriptedModel([calls(["wait", {}])]) }, [wait]);
    const agent = await agents.create({ model: "m", allowedTools: ["wait"] });
    const run = testRun();
    const turn = agent.execute({ text: "go" }, run);
    await started.promise;
    run.abort();
    expect((await failureOf(turn)).code).toBe("interrupted");
    expect(toolSignal!.aborted).toBe(true);
  });

  test("tells its listener nothing more when a tool comes back later, and calls no model again", async () => {
    const started = gate();
    const held = gate();
    const slow = testTool("slow", async () => {
      started.resolve();
      await held.promise;
    });
    const model = new ScriptedModel([calls(["slow", {}]), says("too late")]);
    const { agents } = world({ m: model }, [slow]);
    const agent = await agents.create({ model: "m", allowedTools: ["slow"] });
    const run = testRun();
    const heard: string[] = [];
    const turn = agent.execute({ text: "go" }, run, (event) => void heard.push(event.type));
    await started.promise;
    run.abort();
    await failureOf(turn);
    held.resolve();
    await Bun.sleep(0);
    expect(heard).toEqual(["tool-start", "error"]);
    expect(model.requests).toHaveLength(1);
  });

  test("does not wait for its agent any longer", async () => {
    const { agents } = world({ m: new ScriptedModel([() => neverEnding(), says("free")]) });
    const agent = await agents.create({ model: "m" });
    const holder = testRun();
    const waiter = testRun();
    const first = agent.execute({ text: "1" }, holder);
    const second = agent.execute({ text: "2" }, waiter);
    waiter.abort();
    expect((await failureOf(second)).code).toBe("interrupted");
    holder.abort();
    await failureOf(first);
    expect((await agent.execute({ text: "3" }, testRun())).text).toBe("free");
  });

  test("by its time limit says which limit it was", async () => {
    const { agents } = world({ m: new ScriptedModel([() => neverEnding()]) });
    const agent = await agents.create({ name: "ada", model: "m", maxExecutionTimeSeconds: 0.01 });
    const failure = await failureOf(agent.execute({ text: "go" }, testRun()));
    expect(failure.code).toBe("timeout");
    expect(failure.message).toBe('Cannot finish the turn of agent "ada": max_execution_time is 0.01 s');
  });

  test("by a listener that never returns still ends", async () => {
    const { agents } = world({ m: new ScriptedModel([says("a")]) });
    const agent = await agents.create({ model: "m", maxExecutionTimeSeconds: 0.01 });
    const failure = await failureOf(
      agent.execute({ text: "go" }, testRun(), () => new Promise<void>(() => {})),
    );
    expect(failure.code).toBe("timeout");
  });

  test("by terminate ends, and the agent takes no more", async () => {
    const started = gate();
    const opens: Answer = async function* () {
      started.resolve();
      yield* neverEnding();
    };
    const { agents } = world({ m: new ScriptedModel([opens]) });
    const agent = await agents.create({ name: "ada", model: "m" });
    const turn = agent.execute({ text: "go" }, testRun());
    await started.promise;
    agent.terminate();
    expect((await failureOf(turn)).code).toBe("interrupted");
    expect(agent.lifecycle.state).toBe("Terminated");
    expect(await failureOf(agent.execute({ text: "go" }, testRun()))).toMatchObject({
      code: "invalid_argument",
      message: 'Cannot run agent "ada": it is Terminated',
    });
  });
});

async function* neverEnding(): AsyncGenerator<Part> {
  await new Promise(() => {});
}

/** A tool through which an agent asks another one. */
const asks = (name: string, other: () => Agent, run = testRun()) =>
  testTool(name, async () => (await other().execute({ text: "you?" }, run)).text);

describe("Nested agents", () => {
  test("answer through a tool", async () => {
    let inner: Agent | undefined;
    const { agents } = world(
      {
        outer: new ScriptedModel([calls(["ask-inner", {}]), says("they said hi")]),
        inner: new ScriptedModel([says("hi")]),
      },
      [asks("ask-inner", () => inner!)],
    );
    inner = await agents.create({ model: "inner" });
    const outer = await agents.create({ model: "outer", allowedTools: ["ask-inner"] });
    const output = await outer.execute({ text: "ask" }, testRun());
    expect(output.text).toBe("they said hi");
    expect(output.toolCalls).toMatchObject([
      { success: true, output: expect.stringContaining('"result":"hi"') },
    ]);
  });

  test("that wait for themselves are refused instead of hanging, and the model is told", async () => {
    let self: Agent | undefined;
    const { agents } = world(
      { m: new ScriptedModel([calls(["ask-self", {}]), says("I cannot ask myself")]) },
      [asks("ask-self", () => self!)],
    );
    self = await agents.create({ name: "ada", model: "m", allowedTools: ["ask-self"] });
    const output = await self.execute({ text: "go" }, testRun());
    expect(output.toolCalls[0]!.error).toStartWith(
      'Cannot run agent "ada": it waits for the call that asks for it',
    );
    expect(output.text).toBe("I cannot ask myself");
  });

  test("that wait for each other are refused instead of hanging", async () => {
    let a: Agent | undefined;
    let b: Agent | undefined;
    const both = gate();
    let started = 0;
    const meet = async () => {
      if (++started === 2) both.resolve();
      await both.promise;
    };
    const askB = testTool("ask-b", async () => {
      await meet();
      return (await b!.execute({ text: "?" }, testRun())).text;
    });
    const askA = testTool("ask-a", async () => {
      await meet();
      return (await a!.execute({ text: "?" }, testRun())).text;
    });
    const { agents } = world(
      {
        a: new ScriptedModel([calls(["ask-b", {}]), says("a done"), says("a again")]),
        b: new ScriptedModel([calls(["ask-a", {}]), says("b done"), says("b again")]),
      },
      [askA, askB],
    );
    a = await agents.create({ name: "a", model: "a", allowedTools: ["ask-b"] });
    b = await agents.create({ name: "b", model: "b", allowedTools: ["ask-a"] });
    const run = testRun();
    const outputs = await Promise.all([a.execute({ text: "go" }, run), b.execute({ text: "go" }, run)]);
    expect(outputs.map((output) => output.text)).toEqual(["a done", "b done"]);
    const refused = outputs.filter((output) => output.toolCalls[0]!.error?.includes("it waits for the call"));
    expect(refused).toHaveLength(1);
  });

  test("that wait for a turn blocked behind a script callback are refused", async () => {
    const started = gate();
    const held = gate();
    let waiting: readonly Task[] = [];
    const hold = testTool("hold", async () => {
      waiting = currentTasks();
      started.resolve();
      await held.promise;
    });
    const { agents } = world({ m: new ScriptedModel([calls(["hold", {}]), says("done")]) }, [hold]);
    const agent = await agents.create({ model: "m", allowedTools: ["hold"] });
    const first = agent.execute({ text: "1" }, testRun());
    await started.promise;
    const callback = testRun(() => new Set(waiting));
    expect((await failureOf(agent.execute({ text: "2" }, callback))).code).toBe("deadlock");
    held.resolve();
    expect((await first).text).toBe("done");
  });

  test("end at max_recursion_depth", async () => {
    const chain: Agent[] = [];
    const tools = [1, 2, 3].map((i) => asks(`ask-${i}`, () => chain[i]!));
    const models = Object.fromEntries(
      [0, 1, 2, 3].map((i) => [`m${i}`, new ScriptedModel([calls([`ask-${i + 1}`, {}]), says(`end ${i}`)])]),
    );
    const { agents } = world(models, [...tools, testTool("ask-4", () => 0)]);
    for (const i of [0, 1, 2, 3]) {
      chain.push(
        await agents.create({
          name: `n${i}`,
          model: `m${i}`,
          allowedTools: [`ask-${i + 1}`],
          maxRecursionDepth: 3,
        }),
      );
    }
    await chain[0]!.execute({ text: "go" }, testRun());
    expect(chain.map((agent) => agent.metrics.total)).toEqual([1, 1, 1, 0]);
  });
});

describe("Wrapped as a tool", () => {
  test("an agent serves another one, in the run of the agent that asks", async () => {
    const outerModel = new ScriptedModel([
      calls(["poet_tool", { text: "a rhyme", parameters: { lines: 2 } }]),
      says("done"),
    ]);
    const innerModel = new ScriptedModel([says("roses")]);
    const { agents, tools } = world({ outer: outerModel, inner: innerModel });
    await agents.create({ name: "poet", description: "Writes rhymes", model: "inner", systemPrompt: "" });
    const maker = testRun();
    expect(await agents.wrapAsTool("poet", {}, maker)).toBe("poet_tool");
    expect(tools.find("poet_tool")).toMatchObject({
      level: "restricted",
      category: "utility",
      description: "Writes rhymes",
    });
    const outer = await agents.create({ model: "outer", allowedTools: ["poet_tool"] });
    const run = testRun();
    const output = await outer.execute({ text: "go" }, run);
    expect(output.toolCalls[0]!.output).toBe("roses");
    expect(innerModel.prompt(0)).toEqual(['user: a rhyme\n\nParameters: {"lines":2}']);
    expect(run.events).toContainEqual({ type: "token", agent: "poet", text: "roses" });
    expect(maker.events).toEqual([]);
  });

  test("it disappears with its agent", async () => {
    const { agents, tools } = world({ m: new ScriptedModel([]) });
    await agents.create({ name: "poet", model: "m" });
    await agents.wrapAsTool("poet", { toolName: "rhyme" }, testRun());
    await agents.destroy("poet");
    expect(tools.find("rhyme")).toBeUndefined();
  });
});

describe("The registry", () => {
  test("frees a name when its agent is destroyed, and not before", async () => {
    const { agents } = world({ m: new ScriptedModel([]) });
    await agents.create({ name: "ada", model: "m" });
    const failure = await failureOf(agents.create({ name: "ada", model: "m" }));
    expect(failure.code).toBe("already_exists");
    expect(failure.message).toContain("Agent instance 'ada' already exists");
    expect(await agents.destroy("ada")).toBe(true);
    expect(await agents.destroy("ada")).toBe(false);
    await agents.create({ name: "ada", model: "m" });
    expect(agents.list().map((agent) => agent.name)).toEqual(["ada"]);
  });

  test("keeps a name for the first of two who ask at once, and frees it when the making fails", async () => {
    const { agents } = world({ m: new ScriptedModel([]) });
    const made = await Promise.allSettled([
      agents.create({ name: "ada", model: "m" }),
      agents.create({ name: "ada", model: "m" }),
      agents.create({ name: "bob", model: "missing" }),
    ]);
    expect(made.map((outcome) => outcome.status)).toEqual(["fulfilled", "rejected", "rejected"]);
    await agents.create({ name: "bob", model: "m" });
  });

  test("names agents that have no name, by eight hex digits", async () => {
    const { agents } = world({ m: new ScriptedModel([]) });
    expect((await agents.create({ model: "m" })).name).toMatch(/^agent_[0-9a-f]{8}$/);
  });

  test.each([
    [{}, "invalid_argument", "Model is required"],
    [{ model: "m", allowedTools: ["calcultor"] }, "not_found", "no such tool: calcultor"],
    [{ model: "m", temperature: 3 }, "invalid_argument", '"temperature" must be between 0 and 2: 3'],
    [{ model: "m", maxTokens: 0 }, "invalid_argument", '"max_tokens" must be at least 1: 0'],
    [{ model: "m", name: " " }, "invalid_argument", "name must not be empty"],
  ] as const)("refuses to build from settings %#", async (config, code, message) => {
    const { agents } = world({ m: new ScriptedModel([]) }, [testTool("calculator", () => 0)]);
    const failure = await failureOf(agents.create({ ...config } as never));
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(message);
    if (code === "not_found") expect(failure.hint).toBe('Did you mean "calculator"?');
  });

  test("hands provider, key and base URL on with the model's name", async () => {
    const { agents, resolved } = world({ "x/y": new ScriptedModel([]) });
    await agents.create({
      model: "x/y",
      provider: "openai",
      baseUrl: "http://localhost:1",
      apiKey: "k",
      maxRetries: 0,
      fallbackModels: ["m"],
    });
    expect(resolved).toEqual([
      {
        specifier: "x/y",
        overrides: {
          provider: "openai",
          baseUrl: "http://localhost:1",
          apiKey: "k",
          maxRetries: 0,
          fallback: ["m"],
        },
      },
    ]);
  });

  test("makes echo agents without a model, and orchestrators with every tool", async () => {
    const { agents } = world({ m: new ScriptedModel([]) }, [testTool("a", () => 0), testTool("b", () => 0)]);
    const echo = await agents.create({ name: "echo", type: "basic" });
    expect((await echo.execute({ text: "hello" }, testRun())).text).toBe("hello");
    expect((await agents.create({ model: "m", type: "tool-orchestrator" })).toolNames).toEqual(["a", "b"]);
  });
});

describe("Metrics", () => {
  test("count turns, failures, tool calls and tokens", async () => {
    const model = new ScriptedModel([calls(["t", {}]), says("ok"), () => [finish("error")]]);
    const { agents } = world({ m: model }, [testTool("t", () => 1)]);
    const agent = await agents.create({ model: "m", allowedTools: ["t"] });
    await agent.execute({ text: "1" }, testRun());
    const held = agent.metrics.memoryBytes;
    await failureOf(agent.execute({ text: "2" }, testRun()));
    expect(agent.metrics.values()).toMatchObject({
      requests_total: 2,
      requests_failed: 1,
      requests_active: 0,
      tool_invocations: 1,
      prompt_tokens: 20,
      completion_tokens: 4,
      total_executions: 2,
      success_rate: 0.5,
      error_rate: 0.5,
    });
    expect(held).toBeGreaterThan(0);
    expect(agent.metrics.memoryBytes).toBe(held);
    expect(agent.health().status).toBe("Degraded");
    expect(agent.lifecycle.lastError).toContain("ended with an error");
  });

  test("refuse a turn that would exceed max_memory_mb", async () => {
    const model = new ScriptedModel([says("a".repeat(600_000)), says("b".repeat(600_000))]);
    const { agents } = world({ m: model });
    const agent = await agents.create({ model: "m", maxMemoryMb: 1 });
    await agent.execute({ text: "1" }, testRun());
    const failure = await failureOf(agent.execute({ text: "2" }, testRun()));
    expect(failure).toMatchObject({ code: "limit", data: { limit: "max_memory_mb" } });
  });
});
