/** Digests are compared with `sha256sum`, the store's layout with spec/agents-workflows-rag.md section 3.4. */
import { describe, expect, test } from "bun:test";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { $ } from "bun";
import { EMBEDDED_INFO } from "../../../src/models/embedded.ts";
import { readGguf } from "../../../src/models/llamacpp/gguf.ts";
import { memoryNeeded } from "../../../src/models/llamacpp/memory.ts";
import { idOfSegments, parseNewId, segmentsOf, suggestId } from "../../../src/models/store/layout.ts";
import { Staging } from "../../../src/models/store/staging.ts";
import { failure, modelService, type TestHome, temporaryHome } from "../../support/model-service.ts";

const SPELL_MINI = join(import.meta.dir, "../../../models/spell-mini/spell-mini.gguf");

/** A valid model file that differs from the embedded one in its last weight. */
function variantOf(home: TestHome, name: string): string {
  const bytes = readFileSync(SPELL_MINI);
  bytes[bytes.length - 1]! ^= 1;
  const path = join(home.directory, name);
  writeFileSync(path, bytes);
  return path;
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

const plain = { force: false };

describe("Importing a model", () => {
  test("copies it under the name and quantization of the file, with its digest, and reports progress", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const progress: number[] = [];
    const info = await models.import(variantOf(home, "Tiny Llama-1.1b.gguf"), {
      ...plain,
      onEvent: (event) => event.type === "progress" && progress.push(event.done / event.total!),
    });
    expect(info).toMatchObject({
      id: "Tiny-Llama-1.1b:Q8_0",
      architecture: "llama",
      parameterCount: 4_517_120,
    });
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));

    const root = join(home.data, "models/llamacpp");
    expect(filesBelow(root)).toEqual([
      "Tiny-Llama-1.1b/Q8_0/Tiny-Llama-1.1b.gguf",
      "Tiny-Llama-1.1b/Q8_0/model.json",
    ]);
    const digest = (await $`sha256sum ${info.path}`.text()).slice(0, 64);
    expect(JSON.parse(readFileSync(join(root, "Tiny-Llama-1.1b/Q8_0/model.json"), "utf8"))).toMatchObject({
      sha256: digest,
      sizeBytes: 4_857_664,
      sourceName: "Tiny Llama-1.1b.gguf",
    });
  });

  test("takes a name with a variant, and finds the model without naming it", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    await models.import(SPELL_MINI, { ...plain, name: "acme/tiny:v2" });
    expect((await models.info("local/acme/tiny:v2@candle")).id).toBe("acme/tiny:v2");
    expect((await models.info("acme/tiny")).id).toBe("acme/tiny:v2");
    expect((await models.resolve("local/acme/tiny")).modelId).toBe("acme/tiny:v2");
  });

  test("refuses a second model of the same id, and replaces it when forced", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    await models.import(SPELL_MINI, { ...plain, name: "m:x" });
    const other = variantOf(home, "other.gguf");
    expect((await failure(() => models.import(other, { ...plain, name: "m:x" }))).code).toBe(
      "already_exists",
    );
    const replaced = await models.import(other, { force: true, name: "m:x" });
    expect(readFileSync(replaced.path!).equals(readFileSync(other))).toBe(true);
    expect(filesBelow(join(home.data, "models/llamacpp"))).toEqual(["m/x/m.gguf", "m/x/model.json"]);
  });

  test("notices that a file is there already under another id", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    await models.import(SPELL_MINI, { ...plain, name: "first:x" });
    const error = await failure(() => models.import(SPELL_MINI, { ...plain, name: "second:x" }));
    expect(error.code).toBe("already_exists");
    expect(error.message).toContain("'first:x'");
    expect((await models.list()).map(({ id }) => id)).toEqual(["spell-mini", "first:x"]);
  });

  test("says what is wrong with a missing, foreign, truncated or special file, and leaves nothing", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const truncated = join(home.directory, "cut.gguf");
    copyFileSync(SPELL_MINI, truncated);
    truncateSync(truncated, 1_000_000);
    const text = join(home.directory, "text.gguf");
    writeFileSync(text, "hello, I am no model");
    const empty = join(home.directory, "empty");
    mkdirSync(empty);
    const pipe = join(home.directory, "pipe.gguf");
    await $`mkfifo ${pipe}`;
    const cases: [string, string, RegExp][] = [
      [join(home.directory, "absent.gguf"), "not_found", /no such file/],
      [text, "model_invalid", /not a GGUF file/],
      [truncated, "model_invalid", /1000000: it is truncated/],
      [empty, "model_invalid", /directory is empty/],
      [pipe, "model_invalid", /not a file/],
    ];
    for (const [path, code, message] of cases) {
      const error = await failure(() => models.import(path, plain));
      expect(error.code).toBe(code as never);
      expect(error.message).toMatch(message);
    }
    expect(filesBelow(home.data)).toEqual([]);
  });

  test("leaves nothing when it is interrupted while it copies", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const controller = new AbortController();
    const importing = models.import(SPELL_MINI, {
      ...plain,
      signal: controller.signal,
      onEvent: () => controller.abort(new Error("stop")),
    });
    expect(importing).rejects.toThrow("stop");
    await importing.catch(() => {});
    expect(filesBelow(home.data)).toEqual([]);
  });

  test("clears away what a killed process left, puts back what it was to replace, and nothing of a living one", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const root = join(home.data, "models/llamacpp");
    await models.import(SPELL_MINI, { ...plain, name: "m:x" });
    const before = filesBelow(join(root, "m"));
    const script = `
      import { renameSync } from "node:fs";
      import { Staging } from "${join(import.meta.dir, "../../../src/models/store/staging.ts")}";
      const half = await Staging.make(${JSON.stringify(root)});
      await Bun.write(half.directory + "/m.gguf", "half");
      const replaced = await Staging.make(${JSON.stringify(root)});
      const model = ${JSON.stringify(join(root, "m/x"))};
      renameSync(model, replaced.placeOfOld(model));
      process.kill(process.pid, "SIGKILL");`;
    expect(await Bun.spawn([process.execPath, "-e", script]).exited).toBe(137);
    expect(filesBelow(join(root, "m"))).toEqual([]);
    await using living = await Staging.make(root);

    expect((await models.list()).map(({ id }) => id)).toEqual(["spell-mini", "m:x"]);
    expect(filesBelow(join(root, "m"))).toEqual(before);
    expect(readdirSync(root).sort()).toEqual([basename(living.directory), ".locks", "m"].sort());
  });

  test("lets one of two imports of the same id win", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const other = variantOf(home, "other.gguf");
    const results = await Promise.allSettled(
      [SPELL_MINI, other].map((path) => models.import(path, { ...plain, name: "m:x" })),
    );
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(filesBelow(join(home.data, "models/llamacpp"))).toEqual(["m/x/m.gguf", "m/x/model.json"]);
  });

  test.each([
    "../evil",
    "a/b/c",
    "a b",
    "con",
    "x:",
    "x:..",
    ".hidden",
    "name.",
    "a--b",
    "/abs",
    "a\u0000b",
    "",
  ])("refuses the name %p", async (name) => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const error = await failure(() => models.import(SPELL_MINI, { ...plain, name }));
    expect(error.message).toBe(`Invalid model spec '${name}'`);
  });
});

