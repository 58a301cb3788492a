/** Models of Ollama through the same calls as those of our own store. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { PullProgress } from "../../../src/models/hub/pull.ts";
import { failure, modelService, temporaryHome } from "../../support/model-service.ts";
import { FakeOllama } from "../../support/ollama/server.ts";
import { says, withOllama } from "../../support/ollama/service.ts";

const SPELL_MINI = join(import.meta.dir, "../../../models/spell-mini/spell-mini.gguf");
const MODELS = {
  "llama3:latest": { sizeBytes: 4_000_000_000, quantization: "Q4_K_M", trainedTokens: 8192 },
  "nomic-embed-text:latest": { quantization: "F16", parameterSize: "137M", capabilities: ["embedding"] },
};
const LIBRARY = {
  "tiny:1b": [
    { digest: `sha256:${"a".repeat(64)}`, bytes: 1000 },
    { digest: `sha256:${"b".repeat(64)}`, bytes: 200 },
  ],
};

describe("Models of Ollama", () => {
  test("are listed beside our own, with quantization and date", async () => {
    await using box = await withOllama({ models: MODELS });
    expect(await box.models.list()).toMatchObject([
      { id: "spell-mini", backend: "llamacpp" },
      {
        id: "llama3:latest",
        backend: "ollama",
        sizeBytes: 4_000_000_000,
        quantization: "Q4_K_M",
        modifiedAt: Date.parse("2023-12-07T09:32:18-08:00") / 1000,
      },
      { id: "nomic-embed-text:latest", quantization: "F16" },
    ]);
    expect((await box.models.list("ollama")).map(({ id }) => id)).toEqual(Object.keys(MODELS));
    expect((await box.models.list("candle")).map(({ id }) => id)).toEqual(["spell-mini"]);
  });

  test("are passed over in silence where the server is not there, and an error where they are asked for", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home, '[providers.ollama]\nbase_url = "http://127.0.0.1:9"');
    expect((await models.list()).map(({ id }) => id)).toEqual(["spell-mini"]);
    expect((await failure(() => models.list("ollama"))).message).toContain(
      "Ollama is not running at http://127.0.0.1:9",
    );
    expect(await models.status("ollama")).toMatchObject([
      { running: false, availableModels: 0, reason: expect.stringContaining("Ollama is not running") },
    ]);
  });

  test.each([
    ["wrong JSON", { body: "nope" }],
    ["a page", { type: "text/html", body: "<html>" }],
    ["another shape", { body: '{"data":[]}' }],
    ["an error", { status: 500, body: '{"error":"disk"}' }],
  ])("a list of %s harms nobody else's list", async (_name, fault) => {
    await using box = await withOllama({ models: MODELS });
    box.fake.fail("/api/tags", fault, fault, fault, fault);
    expect((await box.models.list()).map(({ id }) => id)).toEqual(["spell-mini"]);
    expect((await failure(() => box.models.list("ollama"))).code).toBe("provider");
  });

  test("a server that has never had a model answers null", async () => {
    await using box = await withOllama();
    box.fake.fail("/api/tags", { body: '{"models":null}' });
    expect(await box.models.list("ollama")).toEqual([]);
  });

  test("are described with parameters, context and licence, and whether they are in memory", async () => {
    await using box = await withOllama({ models: MODELS });
    const expected = {
      id: "llama3:latest",
      backend: "ollama",
      sizeBytes: 4_000_000_000,
      quantization: "Q4_K_M",
      format: "gguf",
      architecture: "llama",
      parameterCount: 8_030_261_248,
      contextLength: 8192,
      licence: "LLAMA 3.1 COMMUNITY LICENSE AGREEMENT",
      loaded: false,
    };
    for (const name of ["llama3", "llama3@ollama", "local/llama3:latest@ollama", "ollama/llama3"])
      expect(await box.models.info(name)).toMatchObject(expected);
    await (await box.models.resolve("ollama/llama3")).doGenerate({ prompt: says("Hello") });
    expect(await box.models.info("llama3")).toMatchObject({ loaded: true });
    expect(await box.models.status("ollama")).toEqual([
      {
        backend: "ollama",
        running: true,
        availableModels: 2,
        version: "0.13.5",
        loadedModels: ["llama3:latest"],
      },
    ]);
    expect(await box.models.unload("llama3")).toBe(true);
    expect(await box.models.unload("llama3")).toBe(false);
    expect(box.fake.bodies("/api/chat").at(-1)).toEqual({
      model: "llama3",
      messages: [],
      stream: false,
      keep_alive: 0,
    });
    expect(box.fake.wrong).toEqual([]);
  });

  test("that are nowhere are named in the specified words", async () => {
    await using box = await withOllama();
    for (const name of ["nope", "nope@ollama"])
      expect((await failure(() => box.models.info(name))).message).toBe(
        `Model '${name}' not found in any backend`,
      );
    expect((await failure(() => box.models.info("nope@ollama"))).hint).toContain(
      "llmspell model pull nope@ollama",
    );
    for (const act of ["remove", "unload"] as const)
      expect((await failure(() => box.models[act]("nope@ollama"))).code).toBe("not_found");
  });

  test("are removed, and a name that both backends have must say which", async () => {
    await using box = await withOllama({ models: { ...MODELS, "both:x": {} } });
    await box.models.import(SPELL_MINI, { force: false, name: "both:x" });
    const error = await failure(() => box.models.remove("both:x"));
    expect(error.code).toBe("invalid_argument");
    expect(error.hint).toBe("Write both:x@ollama or both:x@llamacpp");
    await box.models.remove("both:x@ollama");
    expect([...box.fake.models.keys()]).toEqual(Object.keys(MODELS));
    await box.models.remove("both:x");
    await box.models.remove("llama3");
    expect([...box.fake.models.keys()]).toEqual(["nomic-embed-text:latest"]);
    expect((await box.models.list("llamacpp")).map(({ id }) => id)).toEqual(["spell-mini"]);
  });

  test("cannot be exported from where they are", async () => {
    await using box = await withOllama();
    const error = await failure(() => box.models.export("llama3@ollama", "x.tar", { force: false }));
    expect(error.hint).toContain("llmspell model import ~/.ollama/models --model llama3");
  });

  test("that are recommended are told without a network, with what is installed", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const found = await models.available("embed", { backend: "ollama" });
    expect(found.map(({ id, installed }) => [id, installed])).toEqual([
      ["nomic-embed-text", false],
      ["all-minilm", false],
    ]);
    expect((await models.available(undefined)).every(({ backend }) => backend === undefined)).toBe(true);
    await using box = await withOllama({ models: MODELS });
    const all = await box.models.available(undefined, { backend: "all" });
    expect(all.find(({ id }) => id === "nomic-embed-text")).toMatchObject({
      installed: true,
      backend: "ollama",
    });
    expect(all.some(({ backend }) => backend === undefined)).toBe(true);
  });
});

describe("A health answer", () => {
  test("is remembered for the interval, and a failure is not", async () => {
    await using box = await withOllama({ models: MODELS }, "health_check_interval_seconds = 60");
    const asked = () => box.fake.requests.filter(({ path }) => path === "/api/version").length;
    for (let i = 0; i < 3; i++) await box.models.status("ollama");
    expect(asked()).toBe(1);
    await using other = await withOllama({ models: MODELS }, "health_check_interval_seconds = 0");
    for (let i = 0; i < 3; i++) await other.models.status("ollama");
    expect(other.fake.requests.filter(({ path }) => path === "/api/version")).toHaveLength(3);
  });

  test("of a server that began late is found at once", async () => {
    const before = await FakeOllama.start();
    const { port } = before;
    await before[Symbol.asyncDispose]();
    using home = temporaryHome();
    const { models } = await modelService(home, `[providers.ollama]\nbase_url = "http://127.0.0.1:${port}"`);
    expect(await models.status("ollama")).toMatchObject([{ running: false }]);
    await using _late = await FakeOllama.start({ port, models: MODELS });
    expect(await models.status("ollama")).toMatchObject([{ running: true, availableModels: 2 }]);
  });

  test("of a server that is too old says so in the status", async () => {
    await using box = await withOllama({ version: "0.1.32", models: MODELS });
    expect(await box.models.status("ollama")).toMatchObject([
      { running: true, version: "0.1.32", reason: expect.stringContaining("too old: 0.5.0 or newer") },
    ]);
  });
});

describe("A pull with Ollama", () => {
  const pull = (box: Awaited<ReturnType<typeof withOllama>>, name: string, more: object = {}) => {
    const seen: PullProgress[] = [];
    const done = box.models.pull(name, { force: false, onProgress: (each) => seen.push(each), ...more });
    return { seen, done };
  };

  test("tells how it gets on, over all files of the model", async () => {
    await using box = await withOllama({ library: LIBRARY, models: {} });
    box.fake.pullDelayMs = 120; // reports are 100 ms apart
    const { seen, done } = pull(box, "tiny:1b");
    expect(await done).toEqual({
      modelId: "tiny:1b",
      status: "complete",
      bytesDownloaded: 1200,
      bytesTotal: 1200,
    });
    expect([...new Set(seen.map(({ status }) => status))]).toEqual([
      "starting",
      "downloading",
      "verifying",
      "complete",
    ]);
    const bytes = seen.map(({ bytesDownloaded }) => bytesDownloaded);
    expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
    expect(bytes).toContain(500);
    expect(box.fake.wrong).toEqual([]);
  });

  test("that breaks off is an error, and the next one goes on", async () => {
    await using box = await withOllama({ library: LIBRARY, models: {} });
    box.fake.pullFault = { afterBytes: 500 };
    const error = await failure(() => pull(box, "tiny:1b@ollama").done);
    expect(error.code).toBe("network");
    expect(error.message).toContain("Cannot pull the model: Ollama stopped answering before the end");
    const { seen, done } = pull(box, "tiny:1b@ollama");
    expect(await done).toMatchObject({ status: "complete", bytesDownloaded: 1200 });
    expect(seen.find(({ status }) => status === "downloading")!.bytesDownloaded).toBeGreaterThanOrEqual(0);
    expect(box.fake.fetched.get(LIBRARY["tiny:1b"][0]!.digest)).toBe(1000);
  });

  test.each([
    ["dial tcp: lookup registry.ollama.ai: no such host", "network", "Ollama cannot reach its library"],
    ["write /blobs/x: no space left on device", "io", "the disk of Ollama is full"],
    ["something else", "provider", "Ollama failed: something else"],
  ])("that Ollama gives up with %p says why", async (said, code, message) => {
    await using box = await withOllama({ library: LIBRARY, models: {} });
    box.fake.pullFault = { afterBytes: 1, error: said };
    const error = await failure(() => pull(box, "tiny:1b").done);
    expect({ code: error.code, message: error.message }).toEqual({
      code: code as never,
      message: expect.stringContaining(message),
    });
  });

  test("of a model that the library does not have", async () => {
    await using box = await withOllama({ library: LIBRARY });
    const error = await failure(() => pull(box, "nope").done);
    expect(error.code).toBe("not_found");
    expect(error.message).toBe("Cannot pull the model: Ollama's library has no model 'nope'");
    expect(error.hint).toContain("hf.co/OWNER/REPO");
  });

  test("is cancelled at the server too", async () => {
    await using box = await withOllama({ library: LIBRARY, models: {} });
    box.fake.pullDelayMs = 50;
    const abort = new AbortController();
    const { done } = pull(box, "tiny:1b", { signal: abort.signal });
    const ended = done.then(undefined, (error: unknown) => error);
    await Bun.sleep(80);
    abort.abort(new Error("enough"));
    expect(await ended).toMatchObject({ message: "enough" });
    for (let i = 0; i < 100 && box.fake.aborted === 0; i++) await Bun.sleep(10);
    expect(box.fake.aborted).toBe(1);
  });

  test("fetches nothing that is there, unless it is forced", async () => {
    await using box = await withOllama({
      models: MODELS,
      library: { ...LIBRARY, "llama3:latest": LIBRARY["tiny:1b"] },
    });
    expect(await pull(box, "llama3").done).toMatchObject({ modelId: "llama3:latest", status: "complete" });
    expect(box.fake.bodies("/api/pull")).toEqual([]);
    await pull(box, "llama3", { force: true }).done;
    expect(box.fake.bodies("/api/pull")).toHaveLength(1);
  });

  test("takes a quantization for the Hub's models only", async () => {
    await using box = await withOllama({
      library: { "hf.co/acme/tiny:Q4_K_M": LIBRARY["tiny:1b"] },
      models: {},
    });
    expect(await pull(box, "hf.co/acme/tiny@ollama", { quantization: "Q4_K_M" }).done).toMatchObject({
      modelId: "hf.co/acme/tiny:Q4_K_M",
    });
    expect((await failure(() => pull(box, "llama3", { quantization: "Q8_0" }).done)).code).toBe(
      "invalid_argument",
    );
    expect((await failure(() => pull(box, "no such/../thing").done)).message).toContain("Invalid model spec");
  });

  test("needs a configured Ollama", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    const error = await failure(() => models.pull("llama3@ollama", { force: false }));
    expect(error.message).toBe("Backend 'ollama' not configured");
    expect(error.hint).toContain("-p ollama");
  });
});
