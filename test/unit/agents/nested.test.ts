import { describe, expect, test } from "bun:test";
import type { Agent } from "../../../src/agents/service.ts";
import { currentTasks, type Task } from "../../../src/core/task.ts";
import { calls, failureOf, gate, ScriptedModel, says, testRun, testTool, world } from "./support.ts";

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
