/** llama.cpp's own examples of texts and their tokens, for each vocabulary of its release that has them. */
import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { llamaLibraries } from "../../src/ffi/library.ts";
import { loadLlama } from "../../src/ffi/llama/library.ts";
import { Model } from "../../src/ffi/llama/model.ts";
import { readGguf } from "../../src/models/llamacpp/gguf.ts";
import { releaseFile } from "../support/llama-sources.ts";

const directory = dirname(releaseFile("models/ggml-vocab-gpt-2.gguf"));
const vocabularies = readdirSync(directory)
  .filter((name) => name.endsWith(".gguf.inp"))
  .map((name) => name.slice(0, -".inp".length));

const load = (name: string) =>
  Model.load(library, releaseFile(`models/${name}`), {
    devices: [],
    gpuLayers: 0,
    contextTokens: 0,
    vocabularyOnly: true,
  });

/** As convert_hf_to_gguf_update.py writes them. */
const SEPARATOR = "\n__ggml_vocab_test__\n";

const library = loadLlama((await llamaLibraries()).directory);

describe("Tokens of llama.cpp's examples", () => {
  test("there are those that llama.cpp's own test runs", () => {
    const cmake = readFileSync(releaseFile("tests/CMakeLists.txt"), "utf8");
    const tests = cmake.matchAll(/^ *llama_test\(test-tokenizer-0 .*\/models\/(\S+\.gguf)\)/gm);
    expect([...tests].map((found) => found[1]!).sort()).toEqual(vocabularies.sort());
  });

  for (const name of vocabularies)
    test(basename(name, ".gguf"), () => {
      const path = releaseFile(`models/${name}`);
      expect(readGguf(path).tensors.size).toBe(0);
      using model = load(name);
      const read = (suffix: string) => readFileSync(`${path}.${suffix}`, "utf8");
      const texts = read("inp").split(SEPARATOR).slice(0, -1);
      const lines = read("out").split("\n").slice(0, texts.length);
      expect(texts.length).toBeGreaterThan(40);
      for (const [i, text] of texts.entries()) {
        const expected = lines[i]!.trim().split(" ").filter(Boolean).map(Number);
        // as the release's test-tokenizer-0 does: without begin and end tokens
        expect({ text, tokens: [...model.tokenize(text, false, false)] }).toEqual({ text, tokens: expected });
      }
    });
});

/** What llama.cpp's test-tokenizer-1-spm does with this vocabulary. */
describe("Text comes back from the tokens of", () => {
  const model = load("ggml-vocab-llama-spm.gguf");
  afterAll(() => model.dispose());
  const back = (text: string) => model.detokenize(model.tokenize(text, false, true), true);

  test("every token's text", () => {
    for (let token = 0; token < model.vocabularySize; token++) {
      const text = model.detokenize(Int32Array.of(token), true);
      if (text.includes("\ufffd")) continue; // a byte that is no text alone
      expect({ token, text: back(text) }).toEqual({ token, text });
    }
  });

  test("every character", () => {
    for (let code = 1; code < 0x110000; code += code < 0x3000 ? 1 : 7) {
      if ((code >= 0xd800 && code <= 0xdfff) || (code >= 0x40000 && code <= 0xe0000) || code === 0x2581)
        continue;
      const text = String.fromCodePoint(code);
      expect({ code, text: back(text) }).toEqual({ code, text });
    }
  });
});
