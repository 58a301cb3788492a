/** Vectors and scores as scripts and the rest of the program get them: `LocalLLM`, the models service. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalLLMGlobal } from "../../src/globals/local-llm.ts";
import { disposeInference, InferenceClient } from "../../src/models/llamacpp/client.ts";
import { BERT_MODELS, generateBert } from "../support/bert.ts";
import { caller } from "../support/globals.ts";
import { failure, modelService, temporaryHome } from "../support/model-service.ts";
import { specOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-embed-"));
const home = temporaryHome();
const client = new InferenceClient();
afterAll(async () => {
  await client.dispose();
  await disposeInference();
  home[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

const bert = generateBert(directory, "bert-f32");
const ranker = generateBert(directory, "bert-rank-f32");
const { models, services } = await modelService(home);
await models.import(bert, { force: false, name: "tiny-bert:f32" });
await models.import(ranker, { force: false, name: "tiny-rank:f32" });
const call = caller(LocalLLMGlobal, services);

interface Embedded {
  embeddings: number[][];
  dimensions: number;
  tokens: number;
}

describe("LocalLLM.embed", () => {
  const texts = ["first text", "a second one", "first text"];

  test("gives what the engine gives, row by row", async () => {
    const result = (await call("embed", "local/tiny-bert:f32@llamacpp", texts)) as Embedded;
    const { vectors, dimensions, tokens } = await client.embed(specOf(bert), { texts, normalize: true });
    expect(result.dimensions).toBe(dimensions);
    expect(result.tokens).toBe(tokens);
    expect(result.embeddings).toHaveLength(3);
    const rows = result.embeddings.flat();
    for (const [i, x] of vectors.entries()) expect(Math.abs(rows[i]! - x)).toBeLessThan(1e-3);
    expect(Math.hypot(...result.embeddings[1]!)).toBeCloseTo(1, 5);
  });

  test("takes one text, and options", async () => {
    const one = (await call("embed", "tiny-bert:f32", texts[0]!)) as Embedded;
    const raw = (await call("embed", "tiny-bert:f32", texts[0]!, { normalize: false })) as Embedded;
    const cls = (await call("embed", "tiny-bert:f32", texts[0]!, { pooling: "cls" })) as Embedded;
    const length = Math.hypot(...raw.embeddings[0]!);
    expect(length).toBeGreaterThan(1.5);
    for (const [i, x] of one.embeddings[0]!.entries())
      expect(raw.embeddings[0]![i]! / length).toBeCloseTo(x, 5);
    expect(cls.embeddings[0]).not.toEqual(one.embeddings[0]);
  });

  test("refuses what is too long, options that are wrong and models that are not there", async () => {
    const long = "word ".repeat(600);
    expect((await failure(() => call("embed", "tiny-bert:f32", ["short", long]))).code).toBe(
      "context_overflow",
    );
    const cut = (await call("embed", "tiny-bert:f32", long, { truncate: true })) as Embedded;
    expect(cut.tokens).toBe(512);
    const wrong = await failure(() => call("embed", "tiny-bert:f32", "a", { pooling: "max" }));
    expect(wrong.code).toBe("invalid_argument");
    expect((await failure(() => call("embed", "tiny-berd:f32", "a"))).hint).toContain("tiny-bert:f32");
  });
});

test("an embedding model takes texts as long as it was trained for", async () => {
  const shape = { ...BERT_MODELS["bert-f32"]!, layers: 1, contextTokens: 6000 };
  const path = generateBert(directory, "bert-long", shape);
  await models.import(path, { force: false, name: "long:f32" });
  const { tokens } = (await call("embed", "long:f32", "word ".repeat(4500))) as Embedded;
  expect(tokens).toBe(4502);
});

describe("LocalLLM.rank", () => {
  test("sorts documents by the scores of the engine, with places counted from 1", async () => {
    const documents = ["the first", "another document", "and a third, longer one", "four"];
    const ranking = (await call("rank", "tiny-rank:f32", "which one?", documents)) as {
      index: number;
      score: number;
      text: string;
    }[];
    const { scores } = await client.rank(specOf(ranker), { query: "which one?", documents });
    const order = scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
    expect(ranking.map(({ index }) => index)).toEqual(order.map((i) => i + 1));
    for (const { index, score, text } of ranking) {
      expect(text).toBe(documents[index - 1]!);
      expect(Math.abs(score - scores[index - 1]!)).toBeLessThan(1e-3);
    }
  });

  test("refuses a model without a classifier", async () => {
    const error = await failure(() => call("rank", "tiny-bert:f32", "which?", ["a"]));
    expect(error.code).toBe("model_invalid");
    expect(error.hint).toContain("cross-encoder");
  });
});

test("a call is refused when its options are wrong or it was cancelled", async () => {
  const model = await models.resolveEmbedding("local/tiny-bert:f32");
  const wrong = await failure(() =>
    model.doEmbed({ values: ["a"], providerOptions: { llamacpp: { normalise: true } } }),
  );
  expect(wrong.code).toBe("invalid_argument");
  await expect(
    model.doEmbed({ values: ["a"], abortSignal: AbortSignal.abort(new Error("gone")) }),
  ).rejects.toThrow("gone");
});

describe("the test provider", () => {
  test("embeds without a model: like texts lie near, the same text in the same place", async () => {
    const configured = await modelService(home, '[providers.mock]\nprovider_type = "test"\nenabled = true\n');
    const model = await configured.models.resolveEmbedding("mock/any");
    const { embeddings, usage } = await model.doEmbed({
      values: [
        "The cat sat on the mat",
        "A cat sits on a mat",
        "Quarterly revenue grew",
        "The cat sat on the mat",
      ],
    });
    const [cat, cats, money, again] = embeddings as [number[], number[], number[], number[]];
    const cosine = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
    expect(again).toEqual(cat);
    expect(cosine(cat, cat)).toBeCloseTo(1, 10);
    expect(cosine(cat, cats)).toBeGreaterThan(cosine(cat, money) + 0.2);
    expect(usage?.tokens).toBe(6 + 6 + 3 + 6);
  });
});
