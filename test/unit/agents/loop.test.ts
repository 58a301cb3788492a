import { describe, expect, test } from "bun:test";
import type { AgentConfig, AgentEvent } from "../../../src/agents/service.ts";
import type { LoadOptions } from "../../../src/models/service.ts";
import type { ToolDefinition } from "../../../src/tools/service.ts";
import {
  type Answer,
  calls,
  failureOf,
  finish,
  gate,
  ScriptedModel,
  says,
  sends,
  testRun,
  testTool,
  textParts,
  world,
} from "./support.ts";

const upper = () => testTool("upper-case", (p) => String(p.input).toUpperCase(), ["shout"]);

/** An agent on the scripted answers, with all of the tools allowed. */
async function setup(answers: Answer[], tools: ToolDefinition[] = [], config: AgentConfig = {}) {
  const model = new ScriptedModel(answers);
  const w = world({ "scripted/one": model }, tools);
  const agent = await w.agents.create({
    name: "ada",
    model: "scripted/one",
    systemPrompt: "Be brief.",
    allowedTools: tools.map((tool) => tool.name),
    ...config,
  });
  return { ...w, model, agent, run: testRun() };
}

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
    expect(second.usage).toEqual({ promptTokens: 10, completionTokens: 2, totalTokens: 12 });
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

