import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertDirectory } from "../../../src/models/convert/convert.ts";
import { detectModel } from "../../../src/models/convert/detect.ts";
import { readGguf } from "../../../src/models/llamacpp/gguf.ts";
import { readTestCheckpoint } from "../../support/checkpoint.ts";
import { failure } from "../../support/model-service.ts";
import { type PublishedTensor, writeSafetensors } from "../../support/safetensors.ts";
import { writeT5Directory } from "../../support/t5.ts";

const root = mkdtempSync(join(tmpdir(), "llmspell-convert-"));
const original = writeT5Directory(root, "t5-f32");
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A copy of a T5 directory, for each test to damage. */
const model = join(root, "model");
const target = join(root, "target/model.gguf");
beforeEach(() => {
  rmSync(model, { recursive: true, force: true });
  rmSync(join(root, "target"), { recursive: true, force: true });
  mkdirSync(join(root, "target"));
  cpSync(original, model, { recursive: true });
});

const write = (name: string, content: string | Uint8Array) => writeFileSync(join(model, name), content);
const readJson = (name: string) => JSON.parse(readFileSync(join(model, name), "utf8"));
const change = (name: string, changes: Record<string, unknown>) =>
  write(name, JSON.stringify({ ...readJson(name), ...changes }));

/** Writes the weights anew, with other numbers or as another type. */
function rewrite(edit: (tensor: PublishedTensor) => PublishedTensor | undefined): void {
  const { names, tensor } = readTestCheckpoint(model);
  const tensors = names.flatMap((name) => {
    const { rows, columns, values } = tensor(name);
    const shape = rows === 1 ? [columns] : [rows, columns];
    return edit({ name, shape, type: "F32", values: Float32Array.from(values) }) ?? [];
  });
  writeSafetensors(join(model, "model.safetensors"), tensors);
}

async function refusal(run: () => unknown): Promise<string> {
  const error = await failure(run);
  expect(error.code).toBe("model_invalid");
  expect(readdirSync(join(root, "target"))).toEqual([]);
  return error.message;
}

describe("conversion", () => {
  for (const [type, written] of [
    ["F32", "F16"],
    ["F16", "F16"],
    ["BF16", "BF16"],
  ] as const)
    test(`of ${type} weights writes ${written}, as llama.cpp's converter does`, async () => {
      rewrite((tensor) => ({ ...tensor, type }));
      const { architecture, sizeBytes } = await convertDirectory(model, target);
      const header = readGguf(target);
      expect({ architecture, written: header.quantization, sizeBytes }).toEqual({
        architecture: "t5",
        written,
        sizeBytes: header.sizeBytes,
      });
    });

  test("tells the model's name, context and licence", async () => {
    write("README.md", "---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n");
    await convertDirectory(model, target);
    const { name, contextTokens, licence, parameterCount } = readGguf(target);
    const { names, tensor } = readTestCheckpoint(model);
    const values = names.reduce((sum, tensorName) => sum + tensor(tensorName).values.length, 0);
    expect({ name, contextTokens, licence, parameterCount }).toEqual({
      name: "model",
      contextTokens: 512,
      licence: "apache-2.0",
      parameterCount: values,
    });
  });

  test("tells its progress up to the end", async () => {
    const told: number[] = [];
    let total = 0;
    const { sizeBytes } = await convertDirectory(model, target, {
      onProgress: (done, of) => {
        told.push(done);
        total = of;
      },
    });
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.length).toBeGreaterThan(10);
    expect(total).toBe(sizeBytes);
    expect(told.at(-1)).toBeLessThanOrEqual(sizeBytes);
    expect(told.at(-1)).toBeGreaterThan(sizeBytes - 32);
  });

  test("that is cancelled leaves nothing, and a file that was there as it was", async () => {
    writeFileSync(target, "before");
    const cancel = new AbortController();
    const onProgress = () => cancel.abort(new Error("enough"));
    const run = convertDirectory(model, target, { signal: cancel.signal, onProgress });
    expect(run).rejects.toThrow("enough");
    await run.catch(() => {});
    expect(readdirSync(join(root, "target"))).toEqual(["model.gguf"]);
    expect(readFileSync(target, "utf8")).toBe("before");
  });
});

