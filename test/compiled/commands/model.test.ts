import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { EXECUTABLE, Sandbox } from "../../support/cli.ts";

const GGUF = "models/spell-mini/spell-mini.gguf";

class ModelBox extends Sandbox {
  async json(...args: string[]) {
    const done = await this.run([...args, "--output", "json"]);
    return { code: done.code, document: JSON.parse(done.stdout) };
  }

  async import(...args: string[]) {
    this.write("mini.gguf", await Bun.file(GGUF).bytes());
    return this.json("model", "import", "mini.gguf", ...args);
  }
}

const LISTED = { id: "spell-mini", backend: "llamacpp", size_bytes: statSync(GGUF).size, modified_at: null };

describe("llmspell model list", () => {
  test("prints ids in text mode and the whole list in JSON mode", async () => {
    using box = new ModelBox();
    expect((await box.run(["model", "list"])).stdout).toBe("spell-mini\n");
    const { document } = await box.json("model", "list");
    expect(document).toMatchObject({ models: [LISTED], count: 1 });
    expect(Object.keys(document.models[0])).toEqual([
      "id",
      "backend",
      "size_bytes",
      "quantization",
      "modified_at",
    ]);
    expect(JSON.parse((await box.run(["model", "list", "-v"])).stdout)).toEqual(document);
  });

  test("takes a backend under its old name too", async () => {
    using box = new ModelBox();
    for (const [backend, count] of [
      ["all", 1],
      ["llamacpp", 1],
      ["candle", 1],
      ["ollama", 0],
    ] as const)
      expect((await box.json("model", "list", "--backend", backend)).document.count).toBe(count);
    expect((await box.run(["model", "list", "--backend", "none"])).code).toBe(2);
  });
});

describe("llmspell model info", () => {
  test("shows a model under each way to write it", async () => {
    using box = new ModelBox();
    for (const name of ["spell-mini", "local/spell-mini", "spell-mini@llamacpp", "spell-mini@candle"])
      expect((await box.json("model", "info", name)).document).toMatchObject({
        ...LISTED,
        format: "gguf",
        loaded: false,
        architecture: "llama",
      });
  });

  test("names a model that is not there", async () => {
    using box = new ModelBox();
    const { code, document } = await box.json("model", "info", "nope");
    expect(code).toBe(1);
    expect(document).toMatchObject({
      status: "error",
      error: "Model info error: Model 'nope' not found in any backend",
    });
  });
});

describe("llmspell model import and remove", () => {
  test("an imported model is listed, answers and can be removed", async () => {
    using box = new ModelBox();
    const imported = await box.import("--name", "mini:q8");
    expect(imported).toMatchObject({ code: 0, document: { id: "mini:q8", size_bytes: LISTED.size_bytes } });
    expect(imported.document.path).toStartWith(join(box.home, ".llmspell", "models"));
    expect((await box.run(["model", "list"])).stdout).toBe("spell-mini\nmini:q8\n");
    const asked = await box.lua(
      'print(Agent.builder():model("local/mini:q8"):allow_tool("calculator"):build():execute("What is 15 + 27?").text)',
    );
    expect(asked.stdout).toContain("42");

    const removed = await box.json("model", "remove", "mini:q8", "--yes");
    expect(removed).toEqual({ code: 0, document: { model: "mini:q8", removed: true } });
    expect(existsSync(imported.document.path)).toBe(false);
    expect((await box.run(["model", "list"])).stdout).toBe("spell-mini\n");
  });

  test("the same file or name again needs --force", async () => {
    using box = new ModelBox();
    await box.import("--name", "mini:a");
    for (const name of ["mini:a", "mini:b"]) {
      const again = await box.import("--name", name);
      expect(again).toMatchObject({ code: 1, document: { status: "error", code: "already_exists" } });
      expect((await box.import("--name", name, "--force")).code).toBe(0);
    }
  });

  test("without a terminal nothing is asked and nothing removed", async () => {
    using box = new ModelBox();
    await box.import("--name", "mini:a");
    const done = await box.json("model", "remove", "mini:a");
    expect(done).toMatchObject({ code: 2, document: { hint: expect.stringContaining("--yes") } });
    expect((await box.run(["model", "list"])).stdout).toContain("mini:a");
  });

  test("the built-in model stays", async () => {
    using box = new ModelBox();
    expect(await box.json("model", "remove", "spell-mini", "-y")).toMatchObject({
      code: 1,
      document: { error: expect.stringContaining("part of the executable") },
    });
  });
});

