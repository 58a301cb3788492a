/** Expected values: spec/lua-api.md section 8 and the defaults of spec/config.md. */
import { describe, expect, test } from "bun:test";
import { ConfigGlobal } from "../../../src/globals/config.ts";
import { caller } from "../../support/globals.ts";
import { failure, modelService, temporaryHome } from "../../support/model-service.ts";

const TOML = `
[providers]
default_provider = "ci"
[providers.ci]
provider_type = "test"
default_model = "scripted"
[providers.cloud]
provider_type = "openai"
api_key = "sk-very-secret-key-0123456789"
[providers.cloud.options]
client_secret = "hush"
[tools.system]
allow_process_execution = true
`;

async function config(toml = TOML) {
  const home = temporaryHome();
  const { services, models } = await modelService(home, toml);
  home[Symbol.dispose]();
  return { call: caller(ConfigGlobal, services), services, models };
}

describe("Config, reading", () => {
  test.each([
    ["tools.system.allow_process_execution", true],
    ["default_engine", "lua"],
    ["providers.ci.default_model", "scripted"],
    ["engines.lua.timeout_ms", 30_000],
    ["no.such.setting", null],
    ["default_engine.deeper", null],
    ["constructor", null],
    ["providers.ci.__proto__", null],
  ])("get(%p) is %p", async (path, value) => {
    expect(await (await config()).call("get", path)).toBe(value as never);
  });

  test("get without a path, get_all and toJson are the whole configuration as a table", async () => {
    const { call } = await config();
    const all = (await call("get")) as Record<string, unknown>;
    expect(Object.keys(all)).toContain("runtime");
    expect(await call("get_all")).toEqual(all);
    expect(await call("toJson")).toEqual(all);
  });

  test("secrets are redacted at every level, whichever way they are read", async () => {
    const { call } = await config();
    expect(await call("get", "providers.cloud.api_key")).toBe("<REDACTED>");
    expect(await call("getProvider", "cloud")).toMatchObject({
      api_key: "<REDACTED>",
      options: { client_secret: "<REDACTED>" },
    });
    for (const read of [await call("get"), await call("getSection", "providers"), await call("toJson")]) {
      expect(JSON.stringify(read)).not.toContain("sk-very-secret");
      expect(JSON.stringify(read)).not.toContain("hush");
    }
  });

  test("providers, security and permissions have the specified forms", async () => {
    const { call } = await config();
    expect(await call("listProviders")).toEqual(["ci", "cloud"]);
    expect(await call("getProvider", "default_provider")).toBeNull();
    expect(await call("getDefaultEngine")).toBe("lua");
    expect(await call("getSecurity")).toEqual({
      allow_file_access: false,
      allow_network_access: true,
      allow_process_spawn: false,
      max_memory_bytes: 50_000_000,
      max_execution_time_ms: 300_000,
    });
    expect([await call("isFileAccessAllowed"), await call("isNetworkAccessAllowed")]).toEqual([false, true]);
    expect(await call("getPermissions")).toEqual({
      read: true,
      modify_providers: true,
      modify_tools: true,
      modify_runtime: true,
      modify_security: false,
      access_secrets: false,
    });
    expect(await call("getSection", "security")).toEqual(await call("getSecurity"));
    expect(await call("getTools")).toEqual(await call("getSection", "tools"));
  });

  test("getSection raises for another name and offers the nearest", async () => {
    const error = await failure(async () => (await config()).call("getSection", "provider"));
    expect(error.code).toBe("invalid_argument");
    expect(error.hint).toContain('"providers"');
  });
});

describe("Config, changing", () => {
  test("setProvider adds a provider that models resolve to, `model` meaning default_model", async () => {
    const { call, models } = await config();
    await call("setProvider", "mine", { provider_type: "test", model: "m1", responses: [{ text: "hi" }] });
    expect(await call("getProvider", "mine")).toMatchObject({
      provider_type: "test",
      default_model: "m1",
      enabled: true,
    });
    expect(await models.resolve("mine/")).toMatchObject({ provider: "mine", modelId: "m1" });
  });

  test.each([
    ["no provider_type and a name that is no type", "mine", { default_model: "x" }],
    ["a reserved name", "default_provider", { provider_type: "test" }],
    ["a name with a slash", "a/b", { provider_type: "test" }],
    ["a wrong value", "mine", { provider_type: "test", max_tokens: "many" }],
    ["a function", "mine", { provider_type: "test", extra: () => 1 }],
  ])("setProvider refuses %s and changes nothing", async (_what, name, settings) => {
    const { call } = await config();
    const before = await call("get");
    await failure(() => call("setProvider", name, settings));
    expect(await call("get")).toEqual(before);
  });

  test("a script cannot widen its own sandbox", async () => {
    const { call } = await config();
    const before = await call("get");
    for (const [fn, arg] of [
      ["addAllowedPath", "/"],
      ["setSecurity", { allow_file_access: true }],
    ] as const) {
      expect((await failure(() => call(fn, arg))).code).toBe("permission_denied");
    }
    expect(await call("get")).toEqual(before);
  });

  test("restoreSnapshot brings back what snapshot saw, and raises for an unknown timestamp", async () => {
    const { call } = await config();
    const before = await call("get");
    const timestamp = await call("snapshot");
    await call("setProvider", "mine", { provider_type: "test" });
    await call("setProvider", "ci", { provider_type: "test", default_model: "changed" });
    await call("restoreSnapshot", timestamp);
    expect(await call("get")).toEqual(before);
    expect((await failure(() => call("restoreSnapshot", 12_345))).code).toBe("not_found");
  });

  test("keeps ten snapshots, each with a timestamp of its own", async () => {
    const { call } = await config();
    const stamps: unknown[] = [];
    for (let i = 0; i < 11; i++) stamps.push(await call("snapshot"));
    expect(new Set(stamps).size).toBe(11);
    expect((await failure(() => call("restoreSnapshot", stamps[0]))).code).toBe("not_found");
    await call("restoreSnapshot", stamps[1]);
  });
});
