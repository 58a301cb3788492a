/** Expected shapes: spec/lua-api.md section 9. */
import { describe, expect, test } from "bun:test";
import { ScriptTable } from "../../../src/core/values.ts";
import { ProviderGlobal } from "../../../src/globals/provider.ts";
import { caller, fieldsOf } from "../../support/globals.ts";
import { modelService, type TestHome, temporaryHome } from "../../support/model-service.ts";

const TOML = `
[providers.ci]
provider_type = "test"
default_model = "scripted"
context_size = 2048
[providers.cloud]
provider_type = "openai"
api_key_env = "NO_SUCH_KEY"
default_model = "gpt-4o-mini"
`;

async function provider(home: TestHome, toml: string) {
  return caller(ProviderGlobal, (await modelService(home, toml)).services);
}

describe("Provider", () => {
  test("lists nothing where nothing is configured, so that scripts skip their model work", async () => {
    using home = temporaryHome();
    expect(await (await provider(home, ""))("list")).toEqual([]);
  });

  test("lists only providers that can be used, with names that split into provider and model", async () => {
    using home = temporaryHome();
    const list = (await (await provider(home, TOML))("list")) as ScriptTable[];
    expect(list.map(fieldsOf)).toEqual([
      {
        name: "test/ci/scripted",
        enabled: true,
        capabilities: {
          supports_streaming: true,
          supports_multimodal: false,
          max_context_tokens: 2048,
          available_models: ["scripted"],
        },
      },
    ]);
    expect(list[0]!.parts.text).toBe("test/ci/scripted");
  });

  test.each(["ci", "test", "test/ci/scripted", "rig/ci/scripted", "local", "cloud"])(
    "get finds %p",
    async (name) => {
      using home = temporaryHome();
      expect(await (await provider(home, TOML))("get", name)).toBeInstanceOf(ScriptTable);
    },
  );

  test("answers nil and false for an unknown provider", async () => {
    using home = temporaryHome();
    const call = await provider(home, TOML);
    expect([
      await call("get", "x"),
      await call("getCapabilities", "x"),
      await call("isAvailable", "x"),
    ]).toEqual([null, null, false]);
  });

  test("isAvailable knows that a key is missing, and asks no network", async () => {
    using home = temporaryHome();
    const call = await provider(home, TOML);
    expect([
      await call("isAvailable", "ci"),
      await call("isAvailable", "local"),
      await call("isAvailable", "cloud"),
    ]).toEqual([true, true, false]);
  });
});
