/** The least number of tokens a text can have, against llama.cpp's vocabularies and its published examples. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { llamaLibraries } from "../../../src/ffi/library.ts";
import { loadLlama } from "../../../src/ffi/llama/library.ts";
import { Model } from "../../../src/ffi/llama/model.ts";
import type { OllamaChat } from "../../../src/models/ollama/request.ts";
import { leastTokens, refuseCut } from "../../../src/models/ollama/room.ts";
import { releaseFile } from "../../support/llama-sources.ts";

const directory = dirname(releaseFile("models/ggml-vocab-gpt-2.gguf"));
const vocabularies = readdirSync(directory).filter((name) => /^ggml-vocab-.*\.gguf$/.test(name));
const SEPARATOR = "\n__ggml_vocab_test__\n";
const EXAMPLES = readFileSync(releaseFile("models/ggml-vocab-llama-bpe.gguf.inp"), "utf8").split(SEPARATOR);
const DOCUMENTS = ["README.md", "src/llama-vocab.cpp", "tests/CMakeLists.txt", "gguf-py/pyproject.toml"].map(
  (path) => readFileSync(releaseFile(path), "utf8"),
);
const RUNS = [
  "=".repeat(3000),
  "-".repeat(3000),
  " ".repeat(3000),
  "a".repeat(3000),
  "\n\n\n\t\t".repeat(500),
  "哈".repeat(500),
];

const library = loadLlama((await llamaLibraries()).directory);
/** Their vocabularies have one token for all words that are not in them. */
const isBert = (name: string) => /bert/.test(name);
const chatOf = (content: string) => ({ messages: [{ role: "user", content }] }) as unknown as OllamaChat;

describe("A text has at least as many tokens as was said, and no cut is seen where there is none:", () => {
  test.each(vocabularies.map((name) => basename(name, ".gguf")))("%s", (name) => {
    using model = Model.load(library, releaseFile(`models/${name}.gguf`), {
      devices: [],
      gpuLayers: 0,
      contextTokens: 0,
      vocabularyOnly: true,
    });
    for (const text of [...EXAMPLES, ...DOCUMENTS, ...RUNS]) {
      const tokens = model.tokenize(text, false, false).length;
      const least = isBert(name) ? leastTokens(text, Number.POSITIVE_INFINITY) : leastTokens(text);
      expect({ text: text.slice(0, 200), isBelow: least <= tokens }).toEqual({
        text: text.slice(0, 200),
        isBelow: true,
      });
      if (isBert(name)) continue;
      expect(() =>
        refuseCut({ what: text.slice(0, 200), server: "" }, chatOf(text), tokens, tokens + 1),
      ).not.toThrow();
    }
  });

  test("and of written text it is not far below", () => {
    using model = Model.load(library, releaseFile("models/ggml-vocab-llama-bpe.gguf"), {
      devices: [],
      gpuLayers: 0,
      contextTokens: 0,
      vocabularyOnly: true,
    });
    const letter = readFileSync(releaseFile("LICENSE"), "utf8");
    const tokens = model.tokenize(letter, false, false).length;
    expect(leastTokens(letter) / tokens).toBeGreaterThan(0.6);
  });
});
