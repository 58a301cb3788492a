/** `llmspell model … @ollama` against a server that speaks Ollama's documented API. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { LoopbackServer } from "../../support/hub/server.ts";
import { FakeOllama } from "../../support/ollama/server.ts";
import type { Settings } from "../../support/ollama/types.ts";
import { Terminal } from "../../support/terminal.ts";

const MODELS = { "llama3:latest": { sizeBytes: 4_000_000_000, quantization: "Q4_K_M", trainedTokens: 8192 } };
const LIBRARY = {
  "tiny:1b": [
    { digest: `sha256:${"a".repeat(64)}`, bytes: 1000 },
    { digest: `sha256:${"b".repeat(64)}`, bytes: 200 },
  ],
};

class Box extends Sandbox implements AsyncDisposable {
  private constructor(readonly fake: FakeOllama) {
    super();
    this.write("o.toml", `[providers.ollama]\nprovider_type = "ollama"\nbase_url = "${fake.url}"`);
  }

  static async start(settings: Settings = {}): Promise<Box> {
    return new Box(await FakeOllama.start({ models: MODELS, library: LIBRARY, ...settings }));
  }

  model(...args: string[]) {
    return this.run(["-c", "o.toml", "model", ...args]);
  }

  async json(...args: string[]) {
    const { code, stdout, stderr } = await this.run(["-c", "o.toml", "--output", "json", "model", ...args]);
    return { code, stderr, value: JSON.parse(stdout) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fake[Symbol.asyncDispose]();
    this[Symbol.dispose]();
  }
}

describe("llmspell model with Ollama", () => {
  test("list, info and status show its models", async () => {
    await using box = await Box.start();
    expect((await box.model("list")).stdout).toBe("spell-mini\nllama3:latest\n");
    expect((await box.json("list", "--backend", "ollama")).value).toEqual({
      models: [
        {
          id: "llama3:latest",
          backend: "ollama",
          size_bytes: 4_000_000_000,
          quantization: "Q4_K_M",
          modified_at: 1_701_970_338,
        },
      ],
      count: 1,
    });
    expect((await box.json("info", "llama3@ollama")).value).toMatchObject({
      id: "llama3:latest",
      backend: "ollama",
      format: "gguf",
      loaded: false,
      quantization: "Q4_K_M",
      parameter_count: 8_030_261_248,
      context_length: 8192,
      licence: "LLAMA 3.1 COMMUNITY LICENSE AGREEMENT",
    });
    box.fake.loaded.set("llama3:latest", 4096);
    expect((await box.json("status")).value.backends).toMatchObject([
      { backend: "llamacpp", running: true },
      {
        backend: "ollama",
        running: true,
        available_models: 1,
        version: "0.13.5",
        loaded_models: ["llama3:latest"],
      },
    ]);
    expect(box.fake.wrong).toEqual([]);
  });

  test("pull goes on where a pull was cut, unload and remove do what they say", async () => {
    await using box = await Box.start();
    box.fake.pullFault = { afterBytes: 500 };
    const cut = await box.model("pull", "tiny:1b@ollama");
    expect({ code: cut.code, stdout: cut.stdout }).toEqual({ code: 1, stdout: "" });
    expect(cut.stderr).toContain(
      "Model pull error: Cannot pull the model: Ollama stopped answering before the end",
    );
    const pulled = await box.json("pull", "tiny:1b@ollama");
    expect(pulled).toEqual({
      code: 0,
      stderr: "",
      value: {
        model_id: "tiny:1b",
        download_status: "complete",
        percent_complete: 100,
        bytes_downloaded: 1200,
        bytes_total: 1200,
      },
    });
    box.fake.loaded.set("tiny:1b", 4096);
    expect((await box.model("unload", "tiny:1b@ollama")).stdout).toBe("Model unloaded\n");
    expect((await box.model("remove", "tiny:1b@ollama", "--yes")).stdout).toBe(
      "Model removed successfully\n",
    );
    expect([...box.fake.models.keys()]).toEqual(["llama3:latest"]);
  });

  test("a pull is interrupted like any other command, and Ollama is told", async () => {
    await using box = await Box.start();
    box.fake.pullDelayMs = 200;
    const proc = box.start(["-c", "o.toml", "model", "pull", "tiny:1b@ollama"]);
    while (box.fake.fetched.size === 0) await Bun.sleep(10);
    proc.kill("SIGINT");
    expect(await proc.exited).toBe(130);
    for (let i = 0; i < 100 && box.fake.aborted === 0; i++) await Bun.sleep(10);
    expect(box.fake.aborted).toBe(1);
  });

  test("a server that is not there is an error only where it is asked for", async () => {
    using box = new Sandbox();
    box.write("o.toml", '[providers.ollama]\nprovider_type = "ollama"\nbase_url = "http://127.0.0.1:9"');
    const list = await box.run(["-c", "o.toml", "model", "list"]);
    expect(list).toMatchObject({ code: 0, stdout: "spell-mini\n", stderr: "" });
    for (const args of [
      ["list", "--backend", "ollama"],
      ["info", "x@ollama"],
      ["pull", "x@ollama"],
      ["remove", "x@ollama", "--yes"],
      ["unload", "x@ollama"],
    ]) {
      const { code, stdout, stderr } = await box.run(["-c", "o.toml", "model", ...args]);
      expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: "" });
      expect(stderr).toContain("Ollama is not running at http://127.0.0.1:9");
      expect(stderr).toContain("llmspell model install-ollama");
    }
  });

  test("without a configuration names the profile", async () => {
    using box = new Sandbox();
    const { code, stderr } = await box.run(["model", "pull", "llama3@ollama"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("Model pull error: Backend 'ollama' not configured");
    expect(stderr).toContain("-p ollama");
  });
});

describe("llmspell model install-ollama", () => {
  async function withInstaller(box: Sandbox) {
    const mark = join(box.home, "installed");
    const server = await new LoopbackServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      response.end(`#!/bin/sh\necho ">>> Installing ollama"\ntouch '${mark}'\n`);
    }).start();
    box.write(
      "o.toml",
      `[providers.ollama]\nprovider_type = "ollama"\ninstaller_url = "${server.origin}/install.sh"`,
    );
    return { mark, server };
  }

  test("does nothing unattended unless it is told to", async () => {
    using box = new Sandbox();
    const { mark, server } = await withInstaller(box);
    await using _server = server;
    const refused = await box.run(["-c", "o.toml", "model", "install-ollama"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("Add --yes");
    expect({ asked: server.paths(), ran: existsSync(mark) }).toEqual({ asked: [], ran: false });
    const done = await box.run(["-c", "o.toml", "model", "install-ollama", "--yes"]);
    expect(done).toMatchObject({
      code: 0,
      stdout: "Ollama installed successfully\n",
      stderr: ">>> Installing ollama\n",
    });
    expect(existsSync(mark)).toBe(true);
  });

  test("asks at a terminal, and takes anything but y for no", async () => {
    using box = new Sandbox();
    const { mark, server } = await withInstaller(box);
    await using _server = server;
    const terminal = new Terminal(box, ["-c", "o.toml", "model", "install-ollama"]);
    await terminal.answer("[y/N]: ", "n\r");
    expect(await terminal.exited()).toBe(0);
    expect(terminal.screen).toContain("Cancelled");
    expect({ asked: server.paths(), ran: existsSync(mark) }).toEqual({ asked: [], ran: false });
  });
});
