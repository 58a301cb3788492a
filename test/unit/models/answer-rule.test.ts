/** One rule for what counts as an answer, whoever gives it. */
import { describe, expect, test } from "bun:test";
import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { checkAnswer } from "../../../src/models/answer-rule.ts";
import { callFacts, failureFacts } from "../../../src/models/call-facts.ts";
import type { SpellModel } from "../../../src/models/service.ts";
import { failure, modelService, temporaryHome } from "../../support/model-service.ts";
import { withOllama } from "../../support/ollama/service.ts";
import type { FakeAnswer } from "../../support/ollama/types.ts";

const options: LanguageModelV4CallOptions = {
  prompt: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
};
const AFTER_TOOL: LanguageModelV4CallOptions = {
  prompt: [
    ...options.prompt,
    { role: "assistant", content: [{ type: "tool-call", toolCallId: "1", toolName: "t", input: {} }] },
    {
      role: "tool",
      content: [
        { type: "tool-result", toolCallId: "1", toolName: "t", output: { type: "text", value: "done" } },
      ],
    },
  ],
};

async function streamed(model: SpellModel, asked = options): Promise<LanguageModelV4StreamPart[]> {
  const parts: LanguageModelV4StreamPart[] = [];
  for await (const part of (await model.doStream(asked)).stream) parts.push(part);
  const last = parts.at(-1);
  if (last?.type === "error") throw last.error;
  return parts;
}

/** Both ways of asking end alike. */
async function refused(model: SpellModel) {
  const [inParts, whole] = [
    await failure(() => streamed(model)),
    await failure(() => model.doGenerate(options)),
  ];
  expect(inParts.message).toBe(whole.message);
  expect(inParts.code).toBe("provider");
  return inParts;
}

describe("The test provider", () => {
  const open = async <T>(answer: string, use: (model: SpellModel) => Promise<T>): Promise<T> => {
    using home = temporaryHome();
    const toml = `[providers.ci]\nprovider_type = "test"\n[[providers.ci.responses]]\n${answer}`;
    const { models } = await modelService(home, `${toml}\n[[providers.ci.responses]]\nafter_tool = "*"\n`);
    return await use(await models.resolve("ci/x"));
  };

  test("fails an empty answer, one that is filtered, and one that is cut by a filter", async () => {
    const empty = await open('text = ""', refused);
    expect(empty.message).toBe("Cannot call model ci/x: its answer is empty: stop");
    expect(failureFacts(empty).counted).toMatchObject({ promptTokens: 1, completionTokens: 0 });
    const filtered = 'finish_reason = "content-filter"';
    expect((await open(`text = ""\n${filtered}`, refused)).message).toContain("it withholds its answer:");
    const cut = await open(`text = "Half of it"\n${filtered}`, refused);
    expect(cut.message).toContain("it withholds the rest of its answer: content-filter");
    expect(cut.hint).toContain("content filter");
  });

  test("may have nothing to say after tools, at a limit and at a stop text", async () => {
    const ends = (asked: LanguageModelV4CallOptions, answer = 'text = ""') =>
      open(answer, async (model) => (await streamed(model, asked)).at(-1)!.type);
    expect(await ends(AFTER_TOOL)).toBe("finish");
    expect(await ends(options, 'text = ""\nfinish_reason = "length"')).toBe("finish");
    expect(await ends({ ...options, stopSequences: ["END"] }, 'text = "END of it"')).toBe("finish");
  });
});

describe("Ollama", () => {
  const open = async <T>(answers: FakeAnswer[], use: (model: SpellModel) => Promise<T>): Promise<T> => {
    await using server = await withOllama({ answers });
    return await use(await server.models.resolve("ollama/llama3"));
  };

  test("fails an empty answer, and one of thoughts alone", async () => {
    const empty = await open([{}, {}], refused);
    expect(empty.message).toContain("its answer is empty: stop");
    expect(failureFacts(empty).counted?.completionTokens).toBe(7);
    const thoughts = { thinking: ["Hm"] };
    expect((await open([thoughts, thoughts], refused)).message).toContain("its answer is empty");
  });

  test("tells its repetitions, with the answer and with the failure", async () => {
    await using server = await withOllama({ answers: [{ text: ["Hi"] }] });
    const model = await server.models.resolve("ollama/llama3");
    server.fake.fail("/api/chat", { cut: true });
    const answered = (await streamed(model)).at(-1) as { providerMetadata: Record<string, unknown> };
    expect(callFacts(answered.providerMetadata as never).retries).toBe(1);
    server.fake.fail("/api/chat", { cut: true }, { cut: true });
    expect(failureFacts(await failure(() => streamed(model))).retries).toBe(1);
  });

  test("may have used up its tokens", async () => {
    const parts = await open([{ doneReason: "length" }], (model) => streamed(model));
    expect(parts.at(-1)).toMatchObject({ type: "finish", finishReason: { unified: "length" } });
  });
});

describe("A model of llama.cpp", () => {
  const local = { provider: "llamacpp", modelId: "m" };
  const nothing = {
    hasContent: false,
    finishReason: { unified: "stop" as const, raw: "end" },
    usage: {
      inputTokens: { total: 3, noCache: 3, cacheRead: 0, cacheWrite: 0 },
      outputTokens: { total: 1, text: 1, reasoning: 0 },
    },
  };

  test("that ends at once gives no answer", () => {
    expect(() => checkAnswer(local, options, nothing)).toThrow("its answer is empty: end");
  });

  test.each([
    ["a text is only continued", local, { providerOptions: { llamacpp: { rawPrompt: true } } }],
    ["a grammar allows it", local, { providerOptions: { llamacpp: { grammar: 'root ::= ""' } } }],
    ["one text is turned into another", { ...local, readsPlainText: true }, {}],
  ])("may end at once where %s", (_where, model, more) => {
    expect(() => checkAnswer(model, { ...options, ...more }, nothing)).not.toThrow();
  });
});
