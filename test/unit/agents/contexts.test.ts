import { describe, expect, test } from "bun:test";
import { ExecutionContexts, INHERITANCES } from "../../../src/agents/contexts.ts";
import { SharedMemory } from "../../../src/agents/shared-memory.ts";
import { ScriptedModel, says, testRun, world } from "./support.ts";

const agentScope = { type: "agent", id: "a" } as const;

describe("A child context", () => {
  // What child and parent see of `key` after: parent made with it, child made, child writes, parent writes `late`.
  const expected = {
    inherit: { before: "parent", parentAfter: "parent", late: "late" },
    isolate: { before: undefined, parentAfter: "parent", late: undefined },
    copy: { before: "parent", parentAfter: "parent", late: undefined },
    share: { before: "parent", parentAfter: "child", late: "late" },
  };
  test.each([...INHERITANCES])("with %s sees what it should of its parent", (inheritance) => {
    const contexts = new ExecutionContexts();
    const parent = contexts.create({ data: { key: "parent" } });
    const child = contexts.createChild(parent, agentScope, inheritance);
    const before = contexts.get(child, "key");
    contexts.update(child, "key", "child");
    contexts.update(parent, "late", "late");
    expect(contexts.get(child, "key")).toBe("child");
    expect({ before, parentAfter: contexts.get(parent, "key"), late: contexts.get(child, "late") }).toEqual(
      expected[inheritance],
    );
  });

  test("hides a parent's value with nil", () => {
    const contexts = new ExecutionContexts();
    const parent = contexts.create({ data: { key: 1 } });
    const child = contexts.createChild(parent, agentScope, "inherit");
    contexts.update(child, "key", null);
    expect(contexts.get(child, "key")).toBeUndefined();
    expect(contexts.get(parent, "key")).toBe(1);
  });

  test("goes with its parent, and unknown ids are refused", () => {
    const contexts = new ExecutionContexts();
    const parent = contexts.create({});
    const child = contexts.createChild(parent, agentScope, "inherit");
    const other = contexts.create({});
    contexts.remove(parent);
    expect(() => contexts.get(child, "key")).toThrow(`no such context: ${child}`);
    expect(() => contexts.createChild(parent, agentScope, "inherit")).toThrow("no such context");
    expect(contexts.get(other, "key")).toBeUndefined();
  });
});

describe("An agent in a context", () => {
  test("gets its data and keeps one conversation for each conversation id", async () => {
    const model = new ScriptedModel([says("1"), says("2"), says("3")]);
    const { agents } = world({ m: model });
    const agent = await agents.create({ model: "m", systemPrompt: "Be brief." });
    const id = agents.contexts.create({ conversationId: "c1", data: { b: 2, a: [1] } });
    const context = () => agents.contexts.forAgent(id);
    await agent.execute({ text: "in", context: context() }, testRun());
    await agent.execute({ text: "outside" }, testRun());
    await agent.execute({ text: "in again", context: context() }, testRun());
    expect(model.prompt(0)).toEqual(['system: Be brief.\n\nContext: {"a":[1],"b":2}', "user: in"]);
    expect(model.prompt(1)).toEqual(["system: Be brief.", "user: outside"]);
    expect(model.prompt(2).slice(1)).toEqual(["user: in", "assistant: 1", "user: in again"]);
  });
});

describe("Shared memory", () => {
  test("keeps scopes apart and forgets what is set to nil", () => {
    const memory = new SharedMemory();
    memory.set({ type: "global" }, "k", 1);
    memory.set({ type: "agent", id: "a" }, "k", { deep: [2] });
    expect(memory.get({ type: "global" }, "k")).toBe(1);
    expect(memory.get({ type: "agent", id: "a" }, "k")).toEqual({ deep: [2] });
    expect(memory.get({ type: "agent", id: "b" }, "k")).toBeUndefined();
    memory.set({ type: "global" }, "k", null);
    expect(memory.get({ type: "global" }, "k")).toBeUndefined();
  });
});