describe("a directory is refused", () => {
  const config = (changes: Record<string, unknown>) => () => change("config.json", changes);
  const tokenizer = (changes: Record<string, unknown>) => () => {
    rmSync(join(model, "spiece.model"));
    change("tokenizer.json", changes);
  };
  const unigram = (changes: Record<string, unknown>) => () =>
    tokenizer({ model: { ...readJson("tokenizer.json").model, ...changes } })();
  const charsmap = (bytes: Uint8Array) =>
    tokenizer({
      normalizer: { type: "Precompiled", precompiled_charsmap: Buffer.from(bytes).toString("base64") },
    });
  const cases: [string, () => void, RegExp][] = [
    ["without config.json", () => rmSync(join(model, "config.json")), /neither a GGUF file nor config.json/],
    ["with a config.json that is no JSON", () => write("config.json", "{"), /not JSON/],
    ["of another architecture", config({ architectures: ["LlamaForCausalLM"] }), /architecture is LlamaFor/],
    ["of no architecture", config({ architectures: [], model_type: undefined }), /names no architecture/],
    ["with a width of nothing", config({ d_model: 0 }), /"d_model" must be a whole number from 1/],
    ["with a width of text", config({ d_model: "64" }), /"d_model" must be a whole number/],
    ["with a width beyond all models", config({ d_ff: 2 ** 40 }), /"d_ff" must be a whole number/],
    ["with a vocabulary beyond all models", config({ vocab_size: 2 ** 21 }), /"vocab_size" must be a whole/],
    ["with layers beyond all models", config({ num_layers: 513 }), /"num_layers" must be/],
    [
      "with more layers than weights",
      config({ num_layers: 3 }),
      /"encoder.block.2.layer.0.layer_norm.weight" is missing/,
    ],
    ["with a decoder deeper than its encoder", config({ num_layers: 1 }), /is deeper than its encoder/],
    ["with fewer layers than weights", config({ num_decoder_layers: 1 }), /has no place in a model/],
    ["with other sizes than its weights", config({ d_kv: 8 }), /64 × 64 where config.json makes it 32 × 64/],
    [
      "with an activation that llama.cpp lacks",
      config({ feed_forward_proj: "gated-silu" }),
      /relu or gated-gelu/,
    ],
    ["with distances that llama.cpp lacks", config({ relative_attention_max_distance: 256 }), /must be 128/],
    ["with an epsilon of nothing", config({ layer_norm_epsilon: 0 }), /between 0 and 1/],
    ["with a start token beyond the vocabulary", config({ decoder_start_token_id: 1e6 }), /must be a token/],
    ["whose head is missing", config({ tie_word_embeddings: false }), /"lm_head.weight" is missing/],
    [
      "with weights of integers",
      () => {
        const file = readFileSync(join(model, "model.safetensors"));
        write("model.safetensors", Buffer.from(file.toString("latin1").replace('"F32"', '"I32"'), "latin1"));
      },
      /is I32, not one of F32, F16, BF16/,
    ],
    [
      "with a weight that is no number",
      () => rewrite((tensor) => ({ ...tensor, values: tensor.values.fill(Number.NaN) })),
      /no finite F16 number: NaN/,
    ],
    [
      "with a weight that 16 bits do not hold",
      () => rewrite((tensor) => ({ ...tensor, values: tensor.values.map((x, i) => (i === 3 ? 1e5 : x)) })),
      /no finite F16 number: 100000/,
    ],
    [
      "whose weights are pickled",
      () => {
        rmSync(join(model, "model.safetensors"));
        write("pytorch_model.bin", "PK");
      },
      /pytorch_model.bin is a PyTorch pickle/,
    ],
    ["without weights", () => rmSync(join(model, "model.safetensors")), /no model.safetensors/],
    [
      "without tokenizer",
      () => {
        rmSync(join(model, "tokenizer.json"));
        rmSync(join(model, "spiece.model"));
      },
      /no tokenizer/,
    ],
    [
      "with a tokenizer that is cut off",
      () => write("spiece.model", readFileSync(join(model, "spiece.model")).subarray(0, 1000)),
      /ends beyond the message/,
    ],
    ["with a tokenizer of another kind", unigram({ type: "BPE" }), /no Unigram model/],
    ["with a tokenizer that falls back to bytes", unigram({ byte_fallback: true }), /falls back to bytes/],
    ["with more pieces than embeddings", unigram({ vocab: Array(9999).fill(["x", -1]) }), /has 9999 tokens/],
    ["with a piece of no score", unigram({ vocab: [["a"]] }), /not a text and a score/],
    ["with an unknown token beyond the pieces", unigram({ unk_id: 1e9 }), /unknown token is not one/],
    [
      "with a piece that occurs twice",
      unigram({ vocab: ["p", "e", "<unk>", "a", "a"].map((text) => [text, 0]) }),
      /are both "a"/,
    ],
    [
      "with pieces that are the same up to a zero byte",
      unigram({ vocab: ["p", "e", "<unk>", "a", "a\0b"].map((text) => [text, 0]) }),
      /token 4 has a zero byte/,
    ],
    [
      "with pieces that are the same as UTF-8",
      unigram({ vocab: ["p", "e", "<unk>", "\ud800", "\udc00"].map((text) => [text, 0]) }),
      /tokens 3 and 4 are both/,
    ],
    ["with a normaliser that llama.cpp lacks", tokenizer({ normalizer: { type: "Lowercase" } }), /Lowercase/],
    [
      "with a splitter that llama.cpp lacks",
      tokenizer({ pre_tokenizer: { type: "ByteLevel" } }),
      /ByteLevel/,
    ],
    ["with a character map of no trie", charsmap(new Uint8Array(9)), /a trie of 0/],
    [
      "with a character map that leads out of itself",
      charsmap(Uint8Array.of(4, 0, 0, 0, 0, 0xff, 0xff, 0x3f, 97, 0)),
      /leads out of itself/,
    ],
    [
      "with an added token beyond the embeddings",
      tokenizer({ added_tokens: [{ id: 9999, content: "x", special: true }] }),
      /"x" is number 9999/,
    ],
  ];
  for (const [what, damage, rule] of cases)
    test(what, async () => {
      damage();
      expect(await refusal(() => convertDirectory(model, target))).toMatch(rule);
    });
});

describe("detection", () => {
  test("tells GGUF files and directories of them from what is to be converted", async () => {
    await convertDirectory(model, target);
    expect(detectModel(target)).toEqual({ format: "gguf", paths: [target] });
    expect(detectModel(join(root, "target"))).toEqual({ format: "gguf", paths: [target] });
    expect(detectModel(model)).toEqual({ format: "safetensors", directory: model, architecture: "t5" });
    change("config.json", { architectures: undefined });
    expect(detectModel(model)).toEqual({ format: "safetensors", directory: model, architecture: "t5" });
  });

  for (const [name, rule] of [
    ["model.safetensors", /holds weights only/],
    ["model.bin", /PyTorch pickle, which can run code/],
    ["model.onnx", /of another framework/],
    ["model.txt", /not a GGUF file/],
  ] as const)
    test(`refuses ${name} and says what to do`, async () => {
      write(name, "something");
      const error = await failure(() => detectModel(join(model, name)));
      expect(error.message).toMatch(rule);
      expect(error.hint).toBeTruthy();
    });
});