describe("Tool calls", () => {
  test("run the tool and give its envelope back to the model", async () => {
    const { agent, run, model } = await setup(
      [calls(["upper-case", { input: "abc" }]), says("It is ABC.")],
      [upper()],
    );
    const output = await agent.execute({ text: "Shout abc" }, run);
    expect(output.text).toBe("It is ABC.");
    expect(model.requests[0]!.tools).toMatchObject([
      { type: "function", name: "upper-case", description: "Test tool upper-case" },
    ]);
    expect(model.prompt(1).slice(2)).toEqual([
      'assistant: upper-case({"input":"abc"})',
      'tool: {"operation":"run","success":true,"result":"ABC"}',
    ]);
    expect(output.usage).toEqual({ promptTokens: 20, completionTokens: 4, totalTokens: 24 });
    expect(output.toolCalls).toMatchObject([
      { toolName: "upper-case", toolId: "call-0", parameters: { input: "abc" }, success: true },
    ]);
  });

  test("of one answer run side by side, at most four at a time, with 30 seconds each", async () => {
    let running = 0;
    let most = 0;
    const full = gate();
    const slow = testTool("slow", async (p) => {
      most = Math.max(most, ++running);
      if (running === 4) full.resolve();
      await full.promise;
      running--;
      return p.input;
    });
    const wanted = ["1", "2", "3", "4", "5", "6"].map((input): [string, unknown] => ["slow", { input }]);
    const { agent, run, tools, model } = await setup([calls(...wanted), says("done")], [slow]);
    const output = await agent.execute({ text: "go" }, run);
    expect(most).toBe(4);
    expect(output.toolCalls.map((call) => (call.parameters as { input: string }).input)).toEqual([
      "1",
      "2",
      "3",
      "4",
      "5",
      "6",
    ]);
    expect(tools.seen[0]!.options).toMatchObject({ timeoutMs: 30_000, correlationId: "run-1" });
    expect(model.prompt(1)).toHaveLength(4);
  });

  test("resolve underscores and aliases to the allowed tool", async () => {
    const model = new ScriptedModel([calls(["upper_case", { input: "x" }]), says("ok")]);
    const { agents } = world({ m: model }, [upper()]);
    const agent = await agents.create({ model: "m", allowedTools: ["shout"] });
    const output = await agent.execute({ text: "go" }, testRun());
    expect(agent.toolNames).toEqual(["upper-case"]);
    expect(output.toolCalls).toMatchObject([{ toolName: "upper-case", success: true }]);
  });

  test("that cannot be made are results the model reads, with the nearest name", async () => {
    const broken = testTool("broken", () => {
      throw new Error("disk on fire");
    });
    const refused = testTool("refused", () => ({
      operation: "run",
      success: false,
      error: { message: "division by zero" },
    }));
    const secret = testTool("secret", () => "no");
    const model = new ScriptedModel([
      calls(
        ["uper-case", {}],
        ["secret", {}],
        ["broken", {}],
        ["refused", {}],
        ["upper-case", "{not json"],
        ["upper-case", "[1]"],
      ),
      says("sorry"),
    ]);
    const { agents } = world({ m: model }, [upper(), broken, refused, secret]);
    const agent = await agents.create({ model: "m", allowedTools: ["upper-case", "broken", "refused"] });
    const output = await agent.execute({ text: "go" }, testRun());
    expect(output.toolCalls.map((call) => call.output)).toEqual([
      'Error: Unknown tool "uper-case". Did you mean "upper-case"? Available tools: upper-case, broken, refused',
      'Error: Tool "secret" is not allowed. Available tools: upper-case, broken, refused',
      "Error: disk on fire",
      "Error: division by zero",
      'Error: The arguments of "upper-case" must be a JSON object: {not json',
      'Error: The arguments of "upper-case" must be a JSON object: [1]',
    ]);
    expect(output.toolCalls.every((call) => !call.success)).toBe(true);
    expect(output.text).toBe("sorry");
  });

  test("beyond max_tool_calls are refused, and the model answers once more without tools", async () => {
    const { agent, run, model, tools } = await setup(
      [
        calls(["upper-case", { input: "a" }]),
        calls(["upper-case", { input: "b" }], ["upper-case", { input: "c" }]),
        says("enough"),
      ],
      [upper()],
      { maxToolCalls: 2 },
    );
    const output = await agent.execute({ text: "go" }, run);
    expect(output.finishReason).toBe("tool-limit");
    expect(output.text).toBe("enough");
    expect(tools.seen).toHaveLength(2);
    expect(output.toolCalls[2]!.output).toBe(
      "Error: The limit of 2 tool calls is reached: answer with what you know",
    );
    expect(model.requests.map((request) => request.toolChoice)).toEqual([
      { type: "auto" },
      { type: "auto" },
      { type: "none" },
    ]);
  });

  test("that repeat a known result end with an answer, whatever the order of the arguments", async () => {
    const tool = testTool("same", () => 1);
    const { agent, run, tools } = await setup(
      [calls(["same", '{"a":1,"b":2}']), calls(["same", '{"b":2,"a":1}']), says("it is 1")],
      [tool],
    );
    const output = await agent.execute({ text: "go" }, run);
    expect(output.finishReason).toBe("repeated-call");
    expect(output.text).toBe("it is 1");
    expect(tools.seen).toHaveLength(2);
  });

  test("may repeat while their results differ", async () => {
    let n = 0;
    const { agent, run } = await setup(
      [calls(["tick", {}]), calls(["tick", {}]), calls(["tick", {}]), says("3")],
      [testTool("tick", () => ++n)],
    );
    const output = await agent.execute({ text: "go" }, run);
    expect(output.finishReason).toBe("stop");
    expect(n).toBe(3);
  });

  test("made in the last answer all the same are dropped", async () => {
    const { agent, run } = await setup(
      [calls(["upper-case", { input: "a" }]), calls(["upper-case", { input: "b" }]), says("next")],
      [upper()],
      { maxToolCalls: 1 },
    );
    const output = await agent.execute({ text: "go" }, run);
    expect(output).toMatchObject({ text: "", finishReason: "tool-limit" });
    expect((await agent.execute({ text: "go on" }, run)).text).toBe("next");
  });

  test("are told to the listener in order", async () => {
    const { agent, run } = await setup(
      [
        sends(
          { type: "tool-input-start", id: "c1", toolName: "upper-case" },
          { type: "tool-input-delta", id: "c1", delta: '{"input":' },
          { type: "tool-input-delta", id: "c1", delta: '"a"}' },
          { type: "tool-input-end", id: "c1" },
          { type: "tool-call", toolCallId: "c1", toolName: "upper-case", input: '{"input":"a"}' },
          finish("tool-calls"),
        ),
        says("A"),
      ],
      [upper()],
    );
    const events: AgentEvent[] = [];
    await agent.execute({ text: "go" }, run, (event) => void events.push(event));
    expect(events.slice(0, 5)).toEqual([
      { type: "tool-input", callId: "c1", toolName: "upper-case", partialArgs: '{"input":' },
      { type: "tool-input", callId: "c1", toolName: "upper-case", partialArgs: '"a"}' },
      { type: "tool-start", callId: "c1", toolName: "upper-case", args: { input: "a" } },
      {
        type: "tool-end",
        callId: "c1",
        toolName: "upper-case",
        success: true,
        output: '{"operation":"run","success":true,"result":"A"}',
      },
      { type: "text", text: "A" },
    ]);
    expect(events.map((event) => event.type).slice(5)).toEqual(["end"]);
  });

  test("send reasoning back with its signature", async () => {
    const metadata = { vendor: { signature: "s1" } };
    const { agent, run, model } = await setup(
      [
        sends(
          { type: "reasoning-start", id: "r" },
          { type: "reasoning-delta", id: "r", delta: "hm" },
          { type: "reasoning-end", id: "r", providerMetadata: metadata },
          { type: "tool-call", toolCallId: "c", toolName: "upper-case", input: '{"input":"a"}' },
          finish("tool-calls"),
        ),
        says("A"),
      ],
      [upper()],
    );
    const output = await agent.execute({ text: "go" }, run);
    expect(output.text).toBe("A");
    expect(model.requests[1]!.prompt[2]!.content).toMatchObject([
      { type: "reasoning", text: "hm", providerOptions: metadata },
      { type: "tool-call", toolName: "upper-case" },
    ]);
  });
});

