/** Chat with a server that speaks Ollama's documented API: what is asked, what is made of the answer. */
import { describe, expect, test } from "bun:test";
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { failure } from "../../support/model-service.ts";
import { deltasOf, partsOf, says, withOllama } from "../../support/ollama/service.ts";

const ABLE = { "llama3:latest": { capabilities: ["completion", "tools", "vision", "thinking"] } };
const WEATHER = {
  type: "function" as const,
  name: "weather",
  description: "Weather of a city",
  inputSchema: { type: "object" as const, properties: { city: { type: "string" as const } } },
};

async function open(settings: Parameters<typeof withOllama>[0], toml = "") {
  const box = await withOllama({ models: ABLE, ...settings }, toml);
  return Object.assign(box, { model: await box.models.resolve("ollama/llama3") });
}

const failed = (call: PromiseLike<unknown>) => call.then(undefined, (error: unknown) => error);

describe("A chat with Ollama", () => {
  test("streams text and tells counts and times", async () => {
    await using box = await open({ answers: [{ text: ["Grüß ", "Gott"] }] });
    const parts = await partsOf(box.model, { prompt: says("Hello there") });
    expect(deltasOf(parts, "text-delta")).toEqual(["Grüß ", "Gott"]);
    expect(parts.at(-1)).toMatchObject({
      type: "finish",
      finishReason: { unified: "stop", raw: "stop" },
      usage: { inputTokens: { total: 11 }, outputTokens: { total: 7 } },
      providerMetadata: { ollama: { loadMs: 1.334875, promptMs: 342.546, outputMs: 4535.599 } },
    });
    expect(box.fake.wrong).toEqual([]);
  });

  test("asks for a stream that neither cuts the prompt nor forgets it", async () => {
    await using box = await open({});
    await partsOf(box.model, { prompt: says("Hello") });
    expect(box.fake.bodies("/api/chat")).toEqual([
      {
        model: "llama3",
        messages: [{ role: "user", content: "Hello" }],
        stream: true,
        truncate: false,
        shift: false,
        think: true,
        options: {},
      },
    ]);
  });

  test.each([1, 2, 3, 7])("reads text whose bytes come %d at a time", async (pieceBytes) => {
    const text = ["Tschüß, ", "日本語", " 🦙🦙"];
    await using box = await open({ pieceBytes, answers: [{ text, thinking: ["größer"] }] });
    const parts = await partsOf(box.model, { prompt: says("Hello") });
    expect(deltasOf(parts, "text-delta")).toEqual(text);
    expect(deltasOf(parts, "reasoning-delta")).toEqual(["größer"]);
  });

  test("keeps thoughts apart from the answer", async () => {
    await using box = await open({ answers: [{ thinking: ["so ", "then"], text: ["42"] }] });
    const { content } = await box.model.doGenerate({ prompt: says("?") });
    expect(content).toEqual([
      { type: "reasoning", text: "so then" },
      { type: "text", text: "42" },
    ]);
  });

  test.each([
    [{ reasoning: "none" }, ABLE, false],
    [{ reasoning: "high" }, ABLE, "high"],
    [{ reasoning: "minimal" }, ABLE, "low"],
    [{ providerOptions: { ollama: { thinking: false } } }, ABLE, false],
    [
      {},
      { "llama3:latest": { ...ABLE["llama3:latest"], thinking: { values: [true], default: true } } },
      undefined,
    ],
    [{ reasoning: "high" }, { "llama3:latest": { capabilities: ["completion"] } }, undefined],
  ] as const)("%p: think", async (options, models, think) => {
    await using box = await open({ models: models as never });
    await partsOf(box.model, { prompt: says("?"), ...(options as Partial<LanguageModelV4CallOptions>) });
    expect(box.fake.bodies("/api/chat")[0]!.think as unknown).toEqual(think);
  });

  test("hands on sampling, limits and stops under Ollama's names", async () => {
    await using box = await open(
      {},
      'context_size = 8192\nkeep_alive = "10m"\n[providers.ollama.options]\nnum_gpu = 3',
    );
    await box.model.doGenerate({
      prompt: says("Hello"),
      temperature: 0.5,
      maxOutputTokens: 64,
      topP: 0.9,
      topK: 20,
      seed: 42,
      stopSequences: ["\n"],
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
      providerOptions: { ollama: { minP: 0.05, repeatPenalty: 1.1, repeatLastN: 32 } },
    });
    expect(box.fake.wrong).toEqual([]);
    expect(box.fake.bodies("/api/chat")[0]).toMatchObject({
      keep_alive: "10m",
      options: {
        num_gpu: 3,
        num_ctx: 8192,
        temperature: 0.5,
        num_predict: 64,
        top_p: 0.9,
        top_k: 20,
        seed: 42,
        stop: ["\n"],
        presence_penalty: 0.1,
        frequency_penalty: 0.2,
        min_p: 0.05,
        repeat_penalty: 1.1,
        repeat_last_n: 32,
      },
    });
  });

  test("a limit that was reached is told", async () => {
    await using box = await open({ answers: [{ text: ["cut"], doneReason: "length" }] });
    const { finishReason } = await box.model.doGenerate({ prompt: says("?"), maxOutputTokens: 1 });
    expect(finishReason).toEqual({ unified: "length", raw: "length" });
  });

  test("tool calls come as calls, with ids where the server gives none", async () => {
    const toolCalls = [
      { name: "weather", arguments: { city: "Wien" } },
      { id: "call_x1", name: "weather", arguments: { city: "Graz" } },
    ];
    await using box = await open({ answers: [{ toolCalls }] });
    const { content, finishReason } = await box.model.doGenerate({ prompt: says("?"), tools: [WEATHER] });
    expect(content).toMatchObject([
      {
        type: "tool-call",
        toolName: "weather",
        input: '{"city":"Wien"}',
        toolCallId: expect.stringMatching(/^call_.+_0$/),
      },
      { type: "tool-call", toolName: "weather", input: '{"city":"Graz"}', toolCallId: "call_x1" },
    ]);
    expect(finishReason.unified).toBe("tool-calls");
    expect(box.fake.bodies("/api/chat")[0]!.tools).toEqual([
      {
        type: "function",
        function: { name: "weather", description: "Weather of a city", parameters: WEATHER.inputSchema },
      },
    ]);
    expect(box.fake.wrong).toEqual([]);
  });

  test("a conversation with calls, results, thoughts and images goes back as it was", async () => {
    await using box = await open({});
    const image = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
    await partsOf(box.model, {
      prompt: [
        { role: "system", content: "Be brief" },
        {
          role: "user",
          content: [
            { type: "text", text: "What is " },
            { type: "text", text: "this?" },
            { type: "file", mediaType: "image/png", data: { type: "data", data: image } },
            { type: "file", mediaType: "image/png", data: { type: "data", data: "iVBORw0K" } },
          ],
        },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "look" },
            { type: "text", text: "I ask" },
            { type: "tool-call", toolCallId: "c1", toolName: "weather", input: { city: "Wien" } },
          ],
        },
        {
          role: "tool",
          content: [
            {
              type: "tool-result",
              toolCallId: "c1",
              toolName: "weather",
              output: { type: "json", value: { t: 3 } },
            },
          ],
        },
      ],
    });
    expect(box.fake.wrong).toEqual([]);
    expect(box.fake.bodies("/api/chat")[0]!.messages).toEqual([
      { role: "system", content: "Be brief" },
      { role: "user", content: "What is this?", images: ["iVBORw==", "iVBORw0K"] },
      {
        role: "assistant",
        content: "I ask",
        thinking: "look",
        tool_calls: [
          { id: "c1", type: "function", function: { name: "weather", arguments: { city: "Wien" } } },
        ],
      },
      { role: "tool", tool_name: "weather", tool_call_id: "c1", content: '{"t":3}' },
    ]);
  });

  test("no tools are offered where none may be called", async () => {
    await using box = await open({});
    await partsOf(box.model, { prompt: says("?"), tools: [WEATHER], toolChoice: { type: "none" } });
    expect(box.fake.bodies("/api/chat")[0]).not.toHaveProperty("tools");
  });

  test("a demanded tool is offered alone, and a warning says that Ollama chooses", async () => {
    await using box = await open({});
    const other = { ...WEATHER, name: "other" };
    const parts = await partsOf(box.model, {
      prompt: says("?"),
      tools: [WEATHER, other],
      toolChoice: { type: "tool", toolName: "other" },
    });
    expect(box.fake.bodies("/api/chat")[0]!.tools).toMatchObject([{ function: { name: "other" } }]);
    expect(parts[0]).toMatchObject({ type: "stream-start", warnings: [{ feature: "toolChoice" }] });
  });

  test("an answer is held to a schema by `format`", async () => {
    const schema = { type: "object" as const, properties: { n: { type: "integer" as const } } };
    await using box = await open({ answers: [{ text: ['{"n":', "4}"] }] });
    const { content } = await box.model.doGenerate({
      prompt: says("?"),
      responseFormat: { type: "json", schema },
    });
    expect(content).toEqual([{ type: "text", text: '{"n":4}' }]);
    expect(box.fake.bodies("/api/chat")[0]!.format).toEqual(schema);
    await box.model.doGenerate({ prompt: says("?"), responseFormat: { type: "json" } });
    expect(box.fake.bodies("/api/chat")[1]!.format).toBe("json");
  });

  test.each([
    ["tools", { tools: [WEATHER] }],
    [
      "vision",
      {
        prompt: [
          {
            role: "user",
            content: [{ type: "file", mediaType: "image/png", data: { type: "data", data: "AAAA" } }],
          },
        ],
      },
    ],
  ] as const)("%s that the model does not have are refused before it is asked", async (ability, options) => {
    await using box = await open({ models: { "llama3:latest": { capabilities: ["completion"] } } });
    const call = { prompt: says("?"), ...options } as unknown as LanguageModelV4CallOptions;
    const error = await failure(() => box.model.doGenerate(call));
    expect(error.code).toBe("invalid_argument");
    expect(error.message).toContain(`does not support ${ability}`);
    expect(box.fake.bodies("/api/chat")).toEqual([]);
  });

  test("an abort ends the request at the server, and an abandoned stream does", async () => {
    await using box = await open({
      answers: [
        { text: Array(50).fill("x"), delayMs: 20 },
        { text: Array(50).fill("x"), delayMs: 20 },
      ],
    });
    const abort = new AbortController();
    const { stream } = await box.model.doStream({ prompt: says("?"), abortSignal: abort.signal });
    const reader = stream.getReader();
    for (let i = 0; i < 5; i++) await reader.read();
    abort.abort(new Error("enough"));
    let last: unknown;
    for (let next = await reader.read(); !next.done; next = await reader.read()) last = next.value;
    expect(last).toMatchObject({ type: "error", error: { message: "enough" } });
    const second = (await box.model.doStream({ prompt: says("?") })).stream.getReader();
    for (let i = 0; i < 5; i++) await second.read();
    await second.cancel();
    for (let i = 0; i < 100 && box.fake.aborted < 2; i++) await Bun.sleep(10);
    expect(box.fake.aborted).toBe(2);
  });

  test("two calls at once do not end each other", async () => {
    await using box = await open({
      answers: [
        { text: Array(20).fill("a"), delayMs: 10 },
        { text: Array(20).fill("b"), delayMs: 10 },
      ],
    });
    const abort = new AbortController();
    const first = failed(box.model.doGenerate({ prompt: says("1"), abortSignal: abort.signal }));
    const second = box.model.doGenerate({ prompt: says("2") });
    await Bun.sleep(60);
    abort.abort(new Error("stop"));
    expect(await first).toMatchObject({ message: "stop" });
    expect((await second).content).toMatchObject([
      { type: "text", text: expect.stringMatching(/^(a{20}|b{20})$/) },
    ]);
  });
});
