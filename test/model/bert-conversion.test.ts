import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { convertDirectory } from "../../src/models/convert/convert.ts";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { writeBertDirectory } from "../support/bert.ts";
import { BertReference, normalized } from "../support/bert-reference.ts";
import { failureOf, specOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-bert-conversion-"));
const client = new InferenceClient();
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const TEXTS = [
  "Hello there, 12 words.",
  "The quick brown fox jumps over the lazy dog; it was not amused!",
  "",
  "   spaces \t\n around  ",
  "Ünïcödé CAFÉ naïve Ångström 漢字 and 🎉 — mixed…",
  "don't e-mail me@example.com (2024-01-02) $5.00 50% #tag",
  "unaffable internationalisation antidisestablishmentarianism",
  "[CLS] and [MASK] in a text [SEP]",
  "zero\u200bwidth and no\u00a0break and \u0301 alone",
];

const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const write = (path: string, value: unknown) => writeFileSync(path, JSON.stringify(value));

describe("a converted BERT", () => {
  for (const [name, pooling] of [
    ["bert-f32", "mean"],
    ["bert-cls-f16", "first"],
  ] as const)
    test(`${name} embeds as an independent computation of the same weights, pooled as its directory says`, async () => {
      const source = writeBertDirectory(directory, name);
      const path = join(directory, `${name}.gguf`);
      await convertDirectory(source, path, { type: "F32" });
      const independent = new BertReference(source);
      for (const text of TEXTS) {
        const { vectors } = await client.embed(specOf(path), { texts: [text], normalize: true });
        const tokens = await client.tokenize(specOf(path), text, true, true);
        const expected = normalized(independent[pooling](tokens));
        expect(vectors).toHaveLength(expected.length);
        vectors.forEach((x, i) => {
          expect(Math.abs(x - expected[i]!)).toBeLessThan(1e-3);
        });
      }
    });

  for (const form of ["tokenizer.json", "vocab.txt"] as const)
    for (const isCased of [false, true])
      test(`splits texts as Hugging Face's tokenizer does, from ${form}, ${isCased ? "cased" : "uncased"}`, async () => {
        const source = writeBertDirectory(join(directory, `${form}-${isCased}`), "bert-f32");
        const tokenizerPath = join(source, "tokenizer.json");
        const configPath = join(source, "tokenizer_config.json");
        const tokenizer = json(tokenizerPath);
        tokenizer.normalizer.lowercase = !isCased;
        write(tokenizerPath, tokenizer);
        write(configPath, { ...json(configPath), do_lower_case: !isCased });
        const expected = new Tokenizer(tokenizer, json(configPath));
        rmSync(join(source, form === "vocab.txt" ? "tokenizer.json" : "vocab.txt"));
        const path = join(source, "model.gguf");
        await convertDirectory(source, path);
        for (const text of TEXTS)
          expect({ text, tokens: [...(await client.tokenize(specOf(path), text, true, true))] }).toEqual({
            text,
            tokens: expected.encode(text).ids,
          });
      });

  test("with a classifier is refused: llama.cpp gives both texts of a pair the same token type", async () => {
    const source = writeBertDirectory(directory, "bert-rank-f32");
    const failure = await failureOf(convertDirectory(source, join(directory, "rank.gguf")));
    expect(failure.message).toMatch(/its architecture is BertForSequenceClassification/);
  });

  const damages: [string, (source: string) => void, RegExp][] = [
    [
      "with a dense layer after pooling",
      (source) => {
        const path = join(source, "modules.json");
        write(path, [...json(path), { type: "sentence_transformers.models.Dense", path: "2_Dense" }]);
      },
      /its module "Dense" has no place/,
    ],
    [
      "that pools by the maximum",
      (source) => write(join(source, "1_Pooling/config.json"), { pooling_mode_max_tokens: true }),
      /pooling must be one of mean, cls, lasttoken: max_tokens/,
    ],
    [
      "whose pooling lies elsewhere",
      (source) => write(join(source, "modules.json"), [{ type: "x.Pooling", path: "../../etc" }]),
      /no directory of the model/,
    ],
    [
      "with relative positions",
      (source) => {
        const path = join(source, "config.json");
        write(path, { ...json(path), position_embedding_type: "relative_key" });
      },
      /must be absolute: relative_key/,
    ],
  ];
  for (const [what, damage, rule] of damages)
    test(`${what} is refused`, async () => {
      const source = writeBertDirectory(join(directory, "damaged"), "bert-f32");
      damage(source);
      const failure = await failureOf(convertDirectory(source, join(directory, "damaged.gguf")));
      expect(failure.message).toMatch(rule);
      rmSync(source, { recursive: true });
    });
});
