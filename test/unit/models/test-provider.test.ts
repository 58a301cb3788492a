/** What a scripted provider promises: docs/test-provider.md. */
import { describe, expect, test } from "bun:test";
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4Prompt,
  LanguageModelV4StreamPart,
} from "@ai-sdk/provider";
import { createTestModel } from "../../../src/models/providers/test/model.ts";
import { TestScript } from "../../../src/models/providers/test/script.ts";
import { countTokens, tokensOf } from "../../../src/models/providers/test/tokens.ts";
import { failure, modelService, temporaryHome } from "../../support/model-service.ts";

const user = (text: string): LanguageModelV4Prompt[number] => ({
  role: "user",
  content: [{ type: "text", text }],
});

const toolResult = (toolName: string, value: string): LanguageModelV4Prompt => [
  { role: "assistant", content: [{ type: "tool-call", toolCallId: "call_1", toolName, input: {} }] },
  {
    role: "tool",
    content: [{ type: "tool-result", toolCallId: "call_1", toolName, output: { type: "text", value } }],
  },
];

function model(responses: unknown) {
  return createTestModel({ provider: "ci", modelId: "scripted", script: new TestScript("ci", responses) });
}

async function answer(responses: unknown, ...prompt: LanguageModelV4Prompt) {
  return (await model(responses).doGenerate({ prompt })).content;
}

async function stream(
  responses: unknown,
  options: LanguageModelV4CallOptions,
): Promise<LanguageModelV4StreamPart[]> {
  const { stream } = await model(responses).doStream(options);
  return Array.fromAsync(stream);
}

const text = (value: string) => [{ type: "text", text: value }] as const;

describe("Which answer is given", () => {
  const responses = [
    { match: "weather in", text: "by substring" },
    { match: "/^add (\\d+) and (\\d+)$/i", text: "{{1}} plus {{2}}" },
    { match: "system only", system: "You are Ada", text: "Ada speaks" },
    { text: "otherwise: {{prompt}}" },
  ];

  test.each([
    ["what is the weather in Rome?", "by substring"],
    ["ADD 2 and 40", "2 plus 40"],
    ["please add 2 and 40", "otherwise: please add 2 and 40"],
    ["system only", "otherwise: system only"],
  ])("%p is answered with %p", async (prompt, expected) => {
    expect(await answer(responses, user(prompt))).toEqual([...text(expected)]);
  });

  test("may depend on the system prompt", async () => {
    expect(await answer(responses, { role: "system", content: "You are Ada." }, user("system only"))).toEqual(
      [...text("Ada speaks")],
    );
  });

  test("runs through a sequence and stays at its last answer", async () => {
    const scripted = model([{ match: "again", answers: [{ text: "one" }, { text: "two" }] }]);
    const said = [];
    for (let i = 0; i < 3; i++)
      said.push((await scripted.doGenerate({ prompt: [user("again")] })).content[0]);
    expect(said).toEqual([...text("one"), ...text("two"), ...text("two")]);
  });

  test("follows a tool's result only where the entry names the tool", async () => {
    const conversation = [user("What is 12*7?"), ...toolResult("calculator", '{"result":84}')];
    const entries = [
      { match: "12*7", tool_calls: [{ name: "calculator", arguments: { expression: "12*7" } }] },
      { after_tool: "calculator", match: '/"result":(\\d+)/', text: "It is {{1}}." },
    ];
    expect(await answer(entries, user("What is 12*7?"))).toEqual([
      { type: "tool-call", toolCallId: "call_1", toolName: "calculator", input: '{"expression":"12*7"}' },
    ]);
    expect(await answer(entries, ...conversation)).toEqual([...text("It is 84.")]);
    expect(await answer([{ after_tool: "*", text: "{{tool_result}}" }], ...conversation)).toEqual([
      ...text('{"result":84}'),
    ]);
  });

  test("gives tool calls ids that are new in the conversation", async () => {
    const entries = [{ after_tool: "*", tool_calls: [{ name: "a" }, { name: "b" }] }];
    const calls = await answer(entries, user("go"), ...toolResult("x", "1"));
    expect(calls).toMatchObject([
      { toolCallId: "call_2", input: "{}" },
      { toolCallId: "call_3", input: "{}" },
    ]);
  });

  test("an unmatched prompt is an error that shows it and the nearest pattern", async () => {
    const error = await failure(() =>
      answer(
        [
          { match: "translate this", text: "x" },
          { match: "tell me the weather", text: "y" },
        ],
        user("the weather in Oslo"),
      ),
    );
    expect(error.code).toBe("provider");
    expect(error.message).toContain("the weather in Oslo");
    expect(error.hint).toContain("tell me the weather");
  });

  test("an expression that would take a backtracking engine for ever answers at once", async () => {
    const error = await failure(() =>
      answer([{ match: "/^(a+)+$/", text: "x" }], user(`${"a".repeat(50_000)}!`)),
    );
    expect(error.code).toBe("provider");
  });
});

