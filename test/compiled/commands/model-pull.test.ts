/** Pulls against servers that speak the hubs' published wire formats; digests are taken by node:crypto and `git`. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  GENERATED_MODELS,
  generateModel,
  generateSplitModel,
  SPELL_MINI,
} from "../../support/gguf-models.ts";
import { HubBox } from "../../support/hub/box.ts";
import { BlobServer, COMMIT, HuggingFaceServer, OllamaServer } from "../../support/hub/hubs.ts";
import { T5_MODELS, writeT5Directory } from "../../support/t5.ts";

const mini = readFileSync(SPELL_MINI);
const small = Buffer.from("no model, but as long as one might be");
const work = mkdtempSync(join(tmpdir(), "llmspell-hub-"));
const readme = Buffer.from("---\nlicense: apache-2.0\n---\n# A model\n");

function directoryFiles(directory: string, names: readonly string[]): Record<string, Buffer> {
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name))]));
}

const split = generateSplitModel(work, Object.keys(GENERATED_MODELS)[0]!, 3).map((path) =>
  readFileSync(path),
);
const f32 = readFileSync(generateModel(work, "llama-f32"));

let blobs: BlobServer;
let hub: HuggingFaceServer;
let registry: OllamaServer;

beforeAll(async () => {
  blobs = await new BlobServer().start();
  const t5 = writeT5Directory(work, Object.keys(T5_MODELS)[0]!);
  const t5Files = [...new Bun.Glob("*").scanSync(t5)];
  hub = await new HuggingFaceServer(
    {
      "acme/tiny-GGUF": {
        licence: "apache-2.0",
        files: {
          ".gitattributes": Buffer.from("*.gguf filter=lfs"),
          "README.md": readme,
          "tiny.Q8_0.gguf": mini,
          "tiny.F32.gguf": f32,
          "tiny.Q2_K.gguf": small,
          "mmproj-tiny-F16.gguf": small,
        },
      },
      "acme/big": {
        files: Object.fromEntries(
          split.map((bytes, i) => [`F32/big-F32-0000${i + 1}-of-00003.gguf`, bytes] as const),
        ),
      },
      "acme/twins": { files: { "one.Q8_0.gguf": mini, "two.Q8_0.gguf": f32 } },
      "acme/gated": { gatedBy: "hf_right", files: { "g.Q8_0.gguf": mini } },
      "acme/t5": {
        files: { ...directoryFiles(t5, t5Files), "pytorch_model.bin": small },
        parameters: { I64: 2, F32: 1000 },
      },
      "acme/t5-bf16": { files: directoryFiles(t5, t5Files), parameters: { BF16: 1000, F32: 2 } },
      "acme/pickles": { files: { "config.json": Buffer.from("{}"), "pytorch_model.bin": small } },
    },
    blobs,
  ).start();
  registry = await new OllamaServer(
    {
      "library/tiny:latest": {
        model: mini,
        template: "{{ .Prompt }}",
        license: "MIT License\n\nText",
        params: '{"stop":["x"]}',
      },
      "acme/tiny:v2": { model: mini },
    },
    blobs,
  ).start();
});

afterAll(async () => {
  await Promise.all([hub, registry, blobs].map((server) => server[Symbol.asyncDispose]()));
  rmSync(work, { recursive: true, force: true });
});

function box(): HubBox {
  const made = new HubBox();
  made.configure({ hub: hub.origin, registry: registry.origin });
  return made;
}

describe("llmspell model pull from the Hugging Face Hub", () => {
  test("takes the quantization that is asked for, and the model answers", async () => {
    using place = box();
    const { code, document } = await place.model(["pull", "acme/tiny-GGUF:q8_0@llamacpp"]);
    expect({ code, document }).toEqual({
      code: 0,
      document: {
        model_id: "acme/tiny-GGUF:Q8_0",
        download_status: "complete",
        percent_complete: 100,
        bytes_downloaded: mini.length,
        bytes_total: mini.length,
      },
    });
    const file = "acme--tiny-GGUF/Q8_0/tiny-GGUF.gguf";
    expect(place.stored()).toEqual(["acme--tiny-GGUF/Q8_0/model.json", file]);
    expect(place.bytes(file).equals(mini)).toBe(true);
    expect(JSON.parse(place.bytes("acme--tiny-GGUF/Q8_0/model.json").toString())).toMatchObject({
      sha256: createHash("sha256").update(mini).digest("hex"),
      source: `huggingface:acme/tiny-GGUF@${COMMIT}`,
      licence: "apache-2.0",
    });
    const asked = await place.lua(
      'print(Agent.builder():model("local/acme/tiny-GGUF"):allow_tool("calculator"):build():execute("What is 15 + 27?").text)',
    );
    expect(asked.stdout).toContain("42");
  });

  test("prints the status word, then the reply, in text mode", async () => {
    using place = box();
    const done = await place.run(["-c", "my.toml", "model", "pull", "acme/tiny-GGUF:Q8_0"]);
    const [status, reply] = done.stdout.trimEnd().split("\n");
    expect(status).toBe("complete");
    expect(JSON.parse(reply!)).toMatchObject({ model_id: "acme/tiny-GGUF:Q8_0" });
    expect(done.stderr).toBe("");
  });

  test("chooses by the stated order without a quantization, and by --quantization", async () => {
    using place = box();
    expect((await place.model(["pull", "acme/tiny-GGUF"])).document.model_id).toBe("acme/tiny-GGUF:Q8_0");
    const other = await place.model(["pull", "acme/tiny-GGUF", "--quantization", "f32"]);
    expect(other.document.model_id).toBe("acme/tiny-GGUF:F32");
  });

  test("does not fetch again what is there, unless forced", async () => {
    using place = box();
    await place.model(["pull", "acme/tiny-GGUF:Q8_0"]);
    const before = hub.asked.length + blobs.asked.length;
    expect((await place.model(["pull", "acme/tiny-GGUF:Q8_0"])).document.download_status).toBe("complete");
    expect(hub.asked.length + blobs.asked.length).toBe(before);
    expect((await place.model(["pull", "acme/tiny-GGUF:Q8_0", "--force"])).code).toBe(0);
    expect(hub.asked.length + blobs.asked.length).toBeGreaterThan(before);
    expect(place.stored()).toHaveLength(2);
  });

  test("takes all parts of a split set, and loads it", async () => {
    using place = box();
    const { document } = await place.model(["pull", "acme/big"]);
    expect(document).toMatchObject({ model_id: "acme/big:F32", download_status: "complete" });
    expect(place.stored()).toEqual([
      ...[1, 2, 3].map((n) => `acme--big/F32/big-0000${n}-of-00003.gguf`),
      "acme--big/F32/model.json",
    ]);
    const total = split.reduce((sum, part) => sum + part.length, 0);
    expect((await place.model(["info", "acme/big"])).document.size_bytes).toBe(total);
    const asked = await place.lua(
      'print(#Agent.builder():model("local/acme/big"):max_tokens(4):build():execute("Hi").text >= 0)',
    );
    expect({ code: asked.code, stderr: asked.stderr }).toEqual({ code: 0, stderr: "" });
  });

  test("names the files where several fit, and what there is where none does", async () => {
    using place = box();
    const twins = await place.model(["pull", "acme/twins:Q8_0"]);
    expect(twins).toMatchObject({ code: 1, document: { code: "invalid_argument" } });
    expect(twins.document.hint).toBe("Name one after a colon: two.Q8_0, one.Q8_0");
    expect((await place.model(["pull", "acme/twins:two.Q8_0"])).document.model_id).toBe(
      "acme/twins:two.Q8_0",
    );
    const none = await place.model(["pull", "acme/tiny-GGUF:Q4_K_M"]);
    expect(none.document).toMatchObject({
      code: "not_found",
      data: { quantizations: ["Q2_K", "F32", "Q8_0"] },
    });
  });

  test("converts a repository of safetensors", async () => {
    using place = box();
    const pulled = await place.model(["pull", "acme/t5"]);
    expect(pulled.document).toMatchObject({ model_id: "acme/t5:F16", download_status: "complete" });
    expect(place.stored()).toEqual(["acme--t5/F16/model.json", "acme--t5/F16/t5.gguf"]);
    expect((await place.model(["info", "acme/t5"])).document.architecture).toBe("t5");
    expect(hub.paths().some((path) => path.endsWith("pytorch_model.bin"))).toBe(false);
  });

  test.each([
    ["acme/t5:f32", "F32"],
    ["acme/t5-bf16", "BF16"],
  ])("converts %s to %s, the type that is asked for or the weights have", async (name, type) => {
    using place = box();
    const id = `${name.split(":")[0]}:${type}`;
    expect((await place.model(["pull", name])).document).toMatchObject({ model_id: id });
    expect((await place.model(["info", id])).document).toMatchObject({ id, quantization: type });
  });

  test("converts safetensors to no quantization", async () => {
    using place = box();
    expect((await place.model(["pull", "acme/t5:Q4_K_M"])).document).toMatchObject({
      code: "not_found",
      error: expect.stringContaining("Cannot pull acme/t5: it has no Q4_K_M"),
      hint: "It has safetensors only, which become one of F32, F16, BF16",
    });
    expect(place.stored()).toEqual([]);
  });

  test("refuses a repository with nothing to run", async () => {
    using place = box();
    const { code, document } = await place.model(["pull", "acme/pickles"]);
    expect(code).toBe(1);
    expect(document.error).toContain("it holds no GGUF file and no safetensors model");
    expect(place.stored()).toEqual([]);
  });

  test("sends the token to the Hub alone, and shows it nowhere", async () => {
    using place = box();
    const without = await place.model(["pull", "acme/gated"]);
    expect(without.document).toMatchObject({
      code: "provider",
      hint: expect.stringContaining("set HF_TOKEN"),
    });
    hub.asked.length = blobs.asked.length = 0;
    const done = await place.model(["pull", "acme/gated"], {
      env: { HF_TOKEN: "hf_right", RUST_LOG: "debug" },
    });
    expect(done.code).toBe(0);
    expect(new Set(hub.asked.map(({ headers }) => headers.authorization))).toEqual(
      new Set(["Bearer hf_right"]),
    );
    expect(blobs.asked.length).toBeGreaterThan(0);
    expect(blobs.asked.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    expect(done.stdout + done.stderr).not.toContain("hf_right");
    expect(place.stored().map((path) => place.bytes(path).includes("hf_right"))).toEqual([false, false]);
  });

  test("takes the token of hf_api_key before that of the environment", async () => {
    using place = box();
    const toml = readFileSync(join(place.cwd, "my.toml"), "utf8");
    place.write("my.toml", toml.replace("provider_type", 'hf_api_key = "hf_right"\nprovider_type'));
    hub.asked.length = 0;
    const done = await place.model(["pull", "acme/gated"], { env: { HF_TOKEN: "hf_wrong" } });
    expect(done.code).toBe(0);
    expect(new Set(hub.asked.map(({ headers }) => headers.authorization))).toEqual(
      new Set(["Bearer hf_right"]),
    );
    expect(done.stdout + done.stderr).not.toContain("hf_right");
  });

  test("tells a repository that is not there from one that is gated", async () => {
    using place = box();
    const { code, document } = await place.model(["pull", "acme/nowhere"]);
    expect(code).toBe(1);
    expect(document.code).toBe("not_found");
    expect(document.error).toStartWith("Model pull error: Cannot fetch the model acme/nowhere: not found");
  });
});

describe("llmspell model pull from Ollama's registry", () => {
  test("takes the model's layer and keeps the others as metadata", async () => {
    using place = box();
    const { document } = await place.model(["pull", "tiny@llamacpp"]);
    expect(document).toMatchObject({ model_id: "tiny:latest", download_status: "complete" });
    expect(place.stored()).toEqual(["tiny/latest/model.json", "tiny/latest/tiny.gguf"]);
    expect(place.bytes("tiny/latest/tiny.gguf").equals(mini)).toBe(true);
    expect(JSON.parse(place.bytes("tiny/latest/model.json").toString())).toMatchObject({
      source: "ollama:library/tiny:latest",
      licence: "MIT License",
      template: "{{ .Prompt }}",
      params: '{"stop":["x"]}',
    });
    expect((await place.model(["pull", "ollama.com/acme/tiny:v2"])).document.model_id).toBe("acme/tiny:v2");
  });

  test("says that a name or tag is not there", async () => {
    using place = box();
    const { document } = await place.model(["pull", "tiny:nope"]);
    expect(document).toMatchObject({ code: "not_found" });
  });

  test("speaks of the backend where Ollama itself is asked for", async () => {
    using place = box();
    const { code, document } = await place.model(["pull", "tiny@ollama"]);
    expect({ code, error: document.error }).toEqual({
      code: 1,
      error: "Model pull error: Backend 'ollama' not configured",
    });
    expect(document.hint).toContain("llmspell model pull tiny@llamacpp");
  });
});

describe("llmspell model available", () => {
  test("lists the recommended models without a network", async () => {
    using place = box();
    hub.asked.length = 0;
    const { document } = await place.model(["available"]);
    expect(document.count).toBe(document.models.length);
    expect(document.models.map(({ id }: { id: string }) => id)).toEqual([
      "tinyllama",
      "phi-2",
      "qwen2-0.5b",
      "flan-t5-small",
      "flan-t5-base",
      "flan-t5-large",
      "t5-small",
      "t5-base",
      "t5-large",
    ]);
    expect(hub.asked).toEqual([]);
  });

  test("searches the Hub, and lists one repository's quantizations with their sizes", async () => {
    using place = box();
    const found = await place.model(["available", "tiny"]);
    expect(found.document).toMatchObject({
      count: 1,
      models: [
        { id: "acme/tiny-GGUF", installed: false, gated: false, downloads: 1000, parameter_count: 4_517_120 },
      ],
    });
    await place.model(["pull", "acme/tiny-GGUF:Q8_0"]);
    const { document } = await place.model(["available", "acme/tiny-GGUF"]);
    expect(document.models[0]).toMatchObject({
      installed: true,
      quantizations: [
        { name: "Q2_K", size_bytes: small.length },
        { name: "F32", size_bytes: f32.length },
        { name: "Q8_0", size_bytes: mini.length },
      ],
    });
  });
});

describe("LocalLLM.pull", () => {
  test("gives the progress at the end, and an error where a download fails on its way", async () => {
    using place = box();
    const script = (spec: string) =>
      place.lua(`print(JSON.stringify(LocalLLM.pull("${spec}")))`, { args: ["-c", "my.toml"] });
    expect(JSON.parse((await script("acme/tiny-GGUF:Q8_0")).stdout)).toEqual({
      model_id: "acme/tiny-GGUF:Q8_0",
      status: "complete",
      percent_complete: 100,
      bytes_downloaded: mini.length,
      bytes_total: mini.length,
    });
    const failed = await script("acme/tiny-GGUF:Q2_K");
    expect(JSON.parse(failed.stdout)).toMatchObject({
      status: "failed",
      error: expect.stringMatching(/^Failed to pull model: .*not a GGUF file/),
    });
  });

  test("raises for a backend that is not configured, and for what is not there", async () => {
    using place = box();
    const message = async (spec: string) =>
      (await place.lua(`print(select(2, pcall(LocalLLM.pull, "${spec}")))`, { args: ["-c", "my.toml"] }))
        .stdout;
    expect(await message("tiny@ollama")).toContain("Backend 'ollama' not configured");
    expect(await message("acme/nowhere")).toContain(
      "Failed to pull model: Cannot fetch the model acme/nowhere",
    );
    expect(await message("a/b/c/d")).toContain("Invalid model spec 'a/b/c/d'");
  });

  test("unload tells whether the model was in memory", async () => {
    using place = box();
    const done = await place.lua(`
      print(LocalLLM.unload("spell-mini"))
      Agent.builder():model("local/spell-mini"):max_tokens(2):build():execute("Hi")
      print(LocalLLM.unload("spell-mini"), LocalLLM.info("spell-mini").loaded)`);
    expect(done.stdout).toBe("false\ntrue\tfalse\n");
  });
});
