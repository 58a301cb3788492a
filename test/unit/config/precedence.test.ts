import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Place } from "./fixture.ts";

const sized = (n: number) => `[events]\nbuffer_size = ${n}\n`;

/** Sources from the weakest to the strongest, each with the buffer size that tells it. */
const CHAIN: readonly (readonly [path: string, size: number])[] = [
  ["home/xdg/llmspell/config.toml", 107],
  ["home/.config/llmspell.toml", 106],
  ["home/.llmspell.toml", 105],
  ["work/.config/llmspell.toml", 104],
  ["work/config/llmspell.toml", 103],
  ["work/.llmspell.toml", 102],
  ["work/llmspell.toml", 101],
  ["home/.llmspell/config.toml", 100],
];

describe("the configuration comes from", () => {
  test("the defaults, where there is no file", async () => {
    using place = new Place();
    const { source, config, explicit } = await place.load();
    expect([source, config.events.buffer_size, explicit.size]).toEqual(["defaults", 10_000, 0]);
  });

  test("the first file in the order of discovery", async () => {
    using place = new Place();
    const env = { XDG_CONFIG_HOME: join(place.home, "xdg") };
    for (const [path, size] of CHAIN) {
      place.write(path, sized(size));
      const { config, source } = await place.load({ env });
      expect([source, config.events.buffer_size]).toEqual([join(place.root, path), size]);
    }
  });

  test("a named file before any found one, a profile before a named file", async () => {
    using place = new Place();
    for (const [path, size] of CHAIN) place.write(path, sized(size));
    const named = place.write("named.toml", sized(7));
    const other = place.write("other.toml", sized(8));
    const size = async (options: Parameters<Place["load"]>[0]) =>
      (await place.load(options)).config.events.buffer_size;
    expect(await size({ env: { LLMSPELL_CONFIG: named } })).toBe(7);
    expect(await size({ configPath: other, env: { LLMSPELL_CONFIG: named } })).toBe(8);
    expect(await size({ profile: "sessions", configPath: other })).toBe(1000);
    expect(await size({ env: { LLMSPELL_PROFILE: "sessions", LLMSPELL_CONFIG: named } })).toBe(1000);
    expect(await size({ configPath: other, env: { LLMSPELL_PROFILE: "sessions" } })).toBe(8);
  });

  test("one source only: files are not merged, the environment is put on top", async () => {
    using place = new Place();
    place.write("home/.llmspell/config.toml", "[kernel]\nport = 1234\n");
    const { config, explicit } = await place.load({
      configPath: place.write("named.toml", sized(7)),
      env: { LLMSPELL_EVENTS_BUFFER_SIZE: "9", LLMSPELL_HOOKS_ENABLED: "1" },
    });
    expect(config.kernel.port).toBe(9555);
    expect(config.events.buffer_size).toBe(9);
    expect(config.hooks.enabled).toBe(true);
    expect(explicit.get("events.buffer_size")).toBe("LLMSPELL_EVENTS_BUFFER_SIZE");
  });

  test("the environment over a profile", async () => {
    using place = new Place();
    const { config } = await place.load({ profile: "sessions", env: { LLMSPELL_EVENTS_BUFFER_SIZE: "9" } });
    expect(config.events.buffer_size).toBe(9);
    expect(config.runtime.sessions.enabled).toBe(true);
  });

  test("a path relative to the working directory", async () => {
    using place = new Place();
    place.write("work/sub/c.toml", sized(7));
    expect((await place.load({ configPath: "sub/c.toml" })).config.events.buffer_size).toBe(7);
  });
});

describe("a file that cannot be used", () => {
  test.each([
    [{ configPath: "missing.toml" }, "--config"],
    [{ env: { LLMSPELL_CONFIG: "missing.toml" } }, "LLMSPELL_CONFIG"],
  ])("is an error with its path and who named it: %j", async (options, namedBy) => {
    using place = new Place();
    await expect(place.load(options as never)).rejects.toMatchObject({
      code: "config",
      message: "Configuration error: file not found: missing.toml",
      hint: expect.stringContaining(namedBy),
    });
  });

  test("is an error when it is a directory and was named, and skipped when it was found", async () => {
    using place = new Place();
    mkdirSync(join(place.cwd, "llmspell.toml"));
    await expect(place.load({ configPath: "llmspell.toml" })).rejects.toThrow("not a regular file");
    expect((await place.load()).source).toBe("defaults");
  });

  test.skipIf(process.getuid?.() === 0)("is an error when it may not be read", async () => {
    using place = new Place();
    chmodSync(place.write("home/.llmspell/config.toml", ""), 0o000);
    await expect(place.load()).rejects.toThrow("Configuration error: cannot read");
  });

  test("is an error when it is larger than 1 MB", async () => {
    using place = new Place();
    place.write("work/llmspell.toml", "#".repeat(1_000_001));
    await expect(place.load()).rejects.toThrow("larger than 1 MB");
  });
});
