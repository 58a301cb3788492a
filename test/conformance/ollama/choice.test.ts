/** Which backend runs a local model (spec/agents-workflows-rag.md section 2.1), and when a network is asked at all. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { silentLog } from "../../../src/core/log.ts";
import { ollamaSettings } from "../../../src/models/ollama/settings.ts";
import { failure, modelService, temporaryHome } from "../../support/model-service.ts";
import { FakeOllama } from "../../support/ollama/server.ts";
import { says, withOllama } from "../../support/ollama/service.ts";
import type { Settings } from "../../support/ollama/types.ts";

const SPELL_MINI = join(import.meta.dir, "../../../models/spell-mini/spell-mini.gguf");
const plain = { force: false } as const;

/** Ollama at the address that the environment names, with no table in the configuration. */
async function unconfigured(settings: Settings = {}) {
  const fake = await FakeOllama.start({ models: { "llama3:latest": {} }, ...settings });
  const home = temporaryHome({ OLLAMA_HOST: `127.0.0.1:${fake.port}` });
  const { models } = await modelService(home);
  return {
    fake,
    models,
    async [Symbol.asyncDispose]() {
      await models.dispose();
      await fake[Symbol.asyncDispose]();
      home[Symbol.dispose]();
    },
  };
}

const providerOf = async (models: Awaited<ReturnType<typeof withOllama>>["models"], specifier: string) => {
  const { provider, modelId } = await models.resolve(specifier);
  return `${provider}/${modelId}`;
};

describe("A local model without a backend", () => {
  test("runs on Ollama where it answers and has the model", async () => {
    await using box = await unconfigured();
    expect(await providerOf(box.models, "local/llama3")).toBe("ollama/llama3");
    const model = await box.models.resolve("local/llama3:latest");
    expect((await model.doGenerate({ prompt: says("Hello") })).content).toHaveLength(1);
  });

  test("is looked for in our own store first, which asks nobody", async () => {
    await using box = await unconfigured();
    await box.models.import(SPELL_MINI, { ...plain, name: "mine:x" });
    for (const name of ["spell-mini", "mine:x", "mine"])
      expect(await providerOf(box.models, `local/${name}`)).toStartWith("llamacpp/");
    expect(await providerOf(box.models, "spell-mini@candle")).toBe("llamacpp/spell-mini");
    await box.models.list();
    await box.models.status();
    await box.models.available(undefined);
    expect(box.fake.requests).toEqual([]);
  });

  test("is missing where neither has it, in the words of the store", async () => {
    await using box = await unconfigured();
    const error = await failure(() => box.models.resolve("local/spell-mni"));
    expect(error.code).toBe("not_found");
    expect(error.hint).toContain('"spell-mini"');
    expect(error.hint).toEndWith(`Ollama does not have it either: ${box.fake.url}`);
  });

  test("is missing at once where no Ollama runs", async () => {
    using home = temporaryHome({ OLLAMA_HOST: "127.0.0.1:9" });
    const { models } = await modelService(home);
    const error = await failure(() => models.resolve("local/llama3"));
    expect(error.code).toBe("not_found");
    expect(error.hint).toEndWith("Ollama does not answer: http://127.0.0.1:9");
  });

  test("is looked for on the built-in engine where another server answers at Ollama's address", async () => {
    await using box = await unconfigured();
    box.fake.fail("/api/version", { type: "text/html", body: "<html>" });
    expect((await failure(() => box.models.resolve("local/llama3"))).code).toBe("not_found");
  });
});

describe("default_backend", () => {
  test("ollama takes all names but the embedded model's to Ollama", async () => {
    await using box = await withOllama({}, 'default_backend = "ollama"');
    await box.models.import(SPELL_MINI, { ...plain, name: "llama3:latest" });
    expect(await providerOf(box.models, "local/llama3")).toBe("ollama/llama3");
    expect(await providerOf(box.models, "local/spell-mini")).toBe("llamacpp/spell-mini");
    expect(await providerOf(box.models, "local/llama3@llamacpp")).toBe("llamacpp/llama3:latest");
    expect(box.fake.requests).toEqual([]);
  });

  test.each(["llamacpp", "candle"])("%s asks no server", async (backend) => {
    await using box = await withOllama(
      {},
      `[providers.local]\nprovider_type = "llamacpp"\ndefault_backend = "${backend}"`,
    );
    expect((await failure(() => box.models.resolve("local/llama3"))).code).toBe("not_found");
    expect(box.fake.requests).toEqual([]);
  });

  test("stands in the compound table of the overview as well", async () => {
    await using fake = await FakeOllama.start({ models: { "llama3:latest": {} } });
    using home = temporaryHome();
    const { models } = await modelService(
      home,
      `[providers.local]\ndefault_backend = "ollama"\nollama_host = "${fake.url}"\ndefault_model = "llama3"`,
    );
    expect(await providerOf(models, "local/other")).toBe("ollama/other");
    expect(
      (await (await models.resolve("", { provider: "ollama" })).doGenerate({ prompt: says("Hello") }))
        .content,
    ).toHaveLength(1);
    await models.dispose();
  });
});

