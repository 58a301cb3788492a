/** Files are tried in a child process: the real one, under Bun as in the executable. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { probeModel } from "../../src/models/probe/probe.ts";
import { ProbeRecords } from "../../src/models/probe/records.ts";
import { generateBert } from "../support/bert.ts";
import { GENERATED_MODELS, generateAbortingModel, generateModel } from "../support/gguf-models.ts";
import { failure, modelService, temporaryHome } from "../support/model-service.ts";
import { generateT5 } from "../support/t5.ts";
import { ask } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-probe-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const good = generateModel(directory, "llama-f32");
const aborting = generateAbortingModel(directory, "aborting");

describe("Trying a model file", () => {
  test("passes one that llama.cpp can use", async () => {
    await probeModel(good, { env: process.env });
  });

  test("passes embedding models, cross-encoders and encoder-decoders", async () => {
    for (const path of [
      generateBert(directory, "bert-f32"),
      generateBert(directory, "bert-rank-f32"),
      generateT5(directory, "flan-t5-f32"),
    ])
      await probeModel(path, { env: process.env });
  });

  test("tells the assertion on which llama.cpp ends the process, and lives on", async () => {
    const error = await failure(() => probeModel(aborting, { env: process.env }));
    expect(error.code).toBe("model_invalid");
    expect(error.message).toStartWith(
      "Cannot use the model: llama.cpp ends the process on it (SIGABRT): GGML_ASSERT(",
    );
    expect(error.message).toEndWith(`failed: ${aborting}`);
  });

  test("hands on what llama.cpp says against a file it refuses by itself", async () => {
    const vocabulary = join(import.meta.dir, "../../models/spell-mini/train/vocab.gguf");
    const error = await failure(() => probeModel(vocabulary, { env: process.env }));
    expect(error).toMatchObject({ code: "model_invalid" });
    expect(error.message).toContain("vocabulary only");
  });

  test.each([
    [
      "calls itself without an end",
      "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
      /calls itself without end|takes more than/,
    ],
    ["takes all memory", "{% for i in range(1000000000) %}x{% endfor %}", /takes more than (512 MB|3 s)/],
    [
      "comes to no end",
      "{% for i in range(3000) %}".repeat(3) + "{% endfor %}".repeat(3),
      /takes more than 3 s/,
    ],
  ])("tells of a chat template that %s", async (_, chatTemplate, reason) => {
    const path = generateModel(directory, "bad-template", {
      ...GENERATED_MODELS["llama-f32"]!,
      chatTemplate,
    });
    const error = await failure(() => probeModel(path, { env: process.env }));
    expect(error).toMatchObject({ code: "model_invalid", hint: expect.stringMatching(reason) });
    expect(error.message).toStartWith("Cannot use the model's chat template: it is not valid");
  });

  test("takes a chat template that is nested 20,000 deep", async () => {
    const path = generateModel(directory, "deep-template", {
      ...GENERATED_MODELS["llama-f32"]!,
      chatTemplate: `{{ ${"(".repeat(20_000)}1${")".repeat(20_000)} }}`,
    });
    await probeModel(path, { env: process.env });
  });

  test("ends with its signal", async () => {
    const cancel = new AbortController();
    const probing = probeModel(good, { env: process.env, signal: cancel.signal });
    cancel.abort(new Error("not needed"));
    expect(probing).rejects.toThrow("not needed");
    await probing.catch(() => undefined);
  });
});

describe("Probe records", () => {
  test("know a file until it or its date changes", async () => {
    const records = new ProbeRecords(join(directory, "records"));
    const path = generateModel(directory, "qwen2-f16");
    expect(await records.has(path)).toBe(false);
    await records.add(path);
    expect(await records.has(path)).toBe(true);
    expect(await records.has(good)).toBe(false);
    utimesSync(path, 1, 1);
    expect(await records.has(path)).toBe(false);
  });
});

describe("The store", () => {
  test("does not take a file that llama.cpp does not survive", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const error = await failure(() => models.import(aborting, { force: false, name: "bad" }));
    expect(error.message).toContain("llama.cpp ends the process on it (SIGABRT)");
    expect(readdirSync(join(home.data, "models/llamacpp"))).toEqual([".locks"]);
  });

  test("tries a file that was put there by hand before its first use, once", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const store = join(home.data, "models/llamacpp");
    const records = join(home.data, "cache/probed");
    for (const [name, generate] of [
      ["good", (at: string) => generateModel(at, "llama-f32")],
      ["bad", (at: string) => generateAbortingModel(at, "aborting")],
    ] as const) {
      mkdirSync(join(store, name), { recursive: true });
      generate(join(store, name));
    }
    try {
      const bad = await models.resolve("local/bad");
      const error = await failure(() => bad.doGenerate(ask("Hello")));
      expect(error.message).toContain("llama.cpp ends the process on it (SIGABRT)");
      expect(existsSync(records)).toBe(false);

      const fine = await models.resolve("local/good");
      await fine.doGenerate(ask("Hello", { maxOutputTokens: 2 }));
      await (await models.resolve("local/good")).load!({});
      expect(readdirSync(records).length).toBe(1);
    } finally {
      await models.dispose();
    }
  });

  test("does not try an imported file again", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const { path } = await models.import(good, { force: false });
    expect(await new ProbeRecords(join(home.data, "cache/probed")).has(path!)).toBe(true);
  });
});
