import { describe, expect, test } from "bun:test";
import { ENVIRONMENT_CASES } from "./environment-cases.ts";
import { messages, Place, valueAt } from "./fixture.ts";

const withEnv = async (env: Record<string, string>) => {
  using place = new Place();
  return place.load({ env });
};

describe("an environment variable sets its key and says so", () => {
  test.each(ENVIRONMENT_CASES)("%s → %s", async (variable, path, text, expected) => {
    const loaded = await withEnv({ [variable]: text });
    expect(valueAt(loaded, path)).toEqual(expected);
    expect(loaded.explicit.get(path)).toBe(variable);
  });
});

describe("environment values", () => {
  test.each([
    ["true", true],
    ["1", true],
    ["YES", true],
    ["on", true],
    ["false", false],
    ["0", false],
    ["no", false],
    ["Off", false],
  ])("the boolean %s is understood", async (text, expected) => {
    const loaded = await withEnv({ LLMSPELL_ALLOW_FILE_ACCESS: text });
    expect(loaded.config.runtime.security.allow_file_access).toBe(expected);
  });

  test.each([
    ["LLMSPELL_ALLOW_FILE_ACCESS", "maybe"],
    ["LLMSPELL_MAX_CONCURRENT_SCRIPTS", "ten"],
    ["LLMSPELL_MAX_CONCURRENT_SCRIPTS", "1.5"],
    ["LLMSPELL_DEFAULT_ENGINE", "python"],
    ["LLMSPELL_STATE_BACKEND", "oracle"],
    ["LLMSPELL_EVENTS_EXPORT_WEBHOOK", "ftp://x"],
    ["LLMSPELL_TOOLS_EMAIL_SMTP_PORT", "70000"],
    ["LLMSPELL_DEBUG_OUTPUT", "printer"],
  ])("%s=%s is refused by name", async (variable, text) => {
    await expect(withEnv({ [variable]: text })).rejects.toThrow(`Environment variable ${variable}: `);
  });

  test("a zero from the environment fails the rule of its key", async () => {
    await expect(withEnv({ LLMSPELL_MAX_CONCURRENT_SCRIPTS: "0" })).rejects.toThrow(
      "Configuration validation failed in field 'runtime.max_concurrent_scripts': Environment variable LLMSPELL_MAX_CONCURRENT_SCRIPTS: must be greater than 0: 0",
    );
  });

  test("an empty variable counts as not set", async () => {
    const loaded = await withEnv({ LLMSPELL_ALLOW_FILE_ACCESS: "", LLMSPELL_TOOLS_ALLOWED_PATHS: "" });
    expect(loaded.explicit.size).toBe(0);
  });

  test("a wrong value of a variable that is not ours is a warning", async () => {
    const loaded = await withEnv({ EMAIL_SMTP_PORT: "smtp" });
    expect(loaded.config.tools.email.smtp_port).toBe(587);
    expect(messages(loaded)[0]).toStartWith("Environment variable EMAIL_SMTP_PORT: expected an integer");
  });

  test("an unknown variable of ours is a warning with the nearest name", async () => {
    const loaded = await withEnv({ LLMSPELL_ALOW_FILE_ACCESS: "1" });
    expect(messages(loaded)).toEqual([
      expect.stringContaining(
        'LLMSPELL_ALOW_FILE_ACCESS is unknown and ignored. Did you mean "LLMSPELL_ALLOW_FILE_ACCESS"',
      ),
    ]);
  });

  test("our own name of a setting wins over another program's", async () => {
    const loaded = await withEnv({ EMAIL_SMTP_HOST: "theirs", LLMSPELL_TOOLS_EMAIL_SMTP_HOST: "ours" });
    expect(loaded.config.tools.email.smtp_host).toBe("ours");
  });

  test("LLMSPELL_DEBUG_OUTPUT and LLMSPELL_DEBUG_MODULES are taken apart", async () => {
    const { config } = await withEnv({
      LLMSPELL_DEBUG_OUTPUT: "colored,file:/tmp/debug.log",
      LLMSPELL_DEBUG_MODULES: "+agent,tool,-model",
    });
    expect(config.debug.output).toMatchObject({
      stdout: false,
      colored: true,
      file: { path: "/tmp/debug.log" },
    });
    expect(config.debug.module_filters).toMatchObject({ enabled: ["agent", "tool"], disabled: ["model"] });
  });
});

