import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import type { EmbedRequest } from "../../src/models/llamacpp/protocol.ts";
import { BERT_MODELS, generateBert, writeBertDirectory } from "../support/bert.ts";
import { BertReference, normalized } from "../support/bert-reference.ts";
import { generateModel } from "../support/gguf-models.ts";
import { releaseFile } from "../support/llama-sources.ts";
import { failureOf, greedy, specOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-embeddings-"));
const client = new InferenceClient();
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const TEXTS = [
  "Hello there, 12 words.",
  "The quick brown fox jumps over the lazy dog; it was not amused!",
  "",
  "Ünïcödé 漢字 and 🎉 — mixed",
  "one two three four five six seven eight nine ten ".repeat(20),
];

const paths = new Map<string, string>();
function bert(name: string, shape = BERT_MODELS[name]!): string {
  const path = paths.get(name) ?? generateBert(directory, name, shape);
  paths.set(name, path);
  return path;
}
const reference = (name: string, shape = BERT_MODELS[name]!) =>
  new BertReference(writeBertDirectory(directory, name, shape));

const embed = (path: string, texts: readonly string[], more: Partial<EmbedRequest> = {}) =>
  client.embed(specOf(path), { texts, normalize: true, ...more });

/** Without the half-precision keys and values of flash attention, whose rounding depends on the batch. */
const embedExactly = (path: string, texts: readonly string[]) =>
  client.embed({ ...specOf(path), flashAttention: false }, { texts, normalize: true });

const rowsOf = ({ vectors, dimensions }: { vectors: Float32Array; dimensions: number }) =>
  Array.from({ length: vectors.length / dimensions }, (_, i) =>
    vectors.slice(i * dimensions, (i + 1) * dimensions),
  );

const distance = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  return Array.from(a, (x, i) => Math.abs(x - b[i]!)).reduce((most, d) => Math.max(most, d), 0);
};

describe("embeddings equal an independent computation of the same weights", () => {
  const cases = [
    { name: "bert-f32", pooling: undefined, expected: "mean", within: 1e-3 },
    { name: "bert-f32", pooling: "cls", expected: "first", within: 1e-3 },
    { name: "bert-f32", pooling: "last", expected: "last", within: 1e-3 },
    { name: "bert-cls-f16", pooling: undefined, expected: "first", within: 1e-3 },
    { name: "bert-q8_0", pooling: undefined, expected: "mean", within: 2e-2 }, // of 8-bit weights
  ] as const;
  const Q8_0 = { ...BERT_MODELS["bert-f32"]!, type: "Q8_0" as const };
  for (const { name, pooling, expected, within } of cases) {
    test(`${name}, pooling ${pooling ?? "as the file says"}`, async () => {
      const shape = name === "bert-q8_0" ? Q8_0 : BERT_MODELS[name]!;
      const path = bert(name, shape);
      const independent = reference(name, shape);
      const result = await embed(path, TEXTS, pooling && { pooling });
      let tokens = 0;
      for (const [i, row] of rowsOf(result).entries()) {
        const ids = await client.tokenize(specOf(path), TEXTS[i]!, true, true);
        tokens += ids.length;
        expect(distance(row, normalized(independent[expected](ids)))).toBeLessThan(within);
      }
      expect(result.dimensions).toBe(shape.width);
      expect(result.tokens).toBe(tokens);
    });
  }

  test("and are left as they are on request", async () => {
    const path = bert("bert-f32");
    const [row] = rowsOf(await embed(path, [TEXTS[1]!], { normalize: false }));
    const ids = await client.tokenize(specOf(path), TEXTS[1]!, true, true);
    const expected = reference("bert-f32").mean(ids);
    expect(Math.hypot(...expected)).not.toBeCloseTo(1, 1);
    expect(distance(row!, expected)).toBeLessThan(1e-3);
  });

  test("the scores of a cross-encoder too", async () => {
    const path = bert("bert-rank-f32");
    const query = "Which animals jump?";
    const documents = TEXTS.filter((text) => text !== "");
    const result = await client.rank(specOf(path), { query, documents });
    const independent = reference("bert-rank-f32");
    let tokens = 0;
    for (const [i, document] of documents.entries()) {
      const ids = [
        ...(await client.tokenize(specOf(path), query, true, false)), // [CLS] query [SEP]
        ...(await client.tokenize(specOf(path), document, true, false)).slice(1),
      ];
      tokens += ids.length;
      expect(Math.abs(result.scores[i]! - independent.score(ids))).toBeLessThan(1e-3);
    }
    expect(result.tokens).toBe(tokens);
  });
});

