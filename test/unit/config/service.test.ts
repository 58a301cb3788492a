import { describe, expect, test } from "bun:test";
import { maskSecret, redact } from "../../../src/config/redact.ts";
import { createConfigService } from "../../../src/config/service.ts";
import { Place } from "./fixture.ts";

const service = async (toml: string) => {
  using place = new Place();
  return createConfigService(await place.toml(toml));
};

describe("ConfigService", () => {
  test("knows which keys and tables were set", async () => {
    const config = await service("[runtime.security]\nallow_file_access = false\n");
    expect(config.isExplicit("runtime.security.allow_file_access")).toBe(true);
    expect(config.isExplicit("runtime.security")).toBe(true);
    expect(config.isExplicit("runtime.security.allow_network_access")).toBe(false);
    expect(config.isExplicit("runtime.sec")).toBe(false);
  });

  test("takes a change whole: checked, completed, and marked as set", async () => {
    const config = await service("");
    const before = config.current;
    config.update((draft) => {
      draft.providers.mine = { provider_type: "candle", enabled: true, default_model: "m", flavour: "x" };
      draft.providers.default_provider = "mine";
    });
    expect(config.current.providers.mine).toMatchObject({
      provider_type: "llamacpp",
      name: "mine",
      flavour: "x",
    });
    expect(config.isExplicit("providers.mine.default_model")).toBe(true);
    expect(config.isExplicit("events.buffer_size")).toBe(false);
    expect(before.providers.mine).toBeUndefined();
  });

  test("refuses a change that breaks a rule and stays as it was", async () => {
    const config = await service("");
    const before = config.current;
    const change = (edit: (draft: typeof before) => void) => () => config.update(edit);
    expect(
      change((draft) => {
        draft.providers.default_provider = "nobody";
      }),
    ).toThrow(
      "Configuration validation failed in field 'providers.default_provider': names no provider: \"nobody\"",
    );
    expect(
      change((draft) => {
        draft.tools.file_operations.max_depth = 0;
      }),
    ).toThrow("'tools.file_operations.max_depth': must be greater than 0: 0");
    expect(
      change((draft) => {
        (draft.runtime as Record<string, unknown>).speed = 1;
      }),
    ).toThrow("'runtime.speed': is no configuration key");
    expect(config.current).toBe(before);
  });
});

describe("redact", () => {
  test("hides secrets at every level, by schema and by name, and passwords in URLs", async () => {
    const { current } = await service(`
[providers.p]
provider_type = "openai"
api_key = "k1"
max_tokens = 5
extra = { client_secret = "k2", deep = [{ password = "k3" }], token = "k4" }
base_url = "https://user:k5@host/v1"
[tools.email]
smtp_password = "k6"
[tools.database]
postgresql_url = "postgres://u:k7@h/db"
[tools.weather]
api_key = "k8"
[kernel]
hmac_key = "k9"
`);
    const shown = redact(current) as typeof current;
    expect(JSON.stringify(shown)).not.toMatch(/k[1-9]/);
    expect(shown.providers.p).toMatchObject({
      api_key: "<REDACTED>",
      max_tokens: 5,
      base_url: "https://user:<REDACTED>@host/v1",
    });
    expect(JSON.stringify(current)).toContain("k9");
  });

  test("leaves names of variables and absent values", () => {
    expect(
      redact({ api_key_env: "OPENAI_API_KEY", api_key: undefined, max_tokens: 3 }, ["providers", "p"]),
    ).toEqual({
      api_key_env: "OPENAI_API_KEY",
      api_key: undefined,
      max_tokens: 3,
    });
  });

  test.each([
    ["sk-abcdefghijkl1234", "sk-…1234"],
    ["0123456789abcdef", "…cdef"],
    ["short", "…"],
  ])("masks %s for people as %s", (secret, shown) => {
    expect(maskSecret(secret)).toBe(shown);
  });
});
