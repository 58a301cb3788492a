import { describe, expect, test } from "bun:test";
import type { AgentEvent } from "../../../src/agents/service.ts";
import { setup, upper } from "./scripted-agent.ts";
import { calls, finish, gate, ScriptedModel, says, sends, testRun, testTool, world } from "./support.ts";

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
    expect(output.usage).toEqual({ promptTokens: 20, completionTokens: 4, totalTokens: 24, calls: 2 });
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
