import { describe, expect, test } from "bun:test";
import type { AgentEvent } from "../../../src/agents/service.ts";
import type { LoadOptions } from "../../../src/models/service.ts";
import { setup, upper } from "./scripted-agent.ts";
import { calls, gate, ScriptedModel, says, testRun, world } from "./support.ts";

describe("A turn", () => {
  test("sends the system prompt, earlier turns and the new text, and sums nothing but its own usage", async () => {
    const { model, agent, run } = await setup([says("Hello", " you"), says("Again")]);
    const first = await agent.execute({ text: "Hi" }, run);
    const second = await agent.execute({ text: "And now?" }, run);
    expect(first.text).toBe("Hello you");
    expect(first.finishReason).toBe("stop");
    expect(model.prompt(1)).toEqual([
      "system: Be brief.",
      "user: Hi",
      "assistant: Hello you",
      "user: And now?",
    ]);
    expect(second.usage).toEqual({ promptTokens: 10, completionTokens: 2, totalTokens: 12, calls: 1 });
  });

  test("loads a local model before it counts tokens, and tells the run how far that is", async () => {
    const { model, agent, run } = await setup([says("x")]);
    const steps: string[] = [];
    model.contextTokens = 100;
    model.countTokens = async () => {
      steps.push("count");
      return 5;
    };
    const loading = {
      load: async ({ onProgress }: LoadOptions) => {
        steps.push("load");
        onProgress?.(0.25);
      },
    };
    Object.assign(model, loading);
    await agent.execute({ text: "Hi" }, run);
    expect(steps).toEqual(["load", "count"]);
    expect(run.events[0]).toEqual({ type: "progress", label: "Loading one", done: 0.25, total: 1 });
  });

  test("introduces the agent by name and description when it has no system prompt", async () => {
    const model = new ScriptedModel([says("x")]);
    const { agents } = world({ m: model });
    const agent = await agents.create({ name: "Ada", description: "A clerk.", model: "m" });
    await agent.execute({ text: "Hi" }, testRun());
    expect(model.prompt(0)[0]).toBe("system: You are Ada, an AI assistant. A clerk.");
  });

  test("streams the text to the listener and to the run, and ends with one end event", async () => {
    const { agent, run } = await setup([says("Hel", "lo")]);
    const events: AgentEvent[] = [];
    const output = await agent.execute({ text: "Hi" }, run, (event) => void events.push(event));
    expect(events).toEqual([
      { type: "text", text: "Hel" },
      { type: "text", text: "lo" },
      { type: "end", output },
    ]);
    expect(run.events).toEqual([
      { type: "token", agent: "ada", text: "Hel" },
      { type: "token", agent: "ada", text: "lo" },
    ]);
  });

  test("waits for a slow listener before it takes more from the model", async () => {
    const { agent, run, model } = await setup([says("a", "b", "c", "d")]);
    const hold = gate();
    const first = gate();
    const heard: string[] = [];
    const turn = agent.execute({ text: "Hi" }, run, async (event) => {
      if (event.type !== "text") return;
      heard.push(event.text);
      first.resolve();
      await hold.promise;
    });
    await first.promise;
    for (let i = 0; i < 20; i++) await Promise.resolve();
    expect(model.produced).toBeLessThanOrEqual(4);
    expect(heard).toEqual(["a"]);
    hold.resolve();
    await turn;
    expect(heard).toEqual(["a", "b", "c", "d"]);
  });

  test("passes on settings of the agent, and those of the call before them", async () => {
    const { agent, run, model } = await setup([says("x"), says("y")], [], {
      temperature: 0.2,
      maxTokens: 50,
      topP: 0.9,
      topK: 40,
      seed: 7,
      stop: ["END"],
    });
    await agent.execute({ text: "Hi" }, run);
    await agent.execute({ text: "Hi", temperature: 0, maxTokens: 5 }, run);
    expect(model.requests[0]).toMatchObject({
      temperature: 0.2,
      maxOutputTokens: 50,
      topP: 0.9,
      topK: 40,
      seed: 7,
      stopSequences: ["END"],
    });
    expect(model.requests[1]).toMatchObject({ temperature: 0, maxOutputTokens: 5 });
  });

  test("cuts the conversation to max_conversation_length by whole turns", async () => {
    const answers = [
      calls(["upper-case", { input: "a" }]),
      says("A"),
      says("two"),
      says("three"),
      says("four"),
    ];
    const { agent, run, model } = await setup(answers, [upper()], { maxConversationLength: 4 });
    for (const text of ["one", "2", "3", "4"]) await agent.execute({ text }, run);
    // The first turn has four messages; with the second it would be six, so it leaves as a whole, its tool result too.
    expect(model.prompt(3)).toEqual(["system: Be brief.", "user: 2", "assistant: two", "user: 3"]);
    expect(model.prompt(4)).toEqual([
      "system: Be brief.",
      "user: 2",
      "assistant: two",
      "user: 3",
      "assistant: three",
      "user: 4",
    ]);
  });

  test("keeps no conversation when memory is off", async () => {
    const { agent, run, model } = await setup([says("x"), says("y")], [], { memoryEnabled: false });
    await agent.execute({ text: "Hi" }, run);
    await agent.execute({ text: "Who?" }, run);
    expect(model.prompt(1)).toEqual(["system: Be brief.", "user: Who?"]);
  });
});
