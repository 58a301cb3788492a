/** The model, providers and setup commands: spec/cli.md sections 15.3, 17 and 18. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandDecl, CommandIo, OutputMode } from "../../../src/cli/command.ts";
import { command as modelCommand } from "../../../src/cli/commands/model.ts";
import { command as providersCommand } from "../../../src/cli/commands/providers.ts";
import { command as setupCommand } from "../../../src/cli/commands/setup.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { silentLog } from "../../../src/core/log.ts";
import { createKernel } from "../../../src/kernel/kernel.ts";
import { failure, type TestHome, temporaryHome } from "../../support/model-service.ts";

const SPELL_MINI = join(import.meta.dir, "../../../models/spell-mini/spell-mini.gguf");

interface Terminal {
  mode?: OutputMode;
  /** Lines typed; absent: standard input is no terminal. */
  typed?: string[];
  toml?: string;
}

/** A command's surroundings over a real kernel; what it prints is kept. */
function surroundings(home: TestHome, { mode = "text", typed, toml = "" }: Terminal) {
  const out: string[] = [];
  const configPath = join(home.directory, "command.toml");
  writeFileSync(configPath, toml);
  const options = { configPath, env: home.env, cwd: home.directory, home: home.directory };
  const load = () => loadConfig(options);
  const io: CommandIo = {
    mode,
    globals: { output: mode },
    env: home.env,
    cwd: home.directory,
    isTty: { stdin: typed !== undefined, stdout: false, stderr: false },
    signal: new AbortController().signal,
    leaveSignals: () => {},
    scriptArgs: [],
    out: (text) => out.push(text),
    write: (data) => out.push(String(data)),
    err: () => {},
    json: (value) => out.push(JSON.stringify(value)),
    prompt: async () => typed?.shift() ?? null,
    inputLine: async () => null,
    loadConfig: load,
    kernel: async () =>
      createKernel({ loaded: await load(), log: silentLog, env: home.env, cwd: home.directory }),
  };
  return { io, out };
}

function find(command: CommandDecl, name: string): NonNullable<CommandDecl["run"]> {
  return command.subcommands!.find((sub) => sub.name === name)!.run!;
}

async function run(
  home: TestHome,
  command: NonNullable<CommandDecl["run"]>,
  words: { args?: Record<string, string>; options?: Record<string, string | boolean> },
  terminal: Terminal = {},
): Promise<{ code: number; out: string[] }> {
  const { io, out } = surroundings(home, terminal);
  return { code: await command(io, words.args ?? {}, words.options ?? {}), out };
}