describe("The stream", () => {
  test("carries the text in tokens and ends with one finish part", async () => {
    const parts = await stream([{ text: "Hello, big world!" }], { prompt: [user("hi")] });
    const deltas = parts.flatMap((part) => (part.type === "text-delta" ? part.delta : []));
    expect(deltas).toEqual(["Hello", ",", " big", " world", "!"]);
    expect(parts.map((part) => part.type)).toEqual([
      "stream-start",
      "response-metadata",
      "text-start",
      ...deltas.map(() => "text-delta" as const),
      "text-end",
      "finish",
    ]);
    expect(parts.at(-1)).toMatchObject({
      finishReason: { unified: "stop" },
      usage: { inputTokens: { total: 1 }, outputTokens: { total: 5 } },
    });
  });

  test("ends a tool call with the reason tool-calls", async () => {
    const parts = await stream([{ tool_calls: [{ name: "t", arguments: { a: 1 } }] }], {
      prompt: [user("x")],
    });
    expect(parts.map((part) => part.type)).toEqual([
      "stream-start",
      "response-metadata",
      "tool-input-start",
      "tool-input-delta",
      "tool-input-end",
      "tool-call",
      "finish",
    ]);
    expect(parts.at(-1)).toMatchObject({ finishReason: { unified: "tool-calls" } });
  });

  test("ends with one error part after the text of a failing answer", async () => {
    const parts = await stream([{ text: "partial", error: "the model fell over" }], { prompt: [user("x")] });
    expect(parts.at(-1)).toMatchObject({
      type: "error",
      error: { code: "provider", message: "the model fell over" },
    });
    expect(parts.filter((part) => part.type === "error" || part.type === "finish")).toHaveLength(1);
    expect(parts.some((part) => part.type === "text-delta" && part.delta === "partial")).toBe(true);
  });

  test("ends with one error part when it is aborted while it waits", async () => {
    const controller = new AbortController();
    const { stream } = await model([{ text: "late", delay_ms: 3_600_000 }]).doStream({
      prompt: [user("x")],
      abortSignal: controller.signal,
    });
    const parts = Array.fromAsync(stream);
    controller.abort(new Error("enough"));
    expect((await parts).at(-1)).toMatchObject({ type: "error", error: { message: "enough" } });
  });

  test("stops at a stop sequence and at the token limit", async () => {
    const entries = [{ text: "one two three four" }];
    const stopped = await model(entries).doGenerate({ prompt: [user("x")], stopSequences: [" three"] });
    expect(stopped).toMatchObject({ content: text("one two"), finishReason: { unified: "stop" } });
    const limited = await model(entries).doGenerate({ prompt: [user("x")], maxOutputTokens: 2 });
    expect(limited).toMatchObject({
      content: text("one two"),
      finishReason: { unified: "length" },
      usage: { outputTokens: { total: 2 } },
    });
  });

  test("passes malformed arguments on as they stand, for scripts that test it", async () => {
    expect(await answer([{ tool_calls: [{ name: "t", arguments: "{not json" }] }], user("x"))).toMatchObject([
      { input: "{not json" },
    ]);
  });
});

describe("Tokens", () => {
  test.each([
    ["", 0],
    ["   ", 1],
    ["It's 3.14!", 7],
    ["naïve Größe", 2],
    ["日本語 👍🏽", 3],
  ])("%p has %p", (value, count) => {
    expect(countTokens(value)).toBe(count);
    expect(tokensOf(value).join("")).toBe(value);
  });

  test("of a prompt can be counted before the call and are the same in its usage", async () => {
    const scripted = model([{ text: "ok" }]);
    const options: LanguageModelV4CallOptions = {
      prompt: [{ role: "system", content: "Be brief." }, user("Say ok, please")],
    };
    const { usage } = await scripted.doGenerate(options);
    expect(await scripted.countTokens!(options)).toBe(usage.inputTokens.total!);
    expect(usage.inputTokens.total).toBe(7); // Be brief . | Say ok , please
  });
});

describe("A wrong script", () => {
  test.each([
    ["responses = 1", "providers.ci.responses"],
    ['[[providers.ci.responses]]\nmatch = "a"\ntxt = "b"', "providers.ci.responses[0].txt: unknown key"],
    ["[[providers.ci.responses]]\ntext = 5", "providers.ci.responses[0].text"],
    ['[[providers.ci.responses]]\nmatch = "/(/"\ntext = "x"', "providers.ci.responses[0].match"],
  ])("%p is refused by name", async (lines, expected) => {
    using home = temporaryHome();
    const { models } = await modelService(home, `[providers.ci]\nprovider_type = "test"\n${lines}`);
    const error = await failure(() => models.resolve("ci/any"));
    expect(error.code).toBe("config");
    expect(error.message).toContain(expected);
  });
});

test("Models of one provider share its sequences, which start anew when the responses change", async () => {
  using home = temporaryHome();
  const responses = 'responses = [{ answers = [{ text = "one" }, { text = "two" }] }]';
  const { models, config } = await modelService(home, `[providers.ci]\nprovider_type = "test"\n${responses}`);
  const ask = async () =>
    (await (await models.resolve("ci/any")).doGenerate({ prompt: [user("x")] })).content;
  expect([await ask(), await ask()]).toEqual([[...text("one")], [...text("two")]]);
  config.update((draft) => {
    Object.assign(draft.providers.ci as object, { responses: [{ text: "new" }] });
  });
  expect(await ask()).toEqual([...text("new")]);
});