describe("The store", () => {
  test("reads the reference's layout and its directory, ours first", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const directories = [
      join(home.data, "models/llamacpp/tinyllama:Q4_K_M"),
      join(home.data, "models/candle/tinyllama:Q4_K_M"),
      join(home.directory, ".llmspell/models/candle/phi-2:Q8_0"),
    ];
    for (const directory of directories) {
      mkdirSync(directory, { recursive: true });
      cpSync(SPELL_MINI, join(directory, "weights.gguf"));
      writeFileSync(join(directory, "tokenizer.json"), "{}");
    }
    expect((await models.list()).map(({ id }) => id)).toEqual([
      "spell-mini",
      "phi-2:Q8_0",
      "tinyllama:Q4_K_M",
    ]);
    expect((await models.info("tinyllama")).path).toBe(join(directories[0]!, "weights.gguf"));
    expect((await models.info("phi-2")).quantization).toBe("Q8_0");
  });

  test("honours model_directory", async () => {
    using home = temporaryHome();
    const directory = join(home.directory, "elsewhere");
    const { models } = await modelService(
      home,
      `[providers.llamacpp]\nprovider_type = "llamacpp"\nmodel_directory = "${directory}"`,
    );
    await models.import(SPELL_MINI, { ...plain, name: "m:x" });
    expect(filesBelow(directory)).toEqual(["m/x/m.gguf", "m/x/model.json"]);
  });

  test("prefers the configured quantization, then asks which variant is meant", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const other = variantOf(home, "other.gguf");
    await models.import(SPELL_MINI, { ...plain, name: "m:Q8_0" });
    await models.import(other, { ...plain, name: "m:F16" });
    const error = await failure(() => models.info("m"));
    expect(error.message).toContain("several variants");
    expect(error.hint).toContain("m:F16, m:Q8_0");
    await models.import(other, { force: true, name: "m:Q4_K_M" });
    expect((await models.info("m")).id).toBe("m:Q4_K_M");
  });

  test("lists a damaged model, and says what is wrong with it when it is wanted", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const { path } = await models.import(SPELL_MINI, { ...plain, name: "m:x" });
    truncateSync(path!, 100_000);
    expect((await models.list()).map(({ id }) => id)).toEqual(["spell-mini", "m:x"]);
    expect((await failure(() => models.info("m:x"))).code).toBe("model_invalid");
    expect((await failure(() => models.resolve("local/m:x"))).code).toBe("model_invalid");
  });

  test("removes a model with its directory, keeps other variants, and refuses the embedded one", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    await models.import(SPELL_MINI, { ...plain, name: "m:x" });
    await models.import(variantOf(home, "other.gguf"), { ...plain, name: "m:y" });
    const root = join(home.data, "models/llamacpp");
    await models.remove("local/m:x");
    expect(readdirSync(join(root, "m"))).toEqual(["y"]);
    await models.remove("m");
    expect(readdirSync(root)).toEqual([".locks"]);
    expect((await failure(() => models.remove("m:x"))).code).toBe("not_found");
    expect((await failure(() => models.remove("local/spell-mini"))).code).toBe("invalid_argument");
  });

  test("counts the models in its status and reports Ollama only where it is configured", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    expect(await models.status()).toEqual([{ backend: "llamacpp", running: true, availableModels: 1 }]);
    expect(await models.status("ollama")).toMatchObject([{ running: false, reason: "Not configured" }]);
    const configured = await modelService(home, '[providers.ollama]\nprovider_type = "ollama"');
    expect((await configured.models.status()).map(({ backend }) => backend)).toEqual(["llamacpp", "ollama"]);
  });
});