describe("llmspell model", () => {
  const list = find(modelCommand, "list");
  const all = { options: { backend: "all" } };

  test("list prints ids one per line, and one document of models and count as JSON", async () => {
    using home = temporaryHome();
    expect(await run(home, list, all)).toEqual({ code: 0, out: ["spell-mini"] });
    const { out } = await run(home, list, all, { mode: "json" });
    expect(JSON.parse(out.join(""))).toEqual({
      models: [
        {
          id: "spell-mini",
          backend: "llamacpp",
          size_bytes: 4_857_664,
          quantization: "Q8_0",
          modified_at: null,
        },
      ],
      count: 1,
    });
    expect((await run(home, list, { options: { backend: "ollama" } })).out).toEqual([]);
  });

  test("import, info and remove go together; paths are relative to the working directory", async () => {
    using home = temporaryHome();
    writeFileSync(join(home.directory, "my.gguf"), readFileSync(SPELL_MINI));
    const imported = await run(home, find(modelCommand, "import"), { args: { path: "my.gguf" } });
    expect(imported).toEqual({ code: 0, out: ["Model imported as my:Q8_0\nUse it as local/my:Q8_0"] });
    const { out } = await run(home, find(modelCommand, "info"), { args: { model: "my" } }, { mode: "json" });
    expect(JSON.parse(out.join(""))).toMatchObject({ id: "my:Q8_0", format: "gguf", loaded: false });

    const remove = find(modelCommand, "remove");
    const my = { args: { model: "my" } };
    const declined = await run(home, remove, my, { typed: ["n"] });
    expect(declined).toEqual({ code: 0, out: ["Cancelled"] });
    expect((await failure(() => run(home, remove, my))).hint).toContain("--yes");
    const removed = await run(home, remove, my, { typed: ["y"] });
    expect(removed).toEqual({ code: 0, out: ["Model removed successfully"] });
    expect((await run(home, list, all)).out).toEqual(["spell-mini"]);
  });

  test("status has one entry for each backend", async () => {
    using home = temporaryHome();
    const { out } = await run(home, find(modelCommand, "status"), {}, { mode: "json" });
    expect(JSON.parse(out.join(""))).toMatchObject({
      status: "ok",
      backends: [{ backend: "llamacpp", running: true, available_models: 1 }],
      device: "CPU",
      device_reason: "this build has no GPU backend",
    });
  });

  test("an unknown model is an error that says what was tried and offers the nearest", async () => {
    using home = temporaryHome();
    const error = await failure(() =>
      run(home, find(modelCommand, "info"), { args: { model: "spel-mini" } }),
    );
    expect(error.code).toBe("not_found");
    expect(error.message).toBe("Model info error: Model 'spel-mini' not found in any backend");
    expect(error.hint).toContain('"spell-mini"');
  });

  const namespaces = Bun.spawnSync(["unshare", "-rm", "true"], { stderr: "ignore" }).success;
  test.skipIf(!namespaces)("import to a full disk says how much is missing and leaves no file", () => {
    using home = temporaryHome();
    const script = `mount -t tmpfs -o size=3m tmpfs ${home.data} && ${process.execPath} src/main.ts model import ${SPELL_MINI}; echo "code $?"; find ${home.data} -type f`;
    const { stdout, stderr } = Bun.spawnSync(["unshare", "-rm", "sh", "-c", script], {
      env: { ...process.env, ...home.env },
      cwd: join(import.meta.dir, "../../.."),
    });
    expect(stderr.toString()).toContain("the disk has 3.1 MB free");
    expect(stdout.toString()).toBe("code 1\n");
  });
});

describe("llmspell providers", () => {
  const toml = `
[providers]
default_provider = "ci"
[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
match = "Hello"
text = "Hi there"
[providers.cloud]
provider_type = "openai"
api_key = "sk-secret-0123456789-secret"
base_url = "https://example.org/v1"
default_model = "gpt-4o"
[providers.silent]
provider_type = "test"
default_model = "nothing"
`;

  test("list and info tell that a local default model is not in the store, or is damaged", async () => {
    using home = temporaryHome();
    const store = join(home.directory, "store");
    mkdirSync(join(store, "broken/latest"), { recursive: true });
    mkdirSync(join(store, "whole/q8"), { recursive: true });
    writeFileSync(join(store, "broken/latest/broken.gguf"), "GGUF");
    writeFileSync(join(store, "whole/q8/whole.gguf"), readFileSync(SPELL_MINI));
    const local = (key: string, model: string) =>
      `[providers.${key}]\nprovider_type = "llamacpp"\nmodel_directory = "${store}"\ndefault_model = "${model}"\n`;
    const settings = { toml: local("a", "absent") + local("b", "broken") + local("c", "whole:q8") };
    const { out } = await run(home, find(providersCommand, "list"), {}, { mode: "json", ...settings });
    const { providers } = JSON.parse(out.join("")) as {
      providers: { name: string; problem: string | null }[];
    };
    const problemOf = (name: string) => providers.find((provider) => provider.name === name)?.problem;
    expect(problemOf("a")).toContain("absent");
    expect(problemOf("b")).toContain("broken.gguf");
    expect(problemOf("c")).toBeNull();
    const info = await run(home, find(providersCommand, "info"), { args: { name: "a" } }, settings);
    expect(JSON.parse(info.out.join("")).problem).toBe(problemOf("a")!);
  });

  test("list names every enabled provider with its problem, and never its key", async () => {
    using home = temporaryHome();
    const { out } = await run(home, find(providersCommand, "list"), {}, { mode: "json", toml });
    const { providers, count } = JSON.parse(out.join(""));
    expect(count).toBe(4);
    expect(providers.map(({ name, is_default }: Record<string, unknown>) => [name, is_default])).toEqual([
      ["ci", true],
      ["cloud", false],
      ["silent", false],
      ["local", false],
    ]);
    expect(providers[1]).toMatchObject({
      provider_type: "openai",
      enabled: true,
      default_model: "gpt-4o",
      base_url: "https://example.org/v1",
      key_source: "config",
    });
    expect(out.join("")).not.toContain("sk-secret");
  });

  test("test calls the default model and its exit code tells how it went", async () => {
    using home = temporaryHome();
    const call = (name: string) =>
      run(home, find(providersCommand, "test"), { args: { name } }, { mode: "json", toml });
    const ok = await call("ci");
    expect(ok.code).toBe(0);
    expect(JSON.parse(ok.out.join(""))).toMatchObject({ name: "ci", success: true, text: "Hi there" });
    const failed = await call("silent");
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.out.join(""))).toMatchObject({
      success: false,
      error: expect.stringContaining("Hello"),
    });
    expect((await failure(() => call("clod"))).hint).toContain('"cloud"');
  });
});

