/**
 * Writes greedy.json and shift.json: what llama.cpp's own llama-server generates from the test models, token by token, and
 * how far that is sure.
 *
 *   bun test/model/reference/generate.ts PATH/TO/llama-server
 *
 * The server is built from the release's own sources (native/README.md). Run again when the release, a model or a prompt changes.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GENERATED_MODELS, generateModel, SPELL_MINI } from "../../support/gguf-models.ts";
import { MODELS, OUTPUT_TOKENS, PROMPTS, SHIFTED } from "../cases.ts";
import { completions } from "./server.ts";

const program = process.argv[2];
if (program === undefined)
  throw new Error("Usage: bun test/model/reference/generate.ts PATH/TO/llama-server");
const directory = mkdtempSync(join(tmpdir(), "llmspell-reference-"));
try {
  const cases = MODELS.flatMap((model) => PROMPTS.map((prompt) => ({ model, prompt })));
  const greedy = cases.map(({ model, prompt }) => ({
    model: model in GENERATED_MODELS ? generateModel(directory, model) : SPELL_MINI,
    prompt,
    options: ["-c", "512"],
    body: { n_predict: OUTPUT_TOKENS },
  }));
  // The server keeps one token of its context free: its 256 tokens are 255 of ours.
  const shifted = SHIFTED.map(({ prompt, keepTokens }) => ({
    model: generateModel(directory, "llama-f32"),
    prompt,
    options: ["-c", "256", "--context-shift", "-fa", "off"],
    body: { n_predict: 500, n_keep: keepTokens },
  }));
  const answers = await completions(program, [...greedy, ...shifted]);
  const write = (name: string, references: readonly object[], from: number) =>
    Bun.write(
      join(import.meta.dir, name),
      `${JSON.stringify(references.map((one, i) => ({ ...one, ...answers[from + i] })))}\n`,
    );
  await write("greedy.json", cases, 0);
  await write("shift.json", SHIFTED, cases.length);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