describe("A backend that is named", () => {
  test("needs no configuration to run a model", async () => {
    await using box = await unconfigured();
    for (const name of ["local/llama3@ollama", "llama3@ollama", "ollama/llama3"])
      expect(await providerOf(box.models, name)).toBe("ollama/llama3");
    expect(box.fake.requests).toEqual([]);
  });

  test("is not used where the configuration switches it off", async () => {
    await using box = await withOllama({}, "enabled = false");
    expect((await failure(() => box.models.resolve("local/llama3@ollama"))).message).toBe(
      "Provider 'ollama' is disabled",
    );
    expect((await failure(() => box.models.resolve("local/llama3"))).code).toBe("not_found");
    expect((await box.models.list()).map(({ id }) => id)).toEqual(["spell-mini"]);
    expect(box.fake.requests).toEqual([]);
  });

  test("is refused for Ollama's own models", async () => {
    await using box = await withOllama();
    expect((await failure(() => box.models.resolve("ollama/llama3@llamacpp"))).code).toBe("invalid_argument");
    expect(await providerOf(box.models, "ollama/llama3@ollama")).toBe("ollama/llama3");
  });
});

describe("Ollama in a chain of models", () => {
  test("answers for one that cannot be reached, and is answered for", async () => {
    await using box = await withOllama(
      {},
      '[providers.ci]\nprovider_type = "test"\nresponses = [{ text = "from the test" }]',
    );
    const gone = { baseUrl: "http://127.0.0.1:9" };
    const first = await box.models.resolve("ollama/llama3", { ...gone, fallback: ["ci/x"] });
    expect((await first.doGenerate({ prompt: says("?") })).content).toEqual([
      { type: "text", text: "from the test" },
    ]);
    box.fake.fail("/api/chat", { status: 500, body: '{"error":"llama runner process has terminated"}' });
    const second = await box.models.resolve("ollama/llama3", { fallback: ["ci/x"] });
    expect((await second.doGenerate({ prompt: says("?") })).content).toEqual([
      { type: "text", text: "from the test" },
    ]);
    expect((await second.doGenerate({ prompt: says("?") })).content).toEqual([
      { type: "text", text: "Hello" },
    ]);
  });

  test("is asked as often as a script says", async () => {
    await using box = await withOllama();
    const busy = { status: 503, body: "" };
    box.fake.fail("/api/chat", busy, busy, busy);
    const model = await box.models.resolve("ollama/llama3", { maxRetries: 0 });
    expect((await failure(() => model.doGenerate({ prompt: says("?") }))).data).toMatchObject({
      statusCode: 503,
    });
    expect(box.fake.bodies("/api/chat")).toHaveLength(1);
  });
});

describe("The address of Ollama", () => {
  test("is base_url, else options.url, else the environment's", async () => {
    await using fake = await FakeOllama.start();
    for (const [toml, env] of [
      [`base_url = "${fake.url}/"\noptions = { url = "http://127.0.0.1:9" }`, {}],
      [`[providers.ollama.options]\nurl = "${fake.url}"\nnum_gpu = 1`, { OLLAMA_HOST: "127.0.0.1:9" }],
      ["", { OLLAMA_HOST: `127.0.0.1:${fake.port}` }],
      ["", { OLLAMA_BASE_URL: fake.url, OLLAMA_HOST: "127.0.0.1:9" }],
    ] as const) {
      using home = temporaryHome(env);
      const { models } = await modelService(home, `[providers.ollama]\nprovider_type = "ollama"\n${toml}`);
      expect(await models.status("ollama")).toMatchObject([{ running: true }]);
    }
  });

  test("on this machine is not asked for through a proxy", async () => {
    await using box = await withOllama();
    using home = temporaryHome({ HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9" });
    const { models } = await modelService(home, `[providers.ollama]\nbase_url = "${box.fake.url}"`);
    expect(await models.status("ollama")).toMatchObject([{ running: true }]);
  });

  test("that a script gives is under the rules for scripts, and gets no key of the configuration", async () => {
    await using box = await withOllama({}, 'api_key = "sk-own-secret"\nauto_start = true');
    const away = await box.models.resolve("ollama/llama3", { baseUrl: "http://169.254.169.254" });
    expect((await failure(() => away.doGenerate({ prompt: says("?") }))).code).toBe("permission_denied");
    expect(box.fake.requests).toEqual([]);
    using home = temporaryHome();
    const { config } = await modelService(home);
    const around = { config: config.current, env: home.env, log: silentLog };
    const provider = {
      provider_type: "ollama",
      enabled: true,
      base_url: "https://box.example",
      api_key: "sk-own",
      auto_start: true,
    };
    const of = (overrides: object) => ollamaSettings(provider, overrides, around);
    expect(of({})).toMatchObject({ headers: { Authorization: "Bearer sk-own" }, autoStart: true });
    expect(of({ baseUrl: "https://box.example/other" }).headers).toEqual({ Authorization: "Bearer sk-own" });
    expect(of({ baseUrl: "https://evil.example" })).toMatchObject({
      headers: {},
      autoStart: false,
      rules: { ownHosts: [] },
    });
    expect(of({ baseUrl: "https://evil.example", apiKey: "sk-given" }).headers).toEqual({
      Authorization: "Bearer sk-given",
    });
  });

  test("may have a path, and a name and a password that are not told", async () => {
    await using box = await withOllama();
    using home = temporaryHome();
    const base = box.fake.url.replace("//", "//me:secret-word@");
    const { models } = await modelService(home, `[providers.ollama]\nbase_url = "${base}/sub/"`);
    const [status] = await models.status("ollama");
    expect(box.fake.requests[0]).toMatchObject({
      path: "/sub/api/version",
      headers: { authorization: "Basic bWU6c2VjcmV0LXdvcmQ=" },
    });
    expect(status!.reason).not.toContain("secret-word");
  });

  test("that is none, or an option that is none, is told", async () => {
    for (const toml of ['base_url = "ftp://x"', "options = 3", "keep_alive = true", 'keep_alive = "soon"']) {
      using home = temporaryHome();
      const { models } = await modelService(home, `[providers.ollama]\n${toml}`);
      expect((await failure(() => models.resolve("ollama/x"))).code).toBe("config");
    }
  });
});