describe("llmspell setup", () => {
  const setup = setupCommand.run!;
  const openAiKey = `sk-${"a1".repeat(12)}`;

  test("writes a configuration only the user may read, which loads and makes the choice the default", async () => {
    using home = temporaryHome();
    const path = join(home.data, "config.toml");
    const { code } = await run(home, setup, {}, { typed: ["3", openAiKey] });
    expect(code).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const { config } = await loadConfig({ env: home.env, cwd: home.directory, home: home.directory });
    expect(config.providers).toMatchObject({
      default_provider: "openai",
      openai: { provider_type: "openai", api_key: openAiKey },
    });
  });

  test("takes the built-in models at the push of the enter key", async () => {
    using home = temporaryHome();
    await run(home, setup, {}, { typed: ["", ""] });
    const { config } = await loadConfig({ env: home.env, cwd: home.directory, home: home.directory });
    expect(config.providers).toMatchObject({
      default_provider: "llamacpp",
      llamacpp: { provider_type: "llamacpp", default_model: "spell-mini" },
    });
  });

  test("asks again for a malformed key, and gives up after three", async () => {
    using home = temporaryHome();
    expect((await run(home, setup, {}, { typed: ["3", "sk-short", openAiKey] })).code).toBe(0);
    using second = temporaryHome();
    const error = await failure(() => run(second, setup, {}, { typed: ["4", "a", openAiKey, "c"] }));
    expect(error.hint).toContain("sk-ant-");
    expect(existsSync(join(second.data, "config.toml"))).toBe(false);
  });

  test("keeps an existing file unless forced", async () => {
    using home = temporaryHome();
    const path = join(home.data, "config.toml");
    writeFileSync(path, "# mine\n");
    expect((await failure(() => run(home, setup, {}, { typed: ["", ""] }))).message).toBe(
      `Configuration file already exists: ${path}. Use --force to overwrite.`,
    );
    expect(readFileSync(path, "utf8")).toBe("# mine\n");
    await run(home, setup, { options: { force: true } }, { typed: ["", ""] });
    expect(readFileSync(path, "utf8")).toContain("llamacpp");
  });

  test.each([[["6"]], [[]], [["3"]]])("%p is a cancelled setup that writes nothing", async (typed) => {
    using home = temporaryHome();
    expect(await run(home, setup, {}, { typed: [...typed] })).toEqual({ code: 0, out: ["Cancelled"] });
    expect(existsSync(join(home.data, "config.toml"))).toBe(false);
  });

  test("without a terminal points to config init", async () => {
    using home = temporaryHome();
    const error = await failure(() => run(home, setup, {}));
    expect(error.hint).toContain("llmspell config init");
    expect(error.code).not.toBe("usage");
  });
});
