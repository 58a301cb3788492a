/** Expected texts and orders: spec/agents-workflows-rag.md section 2, spec/config.md section 2.2. */
import { describe, expect, test } from "bun:test";
import { failure, modelService, temporaryHome } from "../../support/model-service.ts";

const SCRIPTED = `
[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
text = "ok"
`;

describe("ModelService.resolve", () => {
  test("finds the built-in local model without any configuration", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home);
    for (const specifier of [
      "local/spell-mini",
      "spell-mini",
      "local/spell-mini@candle",
      "spell-mini@llamacpp",
    ]) {
      expect(await models.resolve(specifier)).toMatchObject({
        modelId: "spell-mini",
        specificationVersion: "v4",
      });
    }
  });

  test("never gives a local model more context than it was trained for", async () => {
    using home = temporaryHome();
    const { models } = await modelService(
      home,
      '[providers.llamacpp]\nprovider_type = "llamacpp"\ncontext_size = 8192',
    );
    expect((await models.resolve("local/spell-mini")).contextTokens).toBe(1024);
  });

  test("takes the default provider and its default model where none is named", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home, `[providers]\ndefault_provider = "ci"\n${SCRIPTED}`);
    expect(await models.resolve("other")).toMatchObject({ provider: "ci", modelId: "other" });
    expect(await models.resolve("ci/")).toMatchObject({ modelId: "scripted" });
    expect(await models.resolve("", { provider: "ci" })).toMatchObject({ modelId: "scripted" });
  });

  test("finds a provider by its type when no key has that name", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home, SCRIPTED);
    expect(await models.resolve("test/x")).toMatchObject({ provider: "ci", modelId: "x" });
  });

  test.each([
    ["an empty specifier", "", "invalid_argument", "Model specification cannot be empty"],
    ["a provider without a model", "bare/", "config", "Model not specified for provider 'bare'"],
    ["a disabled provider", "off/x", "config", "Provider 'off' is disabled"],
    ["an unknown provider", "olma/x", "not_found", 'Unknown provider: "olma"'],
    ["an unknown model", "local/spel-mini", "not_found", "Model 'spel-mini' not found in any backend"],
    [
      "a provider whose key is missing",
      "cloud/gpt-4o",
      "config",
      "Provider 'cloud' is not configured: environment variable MY_KEY is not set",
    ],
    [
      "a well-known provider that is not configured",
      "openai/gpt-4o",
      "config",
      "Provider 'openai' is not configured: environment variable OPENAI_API_KEY is not set",
    ],
  ] as const)("refuses %s", async (_what, specifier, code, message) => {
    using home = temporaryHome();
    const { models } = await modelService(
      home,
      `${SCRIPTED}
[providers.bare]
provider_type = "test"
[providers.off]
provider_type = "test"
default_model = "x"
enabled = false
[providers.cloud]
provider_type = "anthropic"
api_key_env = "MY_KEY"
default_model = "claude"`,
    );
    const error = await failure(() => models.resolve(specifier));
    expect({ code: error.code, message: error.message }).toEqual({ code, message });
    expect(error.hint).toBeString();
  });

  test("offers near names of providers and models", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home, SCRIPTED);
    expect((await failure(() => models.resolve("locl/spell-mini"))).hint).toContain('"local"');
    expect((await failure(() => models.resolve("local/spell-mni"))).hint).toContain('"spell-mini"');
  });

  test("says honestly that this build cannot talk to a provider that has its key", async () => {
    using home = temporaryHome({ REPLICATE_API_TOKEN: "r8-secret-value-0123456789" });
    const { models } = await modelService(home);
    const error = await failure(() => models.resolve("replicate/meta/meta-llama-3-8b-instruct"));
    expect(error.code).toBe("config");
    expect(error.hint).toContain("openai, anthropic");
    expect(JSON.stringify([error.message, error.hint, error.data])).not.toContain("r8-secret");
  });

  test("takes any OpenAI-compatible service, which needs an address and no key", async () => {
    using home = temporaryHome();
    const { models } = await modelService(
      home,
      `[providers.box]
provider_type = "openai-compatible"
base_url = "http://localhost:8080/v1"
default_model = "m"
[providers.lost]
provider_type = "custom"
default_model = "m"`,
    );
    expect(await models.resolve("box/")).toMatchObject({ provider: "box", modelId: "m" });
    expect(models.providerProblem("box")).toBeUndefined();
    const error = await failure(() => models.resolve("lost/"));
    expect([error.message, error.hint]).toEqual([
      "Provider 'lost' is not configured: it has no base_url",
      'Set base_url in [providers.lost], for example "http://localhost:8080/v1"',
    ]);
    expect(await models.resolve("lost/", { baseUrl: "http://localhost:1/v1" })).toMatchObject({
      modelId: "m",
    });
  });

  test("refuses a backend of a provider that has none", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home, SCRIPTED);
    expect((await failure(() => models.resolve("ci/x@ollama"))).code).toBe("invalid_argument");
  });

  test("names a default provider that does not exist", async () => {
    using home = temporaryHome();
    const { models, config } = await modelService(home, SCRIPTED);
    // The loader refuses such a file; a provider can also go away while the program runs.
    Object.assign(config.current.providers, { default_provider: "gone" });
    const error = await failure(() => models.resolve("x"));
    expect(error.message).toBe("Default provider 'gone' not found in configuration");
  });
});

describe("ModelService.providers", () => {
  const TOML = `
[providers]
default_provider = "zed"
[providers.zed]
provider_type = "test"
default_model = "z"
[providers.alpha]
provider_type = "openai"
api_key_env = "ALPHA_KEY"
default_model = "gpt-4o-mini"
[providers.off]
provider_type = "test"
enabled = false
`;

  test("lists the enabled ones, the default first, then by name", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home, TOML);
    expect(models.providers().map(({ key }) => key)).toEqual(["zed", "alpha"]);
  });

  test("gives names of three parts, of which the second and third make a specifier", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home, TOML);
    const name = models.provider("alpha")!.name;
    const [, provider, model] = name.split("/");
    expect([provider, model]).toEqual(["alpha", "gpt-4o-mini"]);
    expect(models.provider(name)?.key).toBe("alpha");
    expect(models.provider("rig/alpha/gpt-4o-mini")?.key).toBe("alpha");
    expect(models.provider("openai")?.key).toBe("alpha");
    expect(models.provider("nobody")).toBeUndefined();
  });

  test.each([
    ["api_key", { ALPHA_KEY: "b", OPENAI_API_KEY: "d" }, 'api_key = "a"', "config"],
    [
      "api_key_env",
      { ALPHA_KEY: "b", LLMSPELL_PROVIDER_ALPHA_API_KEY: "c", OPENAI_API_KEY: "d" },
      "",
      "ALPHA_KEY",
    ],
    [
      "LLMSPELL_PROVIDER_<NAME>_API_KEY",
      { LLMSPELL_PROVIDER_ALPHA_API_KEY: "c", OPENAI_API_KEY: "d" },
      "",
      "LLMSPELL_PROVIDER_ALPHA_API_KEY",
    ],
    ["the vendor's variable", { OPENAI_API_KEY: "d" }, "", "OPENAI_API_KEY"],
  ] as const)("takes a key from %s before the later places", async (_what, env, line, source) => {
    using home = temporaryHome(env);
    const { models } = await modelService(
      home,
      `[providers.alpha]\nprovider_type = "openai"\napi_key_env = "ALPHA_KEY"\n${line}`,
    );
    expect(models.provider("alpha")?.keySource).toBe(source);
  });
});