describe("environment variables of providers", () => {
  test.each([
    ["LLMSPELL_PROVIDER_OPENAI_BASE_URL", "providers.openai.base_url", "http://x", "http://x"],
    ["LLMSPELL_PROVIDER_ANTHROPIC_BASE_URL", "providers.anthropic.base_url", "http://x", "http://x"],
    ["LLMSPELL_PROVIDER_OPENAI_MODEL", "providers.openai.default_model", "m", "m"],
    ["LLMSPELL_PROVIDER_ANTHROPIC_MODEL", "providers.anthropic.default_model", "m", "m"],
    ["LLMSPELL_PROVIDER_OPENAI_TIMEOUT", "providers.openai.timeout_seconds", "12", 12],
    ["LLMSPELL_PROVIDER_ANTHROPIC_TIMEOUT", "providers.anthropic.timeout_seconds", "12", 12],
    ["LLMSPELL_PROVIDER_OPENAI_MAX_RETRIES", "providers.openai.max_retries", "5", 5],
    ["LLMSPELL_PROVIDER_ANTHROPIC_MAX_RETRIES", "providers.anthropic.max_retries", "5", 5],
    ["LLMSPELL_GROQ_ENDPOINT", "providers.groq.base_url", "http://x", "http://x"],
    ["LLMSPELL_GROQ_MODEL", "providers.groq.default_model", "m", "m"],
  ])("%s → %s", async (variable, path, text, expected) => {
    expect(valueAt(await withEnv({ [variable]: text }), path)).toBe(expected);
  });

  test.each([
    ["OPENAI_API_KEY", "openai"],
    ["LLMSPELL_PROVIDER_OPENAI_API_KEY", "openai"],
    ["ANTHROPIC_API_KEY", "anthropic"],
    ["LLMSPELL_PROVIDER_ANTHROPIC_API_KEY", "anthropic"],
    ["COHERE_API_KEY", "cohere"],
    ["GROQ_API_KEY", "groq"],
    ["PERPLEXITY_API_KEY", "perplexity"],
    ["TOGETHER_API_KEY", "together"],
    ["GEMINI_API_KEY", "gemini"],
    ["MISTRAL_API_KEY", "mistral"],
    ["REPLICATE_API_TOKEN", "replicate"],
    ["FIREWORKS_API_KEY", "fireworks"],
    ["LLMSPELL_MISTRAL_API_KEY", "mistral"],
  ])("%s alone makes the provider %s, with a model", async (variable, provider) => {
    const loaded = await withEnv({ [variable]: "0123456789" });
    expect(valueAt(loaded, `providers.${provider}`)).toMatchObject({
      provider_type: provider,
      api_key: "0123456789",
      default_model: expect.any(String),
      enabled: true,
    });
    expect(messages(loaded)).toEqual([]);
  });

  test("a provider type makes a provider of any name", async () => {
    const loaded = await withEnv({
      LLMSPELL_WORK_PROVIDER_TYPE: "openai",
      LLMSPELL_WORK_API_KEY: "k",
      LLMSPELL_WORK_MODEL: "m",
    });
    expect(valueAt(loaded, "providers.work")).toMatchObject({
      provider_type: "openai",
      api_key: "k",
      default_model: "m",
    });
  });

  test("a key without a provider of that name is reported", async () => {
    const loaded = await withEnv({ LLMSPELL_NOBODY_API_KEY: "secret-value" });
    expect(loaded.config.providers).toEqual({});
    expect(messages(loaded)[0]).toContain("LLMSPELL_NOBODY_API_KEY");
    expect(messages(loaded)[0]).not.toContain("secret-value");
  });

  test("keys are looked for in order: api_key, api_key_env, our variable, the conventional one", async () => {
    using place = new Place();
    const all = { OPENAI_API_KEY: "conventional", LLMSPELL_PROVIDER_OPENAI_API_KEY: "ours", MINE: "named" };
    const key = async (table: string, env: Record<string, string>) => {
      const { config } = await place.toml(`[providers.openai]\nprovider_type = "openai"\n${table}`, env);
      const { api_key, api_key_env } = config.providers.openai as { api_key?: string; api_key_env?: string };
      return api_key ?? (api_key_env === undefined ? undefined : env[api_key_env]);
    };
    expect(await key('api_key = "file"\napi_key_env = "MINE"', all)).toBe("file");
    expect(await key('api_key_env = "MINE"', all)).toBe("named");
    expect(await key('api_key_env = "UNSET"', all)).toBe("ours");
    expect(await key("", { OPENAI_API_KEY: "conventional" })).toBe("conventional");
  });

  test("a provider with another name takes the conventional key of its type", async () => {
    using place = new Place();
    const { config } = await place.toml('[providers.work]\nprovider_type = "groq"', { GROQ_API_KEY: "k" });
    expect(config.providers.work).toMatchObject({ api_key: "k" });
  });

  test.each([
    ["OLLAMA_HOST", "0.0.0.0", "http://127.0.0.1:11434"],
    ["OLLAMA_HOST", "box:8080", "http://box:8080"],
    ["OLLAMA_BASE_URL", "https://box.example", "https://box.example"],
  ])("%s=%s is the address of Ollama", async (variable, text, expected) => {
    using place = new Place();
    const { config } = await place.load({ profile: "ollama", env: { [variable]: text } });
    expect(config.providers.ollama).toMatchObject({ base_url: expected });
  });
});
