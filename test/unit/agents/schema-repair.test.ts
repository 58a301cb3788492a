import { describe, expect, test } from "bun:test";
import type { AgentEvent } from "../../../src/agents/service.ts";
import { failure } from "../../support/model-service.ts";
import { setup, upper } from "./scripted-agent.ts";
import { calls, says } from "./support.ts";

const FORM = {
  schema: {
    type: "object",
    properties: { age: { type: "integer" } },
    required: ["age"],
    additionalProperties: false,
  },
};

describe("An answer that does not keep to its schema", () => {
  test("is given back with what is wrong, and the usage of all calls is summed", async () => {
    const { agent, run, model } = await setup(
      [says("forty"), says('{"age": "40"}'), says('{"age": 40}')],
      [],
      {
        form: FORM,
      },
    );
    const output = await agent.execute({ text: "How old?" }, run);
    expect(output.parsed).toEqual({ value: { age: 40 } });
    expect(output.usage).toMatchObject({ promptTokens: 30, completionTokens: 6, totalTokens: 36 });
    expect(model.prompt(1).slice(1)).toEqual([
      "user: How old?",
      "assistant: forty",
      expect.stringContaining("it is no JSON"),
    ]);
    expect(model.prompt(2).slice(1)).toEqual([
      "user: How old?",
      'assistant: {"age": "40"}',
      expect.stringContaining("/age must be integer"),
    ]);
    expect(model.requests.every(({ responseFormat }) => responseFormat?.type === "json")).toBe(true);
  });

  test("leaves no trace in the conversation, nor in what listeners hear", async () => {
    const { agent, run, model } = await setup([says("no"), says('{"age": 1}'), says('{"age": 2}')], [], {
      form: FORM,
    });
    const heard: AgentEvent[] = [];
    await agent.execute({ text: "One" }, run, (event) => {
      heard.push(event);
    });
    expect(heard.filter(({ type }) => type === "text")).toEqual([{ type: "text", text: '{"age": 1}' }]);
    await agent.execute({ text: "Two" }, run);
    expect(model.prompt(2).slice(1)).toEqual(["user: One", 'assistant: {"age": 1}', "user: Two"]);
  });

  test("fails the turn after max_schema_retries, naming the mistake", async () => {
    for (const [maxSchemaRetries, asked] of [
      [undefined, 3],
      [1, 2],
      [0, 1],
    ] as const) {
      const config = { form: FORM, ...(maxSchemaRetries === undefined ? {} : { maxSchemaRetries }) };
      const { agent, run, model } = await setup([says("a"), says("b"), says("[]")], [], config);
      const error = await failure(() => agent.execute({ text: "How old?" }, run));
      expect(error.code).toBe("provider");
      expect(error.message).toContain("does not keep to the schema");
      expect(model.requests).toHaveLength(asked);
    }
  });

  test("after tools keeps the tools told and switched off", async () => {
    const { agent, run, model } = await setup(
      [calls(["upper-case", { input: "a" }]), says("done"), says("still no"), says('{"age": 3}')],
      [upper()],
      { form: FORM },
    );
    const output = await agent.execute({ text: "How old?" }, run);
    expect(output.parsed).toEqual({ value: { age: 3 } });
    expect(
      model.requests.map(({ toolChoice, responseFormat }) => [toolChoice?.type, responseFormat?.type]),
    ).toEqual([
      ["auto", undefined],
      ["auto", undefined],
      ["none", "json"],
      ["none", "json"],
    ]);
  });
});

describe("Malformed tool calls", () => {
  test("end the tools after three rounds in a row", async () => {
    const { agent, run, model } = await setup(
      [
        calls(["upper-case", "{not json 1"]),
        calls(["lower-case", {}]),
        calls(["upper-case", `[${"1,".repeat(400)}1]`]),
        says("I give up."),
      ],
      [upper()],
    );
    const output = await agent.execute({ text: "go" }, run);
    expect([output.text, output.finishReason]).toEqual(["I give up.", "malformed-calls"]);
    expect(model.requests.at(-1)!.toolChoice).toEqual({ type: "none" });
    const told = output.toolCalls[2]!.output;
    expect(told).toContain("must be a JSON object");
    expect(told.length).toBeLessThan(400);
  });

  test("are forgiven after a call that can be made", async () => {
    const { agent, run } = await setup(
      [
        calls(["upper-case", "{1"]),
        calls(["upper-case", "{2"]),
        calls(["upper-case", { input: "x" }]),
        calls(["upper-case", "{3"]),
        calls(["upper-case", "{4"]),
        says("done"),
      ],
      [upper()],
    );
    const output = await agent.execute({ text: "go" }, run);
    expect([output.text, output.finishReason]).toEqual(["done", "stop"]);
  });
});
