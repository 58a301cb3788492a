import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { llamaLibraries } from "../../src/ffi/library.ts";
import { loadLlama } from "../../src/ffi/llama/library.ts";
import { Model } from "../../src/ffi/llama/model.ts";
import { convertDirectory } from "../../src/models/convert/convert.ts";
import { uniform } from "../support/random.ts";
import { writeT5Directory } from "../support/t5.ts";
import { giveVocabulary, tokenizerJson } from "../support/t5-vocabulary.ts";

const TEXTS = [
  "",
  " ",
  "a",
  "the house of a translator",
  "  the   house\tof\na  question  ",
  "internationaltranslationquestionnothing",
  "größe, où, 漢字 und nothing else: 12345?!",
  "ﬁne ａnd Ｂ① is… e\u0301té",
  "\u3000the\u00a0house",
  "unknown ☃☃☃ snow☃men 🎉🎉 x",
  "<extra_id_0> the house <extra_id_1>",
  "the <extra_id_2>",
  "</s> the house",
  "<pad><unk>",
];

const directory = mkdtempSync(join(tmpdir(), "llmspell-t5-tokenizer-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Words of the vocabulary's letters, which no piece holds as a whole. */
function randomTexts(count: number): string[] {
  const random = uniform(11);
  const letters = [..."the house of question is nothing in it aeiou 12 ,.:?!"];
  return Array.from({ length: count }, () =>
    Array.from(
      { length: 1 + Math.floor(random() * 60) },
      () => letters[Math.floor(random() * letters.length)]!,
    ).join(""),
  );
}

describe("a converted T5 tokenizer splits texts as Hugging Face's does", () => {
  for (const kind of ["tokenizer.json", "spiece.model"] as const)
    test(`from ${kind}`, async () => {
      const source = writeT5Directory(join(directory, kind), "t5-f32");
      const base = JSON.parse(readFileSync(join(source, "tokenizer.json"), "utf8"));
      const config = JSON.parse(readFileSync(join(source, "tokenizer_config.json"), "utf8"));
      const expected = new Tokenizer(tokenizerJson(base), config);
      giveVocabulary(source, kind);
      const path = join(directory, `${kind}.gguf`);
      await convertDirectory(source, path);
      const library = loadLlama((await llamaLibraries()).directory);
      using model = Model.load(library, path, { gpuLayers: 0 });
      for (const text of [...TEXTS, ...randomTexts(500)])
        expect({ text, tokens: [...model.tokenize(text, true, true)] }).toEqual({
          text,
          tokens: expected.encode(text).ids,
        });
    });
});
