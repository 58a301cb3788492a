import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { readTestCheckpoint } from "../../support/checkpoint.ts";
import { Sandbox } from "../../support/cli.ts";
import { writeSafetensors } from "../../support/safetensors.ts";
import { writeT5Directory } from "../../support/t5.ts";
import { T5Forward } from "../../support/t5-forward.ts";

const TEXT = "translate the words English to German: is it a so?";
const OUTPUT_TOKENS = 12;
const END = 1;

/** Rounds the weights, so that the file that is made of them holds the same numbers. */
function roundWeights(directory: string): void {
  const { names, tensor } = readTestCheckpoint(directory);
  const tensors = names.map((name) => {
    const { rows, columns, values } = tensor(name);
    const shape = rows === 1 ? [columns] : [rows, columns];
    return { name, shape, type: "F16" as const, values: Float32Array.from(values) };
  });
  writeSafetensors(join(directory, "model.safetensors"), tensors);
}

describe("llmspell model import DIRECTORY", () => {
  test("converts a FLAN-T5, and an agent answers with what an independent computation chooses", async () => {
    using box = new Sandbox();
    const source = writeT5Directory(box.cwd, "flan-t5-f32");
    roundWeights(source);
    const imported = await box.run(["model", "import", "flan-t5-f32", "--name", "flan-t5"]);
    expect({ code: imported.code, stderr: imported.stderr }).toEqual({ code: 0, stderr: "" });
    const info = await box.run(["--output", "json", "model", "info", "flan-t5"]);
    expect(JSON.parse(info.stdout)).toMatchObject({
      architecture: "t5",
      quantization: "F16",
      context_length: 512,
      chat_template: false,
    });

    const result = await box.lua(`
      local agent = Agent.builder():name("t5"):model("local/flan-t5"):max_tokens(${OUTPUT_TOKENS}):build()
      io.write(agent:execute("${TEXT}").text)`);
    const json = (name: string) => JSON.parse(readFileSync(join(source, name), "utf8"));
    const tokenizer = new Tokenizer(json("tokenizer.json"), json("tokenizer_config.json"));
    const chosen = new T5Forward(source).greedy(tokenizer.encode(TEXT).ids, 0, END, OUTPUT_TOKENS);
    const expected = tokenizer.decode(chosen, { skip_special_tokens: true });
    expect(expected.length).toBeGreaterThan(OUTPUT_TOKENS);
    expect({ code: result.code, stdout: result.stdout, stderr: result.stderr }).toEqual({
      code: 0,
      stdout: expected,
      stderr: "",
    });
  });

  test("refuses what it cannot convert, and leaves the store as it was", async () => {
    using box = new Sandbox();
    const config = (architecture: string) => JSON.stringify({ architectures: [architecture] });
    box.write("llama/config.json", config("LlamaForCausalLM"));
    box.write("pickled/config.json", config("T5ForConditionalGeneration"));
    box.write("pickled/pytorch_model.bin", "PK");
    writeT5Directory(box.cwd, "t5-f32");
    const weights = readFileSync(join(box.cwd, "t5-f32/model.safetensors"));
    box.write("t5-f32/model.safetensors", weights.subarray(0, -4));
    for (const [directory, message] of [
      [
        "llama",
        /its architecture is LlamaForCausalLM.*\n {2}Next: From safetensors, T5ForConditionalGeneration/,
      ],
      ["pickled", /pytorch_model.bin is a PyTorch pickle.*\n {2}Next: Take model.safetensors/],
      ["t5-f32", /is at \d+ to \d+ of the data, which has \d+ bytes/],
    ] as const) {
      const { code, stderr } = await box.run(["model", "import", directory]);
      expect(code).toBe(1);
      expect(stderr).toMatch(message);
    }
    const listed = await box.run(["model", "list"]);
    expect(listed.stdout).toBe("spell-mini\n");
  });
});