test.skipIf(process.platform !== "linux")(
  "a model is tried by the program that runs, also when its file is replaced or removed meanwhile",
  async () => {
    using box = new ModelBox();
    const directory = join(box.home, ".llmspell/models/llamacpp/hand/x");
    mkdirSync(directory, { recursive: true });
    copyFileSync(GGUF, join(directory, "m.gguf"));
    const executable = join(box.root, "llmspell");
    copyFileSync(EXECUTABLE, executable);
    const script = box.write(
      "wait.lua",
      `print("ready") io.read()
      print(Agent.builder():name("x"):model("local/hand"):max_tokens(2):build():execute("Hi").text)`,
    );
    const proc = Bun.spawn([executable, "run", script], {
      cwd: box.cwd,
      env: box.env,
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    const lines = proc.stdout.pipeThrough(new TextDecoderStream()).getReader();
    expect((await lines.read()).value).toBe("ready\n");
    rmSync(executable);
    proc.stdin.write("go\n");
    proc.stdin.end();
    const [code, stderr] = await Promise.all([proc.exited, new Response(proc.stderr).text()]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(readdirSync(join(box.home, ".llmspell/cache/probed"))).toHaveLength(1);
  },
);

test("llmspell model status reports every backend", async () => {
  using box = new ModelBox();
  const { document } = await box.json("model", "status");
  expect(document.status).toBe("ok");
  expect(document.backends).toContainEqual({ backend: "llamacpp", running: true, available_models: 1 });
});

describe("llmspell providers", () => {
  const TOML = `
[providers]
default_provider = "ci"

[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
text = "prepared"

[providers.cloud]
provider_type = "openai"
default_model = "gpt-4"
base_url = "https://gateway.example/v1"
api_key = "sk-secret-0123456789abcdef"

[providers.unset]
provider_type = "openai"
default_model = "gpt-4"
api_key_env = "NOT_SET_ANYWHERE"
`;

  test("list has the fields of the specification and no key", async () => {
    using box = new ModelBox();
    box.write("my.toml", TOML);
    const done = await box.run(["-c", "my.toml", "providers", "list", "--output", "json"]);
    const { providers, count } = JSON.parse(done.stdout);
    expect(count).toBe(providers.length);
    const byName = Object.fromEntries(providers.map((p: { name: string }) => [p.name, p]));
    expect(byName.ci).toEqual({
      name: "ci",
      provider_type: "test",
      enabled: true,
      default_model: "scripted",
      base_url: null,
      key_source: null,
      is_default: true,
      problem: null,
    });
    expect(byName.cloud).toMatchObject({ base_url: "https://gateway.example/v1", is_default: false });
    expect(byName.unset.problem).toContain("environment variable NOT_SET_ANYWHERE is not set");
    expect(Object.keys(byName)).toContain("local");
    expect(done.stdout + done.stderr).not.toContain("sk-secret");
  });

  test("test asks the default model and exits with 1 when it fails", async () => {
    using box = new ModelBox();
    box.write("my.toml", TOML);
    const good = await box.json("-c", "my.toml", "providers", "test", "ci");
    expect(good).toMatchObject({ code: 0, document: { success: true, text: "prepared", model: "scripted" } });
    const text = await box.run(["-c", "my.toml", "providers", "test", "ci"]);
    expect(text.stdout).toMatch(/^ci\/scripted answered in \d+ ms: prepared\n$/);
    const bad = await box.json("-c", "my.toml", "providers", "test", "unset");
    expect(bad).toMatchObject({
      code: 1,
      document: { success: false, error: expect.stringContaining("NOT_SET_ANYWHERE") },
    });
  });

  test("info names the nearest provider for one that is not there", async () => {
    using box = new ModelBox();
    const { code, document } = await box.json("providers", "info", "locl");
    expect(code).toBe(1);
    expect(document.hint).toContain('"local"');
  });
});
