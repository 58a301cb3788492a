/** What can go wrong between a script and Ollama, each told as what it is. */
import { describe, expect, test } from "bun:test";
import type { SpellModel } from "../../../src/models/service.ts";
import { failure, modelService, temporaryHome } from "../../support/model-service.ts";
import { deltasOf, partsOf, says, withOllama } from "../../support/ollama/service.ts";
import type { FakeAnswer, Fault, Settings } from "../../support/ollama/types.ts";

const HTML = "<html><body>Please log in</body></html>";

async function open(settings: Settings = {}, toml = "") {
  const box = await withOllama(settings, toml);
  return Object.assign(box, { model: await box.models.resolve("ollama/llama3") });
}

const ask = (model: SpellModel) => failure(() => model.doGenerate({ prompt: says("Hello") }));

describe("A call of Ollama", () => {
  test("says that it is not running, and how it is started or installed", async () => {
    using home = temporaryHome({ PATH: "/nowhere" });
    const { models } = await modelService(
      home,
      '[providers.ollama]\nprovider_type = "ollama"\nbase_url = "http://127.0.0.1:9"',
    );
    const error = await ask(await models.resolve("ollama/llama3"));
    expect(error.code).toBe("network");
    expect(error.message).toBe(
      "Cannot call model ollama/llama3: Ollama is not running at http://127.0.0.1:9",
    );
    expect(error.hint).toContain("llmspell model install-ollama");
  });

  test("says that there is no way to it", async () => {
    using home = temporaryHome();
    const { models } = await modelService(
      home,
      '[providers.ollama]\nprovider_type = "ollama"\nbase_url = "http://nowhere.invalid:11434"',
    );
    const error = await ask(await models.resolve("ollama/llama3"));
    expect(error.code).toBe("network");
    expect(error.message).toContain("Ollama cannot be reached at http://nowhere.invalid:11434: Cannot");
  });

  test("that is aborted harms no other call of the same model", async () => {
    await using box = await open();
    const abort = new AbortController();
    box.fake.fail("/api/show", { hang: true });
    const first = box.model.doGenerate({ prompt: says("1"), abortSignal: abort.signal });
    const ended = first.then(undefined, (error: unknown) => error);
    for (let i = 0; i < 100 && box.fake.bodies("/api/show").length === 0; i++) await Bun.sleep(5);
    const second = box.model.doGenerate({ prompt: says("2") });
    abort.abort(new Error("stop"));
    expect(await ended).toMatchObject({ message: "stop" });
    expect((await second).content).toHaveLength(1);
  });

  test("names a model that is missing, and the command that pulls it", async () => {
    await using box = await open({ models: {} });
    const error = await ask(box.model);
    expect(error.code).toBe("not_found");
    expect(error.message).toBe(
      `Cannot call model ollama/llama3: Ollama has no model 'llama3': ${box.fake.url}`,
    );
    expect(error.hint).toBe("Pull it: llmspell model pull llama3@ollama");
  });

  test("refuses a server that is too old, by both versions", async () => {
    await using box = await open({ version: "0.3.14" });
    const error = await ask(box.model);
    expect(error.code).toBe("provider");
    expect(error.message).toContain("Ollama 0.3.14 is too old: 0.5.0 or newer is needed");
    expect(error.hint).toContain("https://ollama.com/download");
    expect(box.fake.bodies("/api/chat")).toEqual([]);
  });

  test.each(["0.0.0", "0.13.0-rc1"])("takes version %s for new enough", async (version) => {
    await using box = await open({ version });
    expect((await box.model.doGenerate({ prompt: says("Hello") })).content).toEqual([
      { type: "text", text: "Hello" },
    ]);
  });

  test.each<[string, FakeAnswer, string, string]>([
    ["cut off in the middle", { text: ["Hal"], cut: true }, "network", "stopped answering before the end"],
    [
      "an error within the answer",
      { text: ["Hal"], error: "an error was encountered while running the model: CUDA error" },
      "provider",
      "Ollama failed: an error was encountered while running the model: CUDA error",
    ],
    [
      "an error that would move the cursor",
      { error: "bad \u001b[2J thing" },
      "provider",
      "Ollama failed: bad \\u{1b}[2J thing",
    ],
  ])("%s", async (_name, answer, code, message) => {
    await using box = await open({ answers: [answer, answer] });
    const parts = await partsOf(box.model, { prompt: says("Hello") });
    expect(deltasOf(parts, "text-delta")).toEqual(answer.text ?? []);
    expect(parts.at(-1)).toMatchObject({
      type: "error",
      error: { code, message: expect.stringContaining(message) },
    });
    expect(parts.filter(({ type }) => type === "error" || type === "finish")).toHaveLength(1);
    expect((await ask(box.model)).code).toBe(code as never);
  });

  test.each<[string, Fault, string, string]>([
    [
      "a login page",
      { type: "text/html", body: HTML },
      "provider",
      "the answer is not Ollama's JSON (text/html)",
    ],
    ["a page of a proxy", { status: 403, type: "text/html", body: HTML }, "provider", "status 403"],
    ["text that is cut JSON", { body: '{"message":{"content":"Hal' }, "network", "stopped answering"],
    ["no answer at all", { body: "" }, "network", "stopped answering before the end"],
    ["a list", { body: "[1]\n" }, "provider", "the answer is not Ollama's JSON"],
    [
      "lines of another program",
      { body: '{"ok":1}\n{"done":true}\n' },
      "provider",
      "lacks what it must have: message",
    ],
    [
      "status 500",
      { status: 500, body: '{"error":"llama runner process has terminated"}' },
      "provider",
      "Ollama failed: llama runner process has terminated (status 500)",
    ],
    [
      "status 401",
      { status: 401, body: '{"error":"unauthorized"}' },
      "provider",
      "access is refused: unauthorized",
    ],
    [
      "a server without chats",
      { status: 404, type: "text/plain", body: "404 page not found" },
      "provider",
      "does not know this request /api/chat",
    ],
    [
      "a model without chats",
      { status: 400, body: '{"error":"\\"llama3\\" does not support chat"}' },
      "invalid_argument",
      "the model does not support chat",
    ],
    [
      "a model without tools",
      { status: 400, body: '{"error":"registry.ollama.ai/library/llama3 does not support tools"}' },
      "invalid_argument",
      "the model does not support tools",
    ],
    [
      "too little memory",
      {
        status: 500,
        body: '{"error":"model requires more system memory (9.1 GiB) than is available (3.2 GiB)"}',
      },
      "provider",
      "does not fit into memory",
    ],
    [
      "a redirect",
      { status: 302, headers: { location: "http://127.0.0.1:9/" }, body: "" },
      "network",
      "more than 0 redirects",
    ],
  ])("%s", async (_name, fault, code, message) => {
    await using box = await open();
    box.fake.fail("/api/chat", fault);
    const error = await ask(box.model);
    expect({ code: error.code, message: error.message }).toEqual({
      code: code as never,
      message: expect.stringContaining(message),
    });
  });

  test.each<[string, Fault]>([
    [
      "status 503",
      { status: 503, body: '{"error":"server busy, please try again. maximum pending requests exceeded"}' },
    ],
    ["status 429", { status: 429, body: "" }],
    ["a connection that is cut before an answer", { cut: true }],
  ])("%s is tried again, and told when it stays", async (_name, fault) => {
    await using box = await open();
    box.fake.fail("/api/chat", fault);
    expect((await box.model.doGenerate({ prompt: says("Hello") })).content).toHaveLength(1);
    box.fake.fail("/api/chat", fault, fault);
    expect(["provider", "network"]).toContain((await ask(box.model)).code);
    expect(box.fake.bodies("/api/chat")).toHaveLength(4);
  });

  test("a server that sends nothing is not waited for for ever", async () => {
    await using box = await open({}, "timeout_seconds = 1");
    box.fake.fail("/api/chat", { hang: true });
    const error = await ask(box.model);
    expect(error.code).toBe("timeout");
    expect(error.message).toContain("Ollama sent nothing for 1 s");
    expect(error.hint).toContain("timeout_seconds");
  });

  test.each([
    ["before it says anything", ""],
    ["after its first words", '{"model":"m","message":{"role":"assistant","content":"Hal"},"done":false}\n'],
  ])("a server that sends nothing but empty lines %s is not, either", async (_when, body) => {
    await using box = await open({}, "timeout_seconds = 1");
    box.fake.fail("/api/chat", { type: "application/x-ndjson", body, drip: "\n" });
    const error = await ask(box.model);
    expect([error.code, error.message]).toEqual(["timeout", expect.stringContaining("sent nothing for 1 s")]);
  });

  test("a slow answer is no answer that hangs", async () => {
    await using box = await open(
      { answers: [{ text: ["a", "b", "c", "d"], delayMs: 400 }] },
      "timeout_seconds = 1",
    );
    expect((await box.model.doGenerate({ prompt: says("Hello") })).content).toEqual([
      { type: "text", text: "abcd" },
    ]);
  });

  test("prints nothing, whatever comes", async () => {
    const printed: unknown[] = [];
    const { log, warn, error } = console;
    console.log = console.warn = console.error = (...words: unknown[]) => void printed.push(words);
    try {
      await using box = await open();
      for (const fault of [
        { type: "text/html", body: HTML },
        { status: 500, type: "text/html", body: HTML },
      ]) {
        box.fake.fail("/api/chat", fault);
        await ask(box.model);
      }
    } finally {
      Object.assign(console, { log, warn, error });
    }
    expect(printed).toEqual([]);
  });

  test("sends a key only as a header, and tells it nowhere", async () => {
    await using box = await open({}, 'api_key = "sk-own-secret"');
    box.fake.fail("/api/chat", { status: 401, body: '{"error":"unauthorized"}' });
    const error = await ask(box.model);
    expect(box.fake.requests.at(-1)!.headers.authorization).toBe("Bearer sk-own-secret");
    expect(JSON.stringify([error.message, error.hint, error.data])).not.toContain("sk-own-secret");
  });
});