test("What is said of the embedded model is what its file says", () => {
  const header = readGguf(SPELL_MINI);
  expect(EMBEDDED_INFO).toMatchObject({
    sizeBytes: header.sizeBytes,
    quantization: header.quantization!,
    architecture: header.architecture,
    parameterCount: header.parameterCount,
    contextLength: header.contextTokens!,
    licence: header.licence!,
    hasChatTemplate: header.hasChatTemplate,
    memoryBytes: memoryNeeded(header, { contextTokens: 0, ubatchTokens: 512, flashAttention: "auto" })
      .totalBytes,
  });
});

describe("Ids and directories", () => {
  test.each([
    ["llama3.1:8b", ["llama3.1", "8b"]],
    ["owner/repo:Q4_K_M", ["owner--repo", "Q4_K_M"]],
  ])("%s lies in %p and is read from there", (id, segments) => {
    expect<string[]>(segmentsOf(parseNewId(id, "unused"))).toEqual(segments);
    expect(idOfSegments(segments)).toBe(id);
  });

  test.each([
    ["tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf", undefined, "tinyllama-1.1b-chat-v1.0", "Q4_K_M"],
    ["model-f16.gguf", undefined, "model", "F16"],
    ["Meta-Llama-3-8B-Instruct.IQ3_XS.gguf", "IQ3_XS", "Meta-Llama-3-8B-Instruct", "IQ3_XS"],
    ["weights.gguf", "Q8_0", "weights", "Q8_0"],
    ["weights.bin", undefined, "weights.bin", "default"],
    ["--.gguf", undefined, "model", "default"],
  ])("the file %s in %p suggests %s:%s", (file, quantization, name, variant) => {
    expect(suggestId(file, quantization)).toEqual({ name, variant });
  });
});
