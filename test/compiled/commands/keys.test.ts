/** `llmspell keys`: spec/cli.md section 13. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { Terminal } from "../../support/terminal.ts";

const KEY = "sk-0123456789abcdefghij-end1";

const dataOf = (box: Sandbox) => join(box.home, ".llmspell");

async function json(box: Sandbox, ...args: string[]) {
  const done = await box.run(["keys", ...args, "--output", "json"]);
  expect([done.code, done.stderr]).toEqual([0, ""]);
  return JSON.parse(done.stdout);
}

describe("llmspell keys", () => {
  test("stores, lists masked and removes a key", async () => {
    using box = new Sandbox();
    expect((await box.run(["keys", "add", "openai", KEY])).stdout).toBe("✓ Added API key for openai\n");
    expect(statSync(join(dataOf(box), "keys")).mode & 0o777).toBe(0o600);
    const listed = await json(box, "list");
    expect(listed).toMatchObject({
      status: "success",
      action: "list",
      keys: [{ provider: "openai", masked: "sk-…end1", expires_at: null, usage_count: 0, source: "file" }],
    });
    expect(JSON.stringify(listed)).not.toContain(KEY);
    expect((await box.run(["keys", "list"])).stdout).toBe("openai  sk-…end1\n");
    expect((await box.run(["keys", "add", "openai", KEY])).stdout).toBe("✓ Replaced API key for openai\n");
    expect((await box.run(["keys", "remove", "openai"])).stdout).toBe("✓ Removed API key for openai\n");
    expect(await json(box, "list")).toMatchObject({ keys: [] });
  });

  test("says what it did as JSON", async () => {
    using box = new Sandbox();
    expect(await json(box, "add", "groq", KEY, "--expires-in", "30")).toMatchObject({
      status: "success",
      action: "add",
      provider: "groq",
      message: "Added API key for groq",
    });
    expect(await json(box, "rotate", "groq", `${KEY}x`)).toMatchObject({
      action: "rotate",
      provider: "groq",
    });
    expect(await json(box, "audit")).toMatchObject({
      entries: [
        { action: "rotate", provider: "groq" },
        { action: "add", provider: "groq" },
      ],
      count: 2,
    });
    expect(await json(box, "remove", "groq")).toMatchObject({ action: "remove", provider: "groq" });
  });

  test("reads the key from standard input, so that it stands in no command line", async () => {
    using box = new Sandbox();
    await box.run(["keys", "add", "openai", "-"], { stdin: `${KEY}\n` });
    expect(await json(box, "list")).toMatchObject({ keys: [{ masked: "sk-…end1" }] });
  });

  test("asks on a terminal without showing the key", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["keys", "add", "openai"]);
    await terminal.answer("API key for openai: ", `${KEY}\r`);
    expect(await terminal.exited()).toBe(0);
    expect(terminal.screen).not.toContain(KEY);
    expect(await json(box, "list")).toMatchObject({ keys: [{ masked: "sk-…end1" }] });
  });

  test("takes the keys of the environment", async () => {
    using box = new Sandbox();
    const env = { LLMSPELL_API_KEY_OPENAI: KEY, LLMSPELL_API_KEY_XAI: `${KEY}x` };
    const done = await box.run(["keys", "load-env"], { env });
    expect(done).toMatchObject({
      code: 0,
      stderr: "",
      stdout: "✓ Added API key for openai\n✓ Added API key for xai\n",
    });
    expect((await box.run(["keys", "load-env"])).code).toBe(1);
  });

  test.each([
    [["remove", "openai"], 1, 'No stored key for provider: "openai"'],
    [["add", "openai"], 2, 'Missing argument "key"'],
    [["add", "openai", "two words"], 1, "must not contain spaces"],
    [["add", "..", KEY], 1, "the provider's name must be letters"],
    [["add", "openai", KEY, "--expires-in", "soon"], 2, "--expires-in"],
    [["add", "openai", "-"], 1, "it is empty"],
  ] as const)("refuses %j and keeps the key out of its message", async (args, code, text) => {
    using box = new Sandbox();
    const done = await box.run(["keys", ...args]);
    expect([done.code, done.stdout]).toEqual([code, ""]);
    expect(done.stderr).toContain(text);
    for (const secret of [KEY, "two words"]) expect(done.stderr).not.toContain(secret);
  });

  test("loses no key of many processes that add at the same time", async () => {
    using box = new Sandbox();
    const names = Array.from({ length: 12 }, (_, i) => `provider-${i}`);
    const done = await Promise.all(names.map((name) => box.run(["keys", "add", name, `${KEY}-${name}`])));
    expect(done.map(({ code, stderr }) => [code, stderr])).toEqual(names.map(() => [0, ""]));
    const { keys } = (await json(box, "list")) as { keys: { provider: string; masked: string }[] };
    expect(keys.map(({ provider }) => provider).sort()).toEqual(names.toSorted());
    expect(keys.filter(({ masked }) => masked === "…")).toEqual([]);
  });

  test("a process that is killed while it adds leaves the keys that were there", async () => {
    using box = new Sandbox();
    await box.run(["keys", "add", "first", KEY]);
    const random = Math.random;
    for (let round = 0; round < 8; round++) {
      const adding = box.start(["keys", "add", `later-${round}`, KEY]);
      await Bun.sleep(random() * 60);
      adding.kill("SIGKILL");
      await adding.exited;
      const { keys } = (await json(box, "list")) as { keys: { provider: string; masked: string }[] };
      expect(keys[0]).toMatchObject({ provider: "first", masked: "sk-…end1" });
    }
    const left = readdirSync(dataOf(box)).filter((name) => !["keys", "keys.key", "keys.lock"].includes(name));
    expect(left.filter((name) => !name.endsWith(".tmp"))).toEqual([]);
  });

  test("a damaged store is told of and left alone", async () => {
    using box = new Sandbox();
    await box.run(["keys", "add", "openai", KEY]);
    const path = join(dataOf(box), "keys");
    const half = readFileSync(path, "utf8").slice(0, 100);
    await Bun.write(path, half);
    const done = await box.run(["keys", "add", "groq", KEY]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain("it is damaged");
    expect(readFileSync(path, "utf8")).toBe(half);
    // Scripts and local models do without keys.
    expect(await box.run(["exec", "print(1)"])).toMatchObject({ code: 0, stdout: "1\n" });
    expect((await box.run(["providers", "info", "local"])).code).toBe(0);
  });

  test("`providers list` shows where the key of a provider comes from, never the key", async () => {
    using box = new Sandbox();
    await box.run(["keys", "add", "openai", KEY]);
    const done = await box.run(["providers", "list", "--output", "json"]);
    expect(JSON.parse(done.stdout).providers).toContainEqual(
      expect.objectContaining({ name: "openai", provider_type: "openai", key_source: "key store" }),
    );
    expect(done.stdout + done.stderr).not.toContain(KEY);
    expect((await box.run(["exec", "--trace", "debug", "print(1)"])).stderr).not.toContain(KEY);
  });

  test("a script that runs makes no key store", async () => {
    using box = new Sandbox();
    await box.run(["exec", "print(1)"]);
    expect(readdirSync(box.home)).toEqual([]);
  });
});