test("WordPiece tokens equal those that llama.cpp publishes for bge", async () => {
  const file = (suffix: string) =>
    readFileSync(releaseFile(`models/ggml-vocab-bert-bge.gguf.${suffix}`), "utf8");
  const texts = file("inp").split("\n__ggml_vocab_test__\n");
  const expected = file("out")
    .split("\n")
    .map((line) => line.trim().split(/\s+/).filter(Boolean).map(Number));
  expect(texts.length).toBeGreaterThan(40);
  for (const [i, text] of texts.entries())
    expect([...(await client.tokenize(specOf(bert("bert-f32")), text, false, false))]).toEqual(expected[i]!);
});

describe("a batch", () => {
  const many = Array.from({ length: 300 }, (_, i) => `text ${i} ${"word ".repeat((i * 37) % 90)}`);

  test("gives each text the vector that it has alone", async () => {
    const path = bert("bert-f32");
    const together = rowsOf(await embedExactly(path, many));
    expect(together).toHaveLength(many.length);
    for (const i of [0, 1, 77, 299]) {
      const [alone] = rowsOf(await embedExactly(path, [many[i]!]));
      expect(distance(together[i]!, alone!)).toBeLessThan(5e-5);
    }
  });

  test("is shared by requests that come at the same time", async () => {
    const path = bert("bert-f32");
    const expected = rowsOf(await embedExactly(path, many));
    const results = await Promise.all(many.slice(0, 40).map((text) => embedExactly(path, [text])));
    for (const [i, result] of results.entries())
      expect(distance(rowsOf(result)[0]!, expected[i]!)).toBeLessThan(5e-5);
  });

  test("of nothing is nothing", async () => {
    const { vectors, tokens } = await embed(bert("bert-f32"), []);
    expect(vectors).toHaveLength(0);
    expect(tokens).toBe(0);
  });

  test("can be cancelled; the next one is right", async () => {
    const path = bert("bert-f32");
    const [expected] = rowsOf(await embedExactly(path, [TEXTS[0]!]));
    const abort = new AbortController();
    const cancelled = client.embed(
      { ...specOf(path), flashAttention: false },
      { texts: Array.from({ length: 20_000 }, (_, i) => `text ${i}`), normalize: true },
      { signal: abort.signal },
    );
    const bystander = embedExactly(path, [TEXTS[0]!]);
    setTimeout(() => abort.abort(new Error("no longer wanted")), 50);
    expect((await failureOf(cancelled)).message).toBe("no longer wanted");
    expect(distance(rowsOf(await bystander)[0]!, expected!)).toBeLessThan(5e-5);
    expect(distance(rowsOf(await embedExactly(path, [TEXTS[0]!]))[0]!, expected!)).toBeLessThan(5e-5);
  });
});

