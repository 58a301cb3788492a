import { describe, expect, test } from "bun:test";
import type { CompositeRouting } from "../../../src/agents/composite.ts";
import { type Answer, failureOf, finish, type Part, ScriptedModel, says, testRun, world } from "./support.ts";

const fails: Answer = () => [{ type: "error", error: new Error("the model is gone") }];

/** A composite of agents `a`, `b`, … with one scripted answer each, and an agent `spare`. */
async function composite(answers: Answer[], routing: CompositeRouting) {
  const names = answers.map((_, i) => String.fromCharCode(97 + i));
  const models = Object.fromEntries(names.map((name, i) => [name, new ScriptedModel([answers[i]!])]));
  const { agents } = world({ ...models, spare: new ScriptedModel([says("spare")]) });
  for (const name of [...names, "spare"]) await agents.create({ name, model: name, systemPrompt: "" });
  const made = await agents.createComposite("all", names, routing);
  return { made, models, agents };
}

describe("A sequential composite", () => {
  test("hands each answer on to the next member", async () => {
    const { made, models } = await composite([says("two"), says("three")], { strategy: "sequential" });
    const output = await made.execute({ text: "one" }, testRun());
    expect(output.text).toBe("three");
    expect(models.b!.prompt(0)).toEqual(["user: two"]);
    expect(output.members).toEqual({ a: "two", b: "three" });
    expect(output.usage).toEqual({ promptTokens: 20, completionTokens: 4, totalTokens: 24, calls: 2 });
  });

  test("is found by its name and told apart by its kind", async () => {
    const { agents, made } = await composite([says("x")], { strategy: "sequential" });
    expect(agents.get("all")).toBe(made);
    expect(made.kind).toBe("composite");
    expect(made.members.map((member) => member.name)).toEqual(["a"]);
  });

  test("streams its answer to the listener once, while each member's tokens go to the run", async () => {
    const { made } = await composite([says("t", "wo"), says("three")], { strategy: "sequential" });
    const run = testRun();
    const heard: string[] = [];
    await made.execute(
      { text: "one" },
      run,
      (event) => void heard.push(event.type === "text" ? event.text : event.type),
    );
    expect(heard).toEqual(["three", "end"]);
    expect(run.events).toEqual([
      { type: "token", agent: "a", text: "t" },
      { type: "token", agent: "a", text: "wo" },
      { type: "token", agent: "b", text: "three" },
    ]);
  });
});

describe("A parallel composite", () => {
  test("gives every member the input and joins the answers in the members' order", async () => {
    let inside = 0;
    const both = Promise.withResolvers<void>();
    const meets = (text: string): Answer =>
      async function* () {
        if (++inside === 2) both.resolve();
        await both.promise;
        yield* says(text)({} as never) as Iterable<Part>;
      };
    const { made, models } = await composite([meets("x"), meets("y")], { strategy: "parallel" });
    const output = await made.execute({ text: "q" }, testRun());
    expect(output.text).toBe("a: x\n\nb: y");
    expect([models.a!.prompt(0), models.b!.prompt(0)]).toEqual([["user: q"], ["user: q"]]);
  });

  test("ends the other members when one fails", async () => {
    const waits: Answer = async function* () {
      await new Promise(() => {});
      yield finish();
    };
    const { made, agents } = await composite([fails, waits], { strategy: "parallel" });
    expect((await failureOf(made.execute({ text: "q" }, testRun()))).code).toBe("provider");
    await Bun.sleep(0);
    expect(agents.get("b")!.lifecycle.state).toBe("Ready");
    expect(agents.get("b")!.lifecycle.lastError).toContain("Another member");
  });
});

describe("A vote", () => {
  test("takes the most frequent answer, case and space aside", async () => {
    const { made } = await composite([says("no"), says("Yes"), says(" yes ")], { strategy: "vote" });
    expect((await made.execute({ text: "q" }, testRun())).text).toBe("Yes");
  });

  test("takes the first member's answer in a tie", async () => {
    const { made } = await composite([says("x"), says("y")], { strategy: "vote" });
    expect((await made.execute({ text: "q" }, testRun())).text).toBe("x");
  });

  test("leaves out members that fail", async () => {
    const { made } = await composite([fails, says("y")], { strategy: "vote" });
    expect((await made.execute({ text: "q" }, testRun())).text).toBe("y");
  });

  test("fails with the first failure when all members fail", async () => {
    const { made } = await composite([fails, fails], { strategy: "vote" });
    expect((await failureOf(made.execute({ text: "q" }, testRun()))).code).toBe("provider");
  });

  test("below its threshold goes to the fallback agent, or fails", async () => {
    const routing = { strategy: "vote", threshold: 0.6 } as const;
    const { made } = await composite([says("x"), says("y")], { ...routing, fallbackAgent: "spare" });
    expect((await made.execute({ text: "q" }, testRun())).text).toBe("spare");
    const alone = await composite([says("x"), says("y")], routing);
    expect((await failureOf(alone.made.execute({ text: "q" }, testRun()))).message).toBe(
      'Cannot finish the vote of agent "all": 1 of 2 agree, threshold is 0.6',
    );
  });
});

describe("Custom routing", () => {
  test("goes to the member that the input names", async () => {
    const { made, models } = await composite([says("x"), says("y")], { strategy: "custom" });
    const output = await made.execute({ text: "q", parameters: { agent: "b" } }, testRun());
    expect(output.text).toBe("y");
    expect(models.b!.prompt(0)).toEqual(["user: q"]);
    expect((await made.execute({ text: "q" }, testRun())).text).toBe("x");
  });
});

describe("Any composite", () => {
  test("asks its fallback agent when its time is up", async () => {
    const waits: Answer = async function* () {
      await new Promise(() => {});
      yield finish();
    };
    const { made } = await composite([waits], {
      strategy: "sequential",
      timeoutMs: 5,
      fallbackAgent: "spare",
    });
    expect((await made.execute({ text: "q" }, testRun())).text).toBe("spare");
  });

  test("does not ask its fallback agent when it is interrupted", async () => {
    const run = testRun();
    const aborts: Answer = async function* () {
      run.abort();
      await new Promise(() => {});
      yield finish();
    };
    const { made, agents } = await composite([aborts], { strategy: "sequential", fallbackAgent: "spare" });
    expect((await failureOf(made.execute({ text: "q" }, run))).code).toBe("interrupted");
    expect(agents.get("spare")!.metrics.total).toBe(0);
  });

  test("needs members that exist and a name that is free", async () => {
    const { agents } = await composite([says("x")], { strategy: "sequential" });
    const make = (name: string, members: string[]) => () =>
      agents.createComposite(name, members, { strategy: "sequential" });
    await expect(make("other", ["spar"])()).rejects.toThrow(
      'Cannot build composite agent "other": no such agent: spar',
    );
    await expect(make("other", [])()).rejects.toThrow("it needs at least one member");
    await expect(make("all", ["a"])()).rejects.toThrow("already exists");
  });
});
