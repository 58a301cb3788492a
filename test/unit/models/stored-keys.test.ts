/** The order in which a provider's key is looked for: spec/config.md section 2.2. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../../src/config/load.ts";
import { providerOf } from "../../../src/config/schema.ts";
import { createConfigService } from "../../../src/config/service.ts";
import { silentLog } from "../../../src/core/log.ts";
import type { ConfigService } from "../../../src/kernel/services.ts";
import { findApiKey, KEY_STORE } from "../../../src/models/api-key.ts";
import { openKeyStore } from "../../../src/security/keys/store.ts";
import { modelService, type TestHome, temporaryHome } from "../../support/model-service.ts";

const storeIn = (home: TestHome) => openKeyStore({ dataDirectory: home.data, env: home.env, log: silentLog });

async function config(home: TestHome, toml: string): Promise<ConfigService> {
  const configPath = join(home.directory, "c.toml");
  writeFileSync(configPath, toml);
  return createConfigService(
    await loadConfig({ configPath, env: home.env, cwd: home.directory, home: home.directory }),
  );
}

/** Every place holds a key that names it; from the first on, they are taken away one by one. */
describe("a provider's key comes from", () => {
  const own = 'api_key = "from-config"\n';
  const named = 'api_key_env = "MY_KEY"\n';
  const environment = {
    MY_KEY: "from-my-key",
    LLMSPELL_PROVIDER_WORK_API_KEY: "from-provider-variable",
    OPENAI_API_KEY: "from-vendor-variable",
  };
  const without = (...names: string[]) =>
    Object.fromEntries(Object.entries(environment).filter(([name]) => !names.includes(name)));

  test.each([
    ["the configuration", own + named, environment, ["work"], "config", "from-config"],
    ["the variable that api_key_env names", named, environment, ["work"], "MY_KEY", "from-my-key"],
    ["the store, by the provider's name", named, without("MY_KEY"), ["work", "openai"], KEY_STORE, "work"],
    ["the store, by its type", "", without("MY_KEY"), ["openai"], KEY_STORE, "openai"],
    [
      "a conventional variable",
      "",
      without("MY_KEY"),
      [],
      "LLMSPELL_PROVIDER_WORK_API_KEY",
      "from-provider-variable",
    ],
    [
      "the vendor's variable",
      "",
      without("MY_KEY", "LLMSPELL_PROVIDER_WORK_API_KEY"),
      [],
      "OPENAI_API_KEY",
      "from-vendor-variable",
    ],
  ] as const)("%s", async (_what, settings, env, stored, source, key) => {
    using home = temporaryHome({ ...env });
    const store = storeIn(home);
    for (const name of stored) await store.add(name, `stored-under-${name}`);
    const { current } = await config(
      home,
      `[providers.work]\nprovider_type = "openai"\ndefault_model = "m"\n${settings}`,
    );
    const found = findApiKey("work", providerOf(current, "work")!, "openai", { env: home.env, store });
    expect(found?.source).toBe(source);
    expect(await found?.reveal()).toBe(source === KEY_STORE ? `stored-under-${key}` : key);
  });
});

describe("a stored key", () => {
  test("makes a provider of its vendor, with the vendor's default model", async () => {
    using home = temporaryHome();
    await storeIn(home).add("openai", "sk-stored");
    const { models } = await modelService(home);
    expect(models.providers()).toMatchObject([
      { key: "openai", providerType: "openai", defaultModel: "gpt-3.5-turbo", keySource: KEY_STORE },
    ]);
    expect(models.providerProblem("openai")).toBeUndefined();
  });

  test("does not stand beside a configured provider of the same type", async () => {
    using home = temporaryHome();
    await storeIn(home).add("openai", "sk-stored");
    const { models } = await modelService(
      home,
      '[providers.work]\nprovider_type = "openai"\ndefault_model = "m"',
    );
    expect(models.providers().map(({ key, keySource }) => [key, keySource])).toEqual([["work", KEY_STORE]]);
  });

  test("that nobody can use, for it is no provider's, changes nothing", async () => {
    using home = temporaryHome();
    await storeIn(home).add("somebody-else", "sk-stored");
    const { models } = await modelService(home);
    expect(models.providers()).toEqual([]);
  });
});
