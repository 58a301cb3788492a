/** Vectors from Ollama. */
import { describe, expect, test } from "bun:test";
import { failure } from "../../support/model-service.ts";
import { withOllama } from "../../support/ollama/service.ts";

const MODELS = { "embedder:latest": { capabilities: ["embedding"], trainedTokens: 64 } };

async function open(settings: Parameters<typeof withOllama>[0] = {}, toml = "") {
  const box = await withOllama({ models: MODELS, ...settings }, toml);
  return Object.assign(box, {
    model: await box.models.resolveEmbedding("embedder@ollama", { provider: "local" }),
  });
}

describe("Embeddings of Ollama", () => {
  test("come in the order of the texts, with the count of tokens", async () => {
    await using box = await open({}, "context_size = 32");
    const { embeddings, usage } = await box.model.doEmbed({ values: ["one", "two words", "one"] });
    expect(embeddings).toHaveLength(3);
    expect(embeddings[0]).toEqual(embeddings[2]!);
    expect(embeddings[0]).not.toEqual(embeddings[1]!);
    for (const vector of embeddings) expect(Math.hypot(...vector)).toBeCloseTo(1);
    expect(usage).toEqual({ tokens: 7 });
    expect(box.fake.bodies("/api/embed")).toEqual([
      { model: "embedder", input: ["one", "two words", "one"], truncate: false, options: { num_ctx: 32 } },
    ]);
    expect(box.fake.wrong).toEqual([]);
  });

  test("of many texts are asked for in several requests", async () => {
    await using box = await open();
    const values = Array.from({ length: 600 }, (_, i) => `text ${i}`);
    const { embeddings } = await box.model.doEmbed({ values });
    expect(embeddings).toHaveLength(600);
    expect(box.fake.bodies("/api/embed").map(({ input }) => (input as string[]).length)).toEqual([
      256, 256, 88,
    ]);
  });

  test("hand on the wanted dimensions, and whether a text may be cut", async () => {
    await using box = await open();
    const long = Array(100).fill("word").join(" ");
    await box.model.doEmbed({
      values: [long],
      dimensions: 2,
      providerOptions: { ollama: { truncate: true } },
    });
    expect(box.fake.bodies("/api/embed")[0]).toMatchObject({ truncate: true, dimensions: 2 });
    const error = await failure(() => box.model.doEmbed({ values: ["short", long] }));
    expect(error.code).toBe("context_overflow");
    expect(error.message).toContain("text 2 of at least 100 tokens exceeds the context of 64 tokens");
    expect(error.hint).toContain("truncate = true");
  });

  test.each(["the input length exceeds the context length", "input length exceeds maximum context length"])(
    "that the server finds too long are an overflow: %s",
    async (error) => {
      await using box = await open();
      box.fake.fail("/api/embed", { status: 400, body: JSON.stringify({ error }) });
      expect((await failure(() => box.model.doEmbed({ values: ["a"] }))).code).toBe("context_overflow");
    },
  );

  test("that the server counts to be too long are an overflow", async () => {
    await using box = await open();
    const error = await failure(() => box.model.doEmbed({ values: [Array(60).fill("word").join(" ")] }));
    expect(error.code).toBe("context_overflow");
  });

  test.each([
    ["fewer vectors than texts", '{"embeddings":[[1,2]]}'],
    ["none", "{}"],
    ["vectors of something else", '{"embeddings":[["a"],[1]]}'],
  ])("%s are no answer", async (_name, body) => {
    await using box = await open();
    box.fake.fail("/api/embed", { body });
    const error = await failure(() => box.model.doEmbed({ values: ["a", "b"] }));
    expect(error.code).toBe("provider");
    expect(error.message).toContain("embeddings of 2 texts");
  });

  test("from a model that makes none, and a server that is too old for them", async () => {
    await using box = await open({ models: { "embedder:latest": { capabilities: ["completion"] } } });
    expect((await failure(() => box.model.doEmbed({ values: ["a"] }))).message).toContain(
      "the model does not support embeddings",
    );
    await using old = await open({ version: "0.1.32" });
    expect((await failure(() => old.model.doEmbed({ values: ["a"] }))).message).toContain(
      "0.1.32 is too old",
    );
    await using unknown = await open();
    unknown.fake.fail("/api/version", { body: "{}" });
    unknown.fake.fail("/api/embed", { status: 404, type: "text/plain", body: "404 page not found" });
    const error = await failure(() => unknown.model.doEmbed({ values: ["a"] }));
    expect(error.message).toContain("Ollama does not know this request /api/embed");
    expect(error.hint).toContain("update it");
  });

  test("refuse what Ollama cannot be told", async () => {
    await using box = await open();
    for (const options of [{ pooling: "mean" }, { normalize: false }, { nonsense: 1 }])
      expect(
        (await failure(() => box.model.doEmbed({ values: ["a"], providerOptions: { ollama: options } })))
          .code,
      ).toBe("invalid_argument");
  });

  test("scores of documents there are none", async () => {
    await using box = await open();
    expect(
      (await failure(() => box.models.resolveReranking("embedder@ollama", { provider: "local" }))).code,
    ).toBe("config");
  });
});