describe("A failing turn", () => {
  const failures: [string, Answer, string, string][] = [
    [
      "an error in the stream",
      sends(...textParts("par"), { type: "error", error: new Error("overloaded") }, finish("error")),
      "provider",
      "Cannot call model scripted/one: overloaded",
    ],
    [
      "a stream without an end",
      sends(...textParts("par")),
      "provider",
      "Cannot call model scripted/one: its answer broke off before the end",
    ],
    [
      "an HTTP error",
      () => {
        throw Object.assign(new Error("Incorrect API key"), { statusCode: 401 });
      },
      "provider",
      "Cannot call model scripted/one: Incorrect API key (HTTP 401)",
    ],
    [
      "an error as the reason of the end",
      sends(finish("error")),
      "provider",
      "Cannot call model scripted/one: it ended with an error: error",
    ],
  ];
  test.each(failures)(
    "through %s is one clear error and leaves the conversation as it was",
    async (_, bad, code, message) => {
      const { agent, run, model } = await setup([says("kept"), bad, says("after")]);
      await agent.execute({ text: "first" }, run);
      const events: AgentEvent[] = [];
      const failure = await failureOf(
        agent.execute({ text: "lost" }, run, (event) => void events.push(event)),
      );
      expect(failure).toMatchObject({ code, message });
      expect(events.at(-1)).toEqual({ type: "error", error: failure });
      await agent.execute({ text: "last" }, run);
      expect(model.prompt(2)).toEqual(["system: Be brief.", "user: first", "assistant: kept", "user: last"]);
    },
  );

  test("after a tool call leaves no half of it behind", async () => {
    const { agent, run, model } = await setup(
      [calls(["upper-case", { input: "a" }]), sends(...textParts("x")), says("fine")],
      [upper()],
    );
    await failureOf(agent.execute({ text: "go" }, run));
    await agent.execute({ text: "again" }, run);
    expect(model.prompt(2)).toEqual(["system: Be brief.", "user: again"]);
  });

  test("refuses empty text without calling the model", async () => {
    const { agent, run, model } = await setup([]);
    expect((await failureOf(agent.execute({ text: " \n" }, run))).code).toBe("invalid_argument");
    expect(model.requests).toHaveLength(0);
  });

  test("passes on what its listener throws", async () => {
    const { agent, run } = await setup([says("a", "b"), says("fine")]);
    const turn = agent.execute({ text: "go" }, run, () => {
      throw new Error("the listener is gone");
    });
    await expect(turn).rejects.toThrow("the listener is gone");
    expect((await agent.execute({ text: "go" }, run)).text).toBe("fine");
  });
});

describe("Token accounting", () => {
  test("refuses a prompt that does not fit, says by how much and what to do", async () => {
    const { agent, run, model } = await setup([says("x")], [], { maxTokens: 200 });
    model.contextTokens = 1000;
    model.countTokens = async (options) => options.prompt.length * 450;
    const failure = await failureOf(agent.execute({ text: "long" }, run));
    expect(failure.code).toBe("context_overflow");
    expect(failure.message).toBe(
      "Cannot call model one: prompt of 900 tokens and an answer of 200 are 100 over the context of 1000 tokens",
    );
    expect(failure.data).toEqual({
      promptTokens: 900,
      maxOutputTokens: 200,
      contextTokens: 1000,
      overTokens: 100,
    });
    expect(failure.hint).toStartWith("Set max_tokens to 100 or less");
    expect(model.requests).toHaveLength(0);
  });

  test("counts again after each tool result", async () => {
    const { agent, run, model } = await setup([calls(["upper-case", { input: "a" }]), says("x")], [upper()]);
    model.contextTokens = 100;
    model.countTokens = async (options) => options.prompt.length * 25;
    const failure = await failureOf(agent.execute({ text: "go" }, run));
    expect(failure.data).toEqual({ promptTokens: 100, contextTokens: 100, overTokens: 1 });
    expect(model.requests).toHaveLength(1);
  });

  test("heeds context_window when it is the smaller one", async () => {
    const { agent, run, model } = await setup([says("x")], [], { contextWindow: 20 });
    model.contextTokens = 1000;
    model.countTokens = async () => 30;
    expect((await failureOf(agent.execute({ text: "go" }, run))).data).toMatchObject({ contextTokens: 20 });
  });
});