describe("a text that is too long", () => {
  const long = "word ".repeat(600);

  test("is refused with the counts, before anything is computed", async () => {
    const error = await failureOf(embed(bert("bert-f32"), ["short", long]));
    expect(error.code).toBe("context_overflow");
    expect(error.message).toBe("Cannot embed text 2 of 2: its 602 tokens exceed the context of 512 by 90");
    expect(error.data).toEqual({ promptTokens: 602, contextTokens: 512, overTokens: 90 });
  });

  test("is cut on request and keeps its closing token", async () => {
    const path = bert("bert-f32");
    const result = await embed(path, [long], { truncate: true });
    const [cut] = rowsOf(result);
    const [fitting] = rowsOf(await embed(path, ["word ".repeat(510)]));
    expect(result.tokens).toBe(512);
    expect(distance(cut!, fitting!)).toBe(0);
  });

  test("is cut beside its query", async () => {
    const path = bert("bert-rank-f32");
    const request = { query: "word", documents: [long] };
    expect((await failureOf(client.rank(specOf(path), request))).message).toBe(
      "Cannot rank document 1 of 1: its 604 tokens exceed the context of 512 by 92",
    );
    const cut = await client.rank(specOf(path), { ...request, truncate: true });
    const fitting = await client.rank(specOf(path), { ...request, documents: ["word ".repeat(508)] });
    expect(cut.tokens).toBe(512);
    expect(cut.scores).toEqual(fitting.scores);
    const query = await failureOf(client.rank(specOf(path), { ...request, query: long, truncate: true }));
    expect(query.code).toBe("context_overflow");
  });
});

describe("a model that continues text", () => {
  test("gives the vectors of its last token, in parts where the text is long", async () => {
    const path = generateModel(directory, "llama-f32");
    const spec = { ...specOf(path), contextTokens: 2048 };
    const text = "one two three four five six seven eight nine ten ".repeat(40);
    for (const pooling of ["last", "mean", "cls"] as const) {
      const request = { normalize: true, pooling };
      const parts = await client.embed(spec, { ...request, texts: [text] });
      expect(parts.tokens).toBeGreaterThan(1024);
      // the states of a text's beginning do not depend on what follows
      const beginning = await client.embed(spec, { ...request, texts: [text.slice(0, 500)] });
      if (pooling === "cls") expect(distance(parts.vectors, beginning.vectors)).toBeLessThan(1e-4);
      else expect(distance(parts.vectors, beginning.vectors)).toBeGreaterThan(1e-3);
    }
  });

  test("still generates while it embeds: the answer does not wait for the last vector", async () => {
    const path = generateModel(directory, "llama-f32");
    const expected = await client.generate(specOf(path), greedy("Hello there", { maxTokens: 20 }));
    const ended: string[] = [];
    const embedding = embed(
      path,
      Array.from({ length: 4000 }, (_, i) => `text ${i}`),
    ).finally(() => ended.push("embedding"));
    const answer = await client
      .generate(specOf(path), greedy("Hello there", { maxTokens: 20 }))
      .finally(() => ended.push("answer"));
    expect(answer.tokens).toEqual(expected.tokens);
    expect((await embedding).vectors).toHaveLength(4000 * 64);
    expect(ended).toEqual(["answer", "embedding"]);
  });
});

describe("a model is refused", () => {
  test("for generating where it only embeds", async () => {
    const error = await failureOf(client.generate(specOf(bert("bert-f32")), greedy("Hello")));
    expect(error.code).toBe("model_invalid");
    expect(error.message).toContain("Cannot generate text with the model: bert");
  });

  test("for ranking without a classifier", async () => {
    const error = await failureOf(client.rank(specOf(bert("bert-f32")), { query: "a", documents: ["b"] }));
    expect(error.code).toBe("model_invalid");
    expect(error.message).toContain("Cannot rank with the model: it has no classifier");
  });

  test("for ranking where it knows the texts by types of tokens, which llama.cpp would not give them", async () => {
    const shape = { ...BERT_MODELS["bert-rank-f32"]!, tokenTypes: 2 };
    const path = generateBert(directory, "bert-two-types", shape);
    const error = await failureOf(client.rank(specOf(path), { query: "a", documents: ["b"] }));
    expect(error.code).toBe("model_invalid");
    expect(error.message).toContain("Cannot rank with the model: it tells the two texts apart");
    expect(rowsOf(await embed(path, ["a"], { pooling: "cls" }))[0]!.length).toBe(64);
  });

  test("for embedding where it scores pairs", async () => {
    const error = await failureOf(embed(bert("bert-rank-f32"), ["a"]));
    expect(error.code).toBe("model_invalid");
    expect(error.message).toContain("it scores pairs of texts");
  });
});
