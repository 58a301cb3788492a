import { describe, expect, test } from "bun:test";
import type { ScriptTable, ScriptValue } from "../../../src/core/values.ts";
import { calls, failureOf, ScriptedModel, says, testTool } from "../agents/support.ts";
import { type Fields, fieldsOf, script } from "./agent-script.ts";

describe("agent:execute", () => {
  test("takes a string, and text under any of its names", async () => {
    const model = new ScriptedModel([says("1"), says("2"), says("3"), says("4")]);
    const { call, method } = script({ m: model });
    const ada = await call("create", { model: "m", system_prompt: "", memory_enabled: false });
    for (const input of ["a", { text: "b" }, { prompt: "c" }, { input: "d" }])
      await method(ada, "execute", input);
    expect([0, 1, 2, 3].map((i) => model.prompt(i))).toEqual([
      ["user: a"],
      ["user: b"],
      ["user: c"],
      ["user: d"],
    ]);
  });

  test.each([
    ["no text", { parameters: {} }],
    ["empty text", ""],
    ["nothing", null],
  ] as [string, ScriptValue][])("raises for %s", async (_, input) => {
    const { call, method } = script({ m: new ScriptedModel([]) });
    const ada = await call("create", { model: "m" });
    expect((await failureOf(method(ada, "execute", input))).code).toBe("invalid_argument");
  });

  test("hands parameters to the model, images as files, and settings to the call", async () => {
    const model = new ScriptedModel([says("x")]);
    const { call, method } = script({ m: model });
    const ada = await call("create", { model: "m", system_prompt: "" });
    await method(ada, "execute", {
      text: "Look",
      parameters: { b: 2n ** 60n, a: "x", temperature: 0.5 },
      max_tokens: 7,
      image: { base64: "aGk=", format: "JPG" },
    });
    expect(model.requests[0]).toMatchObject({ temperature: 0.5, maxOutputTokens: 7 });
    expect(model.requests[0]!.prompt[0]!.content).toEqual([
      { type: "text", text: 'Look\n\nParameters: {"a":"x","b":1152921504606846976}' },
      { type: "file", mediaType: "image/jpeg", data: { type: "data", data: "aGk=" } },
    ]);
  });

  test("returns the common output table with usage, tool calls and metadata", async () => {
    const { call, method } = script({ m: new ScriptedModel([calls(["t", { input: "q" }]), says("Done.")]) }, [
      testTool("t", () => 1),
    ]);
    const ada = await call("create", { model: "m", allowed_tools: ["t"] });
    const result = (await method(ada, "execute", "go")) as ScriptTable;
    expect(result.parts.text).toBe("Done.");
    expect(fieldsOf(result)).toMatchObject({
      success: true,
      text: "Done.",
      response: "Done.",
      content: "Done.",
      output: "Done.",
      usage: { prompt_tokens: 20, completion_tokens: 4, total_tokens: 24 },
      tool_calls: [
        {
          tool_id: "call-0",
          tool_name: "t",
          parameters: { input: "q" },
          result: { success: true, data: '{"operation":"run","success":true,"result":1}' },
        },
      ],
      metadata: { model: "one", provider: "scripted", token_count: 24, finish_reason: "stop" },
    });
    expect((fieldsOf(result).result as ScriptTable).parts).toEqual({
      text: "Done.",
      fields: { text: "Done.", content: "Done." },
    });
    expect(fieldsOf(result)._metadata).toEqual(fieldsOf(result).metadata!);
  });

  test("spreads an answer that is a result object and offers other JSON as data", async () => {
    const answers = ['{"success":false,"result":{"n":1},"metadata":1}', "[1,2]", "42", "plain"];
    const { call, method } = script({ m: new ScriptedModel(answers.map((answer) => says(answer))) });
    const ada = await call("create", { model: "m" });
    const tables: Fields[] = [];
    for (const _ of answers) tables.push(fieldsOf(await method(ada, "execute", "go")));
    expect(tables[0]).toMatchObject({
      success: false,
      result: { n: 1 },
      _raw_text: answers[0],
      text: answers[0],
    });
    expect(tables[0]!.metadata).toMatchObject({ model: "one" });
    expect(tables.slice(1).map((t) => t.data)).toEqual([[1, 2], 42, undefined]);
    expect(tables.map((t) => t.text)).toEqual(answers);
  });

  test("complete yields the text alone", async () => {
    const { call, method } = script({ m: new ScriptedModel([says("hi")]) });
    expect(await method(await call("create", { model: "m" }), "complete", "hello")).toBe("hi");
  });

  test("execute_with_context gives the context's data to the agent", async () => {
    const model = new ScriptedModel([says("x")]);
    const { call, method } = script({ m: model });
    const ada = await call("create", { model: "m", system_prompt: "" });
    const id = await call("create_context", { user_id: "u1", data: { city: "Oslo" } });
    await method(ada, "execute_with_context", "where?", id);
    expect(model.prompt(0)).toEqual(['system: Context: {"city":"Oslo"}', "user: where?"]);
    expect(await call("get_context_data", id, "user_id")).toBe("u1");
    await call("remove_context", id);
    expect((await failureOf(method(ada, "execute_with_context", "x", id))).code).toBe("not_found");
  });
});
