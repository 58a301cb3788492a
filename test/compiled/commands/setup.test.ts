import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { Terminal } from "../../support/terminal.ts";

const OPENAI_KEY = "sk-0123456789abcdefghij-end";
const ANTHROPIC_KEY = "sk-ant-0123456789abcdefghijklmnop-end";
const CHOOSE = "Choose 1-6 [1]: ";

const configOf = (box: Sandbox) => join(box.home, ".llmspell", "config.toml");

describe("llmspell setup on a terminal", () => {
  test("asks for keys without showing them and writes a file that only its owner reads", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["setup"]);
    await terminal.answer(CHOOSE, "5\r");
    await terminal.answer("OpenAI API key: ", "too-short\r");
    await terminal.answer("OpenAI API key: ", `${OPENAI_KEY}x\u007f\r`);
    await terminal.answer("Anthropic API key: ", `${ANTHROPIC_KEY}\r`);
    expect(await terminal.exited()).toBe(0);
    for (const hidden of [OPENAI_KEY, ANTHROPIC_KEY, "too-short"])
      expect(terminal.screen).not.toContain(hidden);
    expect(terminal.screen).toContain("starts with sk- and is longer than 20 characters");
    expect(terminal.screen).toContain("llmspell providers test openai");

    expect(statSync(configOf(box)).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(box.home, ".llmspell"))).toEqual(["config.toml"]);
    expect(Bun.TOML.parse(readFileSync(configOf(box), "utf8"))).toEqual({
      providers: {
        default_provider: "openai",
        openai: { provider_type: "openai", api_key: OPENAI_KEY, default_model: "gpt-3.5-turbo" },
        anthropic: {
          provider_type: "anthropic",
          api_key: ANTHROPIC_KEY,
          default_model: "claude-3-5-haiku-latest",
        },
      },
    });
    const shown = await box.run(["config", "show", "providers"]);
    expect(shown.stdout).toContain("…-end");
    expect(shown.stdout).not.toContain(OPENAI_KEY);
  });

  test("with the first choice, the built-in model answers from then on", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["setup"]);
    await terminal.answer(CHOOSE, "\r");
    await terminal.answer("Default model [spell-mini]: ", "\r");
    expect(await terminal.exited()).toBe(0);
    const tested = await box.run(["providers", "test", "llamacpp"]);
    expect([tested.code, tested.stderr]).toEqual([0, ""]);
  });

  test("keeps an existing file unless --force is given", async () => {
    using box = new Sandbox();
    const first = new Terminal(box, ["setup"]);
    await first.answer(CHOOSE, "1\r");
    await first.answer("[spell-mini]: ", "\r");
    await first.exited();
    const before = readFileSync(configOf(box), "utf8");

    const second = new Terminal(box, ["setup"]);
    expect(await second.exited()).toBe(1);
    expect(second.screen).toContain("Use --force to overwrite");
    expect(readFileSync(configOf(box), "utf8")).toBe(before);

    const third = new Terminal(box, ["setup", "--force"]);
    await third.answer(CHOOSE, "2\r");
    await third.answer("[llama3.1:8b]: ", "mistral\r");
    expect(await third.exited()).toBe(0);
    expect(Bun.TOML.parse(readFileSync(configOf(box), "utf8"))).toMatchObject({
      providers: { default_provider: "ollama", ollama: { default_model: "mistral" } },
    });
    expect(statSync(configOf(box)).mode & 0o777).toBe(0o600);
  });

  test.each([
    ["Skip", "6\r", 0, "Cancelled"],
    ["Ctrl-D", "\u0004", 0, "Cancelled"],
    ["Ctrl-C", "\u0003", 130, "Interrupted"],
  ])("%s at the first question writes nothing", async (_, keys, code, text) => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["setup"]);
    await terminal.answer(CHOOSE, keys);
    expect(await terminal.exited()).toBe(code);
    expect(terminal.screen).toContain(text);
    expect(readdirSync(box.home)).toEqual([]);
  });

  test("Ctrl-C at a hidden question writes nothing", async () => {
    using box = new Sandbox();
    const terminal = new Terminal(box, ["setup"]);
    await terminal.answer(CHOOSE, "3\r");
    await terminal.answer("OpenAI API key: ", "sk-secret\u0003");
    expect(await terminal.exited()).toBe(130);
    expect(terminal.screen).not.toContain("sk-secret");
    expect(readdirSync(box.home)).toEqual([]);
  });
});

test("llmspell setup without a terminal asks nothing and names what to use instead", async () => {
  using box = new Sandbox();
  const done = await box.run(["setup", "--output", "json"]);
  expect(done.code).toBe(1);
  expect(JSON.parse(done.stdout)).toMatchObject({
    status: "error",
    hint: expect.stringContaining("config init"),
  });
  expect(readdirSync(box.home)).toEqual([]);
});

test("llmspell model remove asks on a terminal, and anything but y keeps the model", async () => {
  using box = new Sandbox();
  await Bun.write(join(box.cwd, "mini.gguf"), Bun.file("models/spell-mini/spell-mini.gguf"));
  expect((await box.run(["model", "import", "mini.gguf", "--name", "mini:x"])).code).toBe(0);
  for (const [keys, text, left] of [
    ["n\r", "Cancelled", true],
    ["Y\r", "Model removed successfully", false],
  ] as const) {
    const terminal = new Terminal(box, ["model", "remove", "mini:x"]);
    await terminal.answer("Remove model 'mini:x'? [y/N]: ", keys);
    expect(await terminal.exited()).toBe(0);
    expect(terminal.screen).toContain(text);
    expect((await box.run(["model", "list"])).stdout.includes("mini:x")).toBe(left);
  }
});
