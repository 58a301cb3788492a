/** Scripts with models of Ollama: agents with tools and streaming, and `LocalLLM` (spec/lua-api.md section 18). */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { freePort, installFakeOllama } from "../../support/ollama/serve.ts";
import { FakeOllama } from "../../support/ollama/server.ts";
import type { Settings } from "../../support/ollama/types.ts";

const MODELS = {
  "llama3:latest": {
    quantization: "Q4_K_M",
    sizeBytes: 4_000_000_000,
    capabilities: ["completion", "tools", "thinking"],
  },
  "embedder:latest": { capabilities: ["embedding"] },
};

async function runLua(source: string, settings: Settings = {}, toml = "") {
  await using fake = await FakeOllama.start({ models: MODELS, ...settings });
  using box = new Sandbox();
  box.write("o.toml", `[providers.ollama]\nprovider_type = "ollama"\nbase_url = "${fake.url}"\n${toml}`);
  const result = await box.lua(source, { args: ["-c", "o.toml"] });
  return { fake, ...result };
}

describe("An agent on Ollama", () => {
  test("calls a tool and answers with its result", async () => {
    const { fake, stdout, stderr, code } = await runLua(
      `
      local agent = Agent.builder():name("a"):model("local/llama3@ollama"):tools({"calculator"}):build()
      local answer = agent:execute("What is 6 times 7?")
      print(answer.text, answer.usage.prompt_tokens > 0, answer.usage.completion_tokens, answer.metadata.provider)
      print(#answer.tool_calls, answer.tool_calls[1].tool_name or answer.tool_calls[1].tool)`,
      {
        answers: [
          {
            thinking: ["a product"],
            toolCalls: [{ name: "calculator", arguments: { operation: "evaluate", input: "6*7" } }],
          },
          { text: ["It is ", "42"] },
        ],
      },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe("It is 42\ttrue\t14\tollama\n1\tcalculator\n");
    const [first, second] = fake.bodies("/api/chat") as {
      messages: Record<string, unknown>[];
      tools: unknown[];
    }[];
    expect(first!.tools).toMatchObject([{ type: "function", function: { name: "calculator" } }]);
    expect(second!.messages.slice(-2)).toMatchObject([
      {
        role: "assistant",
        thinking: "a product",
        tool_calls: [{ function: { name: "calculator", arguments: { input: "6*7" } } }],
      },
      { role: "tool", tool_name: "calculator", content: expect.stringContaining("42") },
    ]);
    expect(fake.wrong).toEqual([]);
  });

  test("streams what it says as it comes", async () => {
    const { stdout, stderr } = await runLua(
      `
      local agent = Agent.builder():name("a"):model("ollama/llama3"):build()
      local pieces = {}
      local done = agent:invoke_stream("Hello", function(chunk)
        if chunk.text and chunk.text ~= "" then pieces[#pieces + 1] = chunk.text end
      end)
      print(table.concat(pieces, "|"), done.success)`,
      { answers: [{ text: ["Gr", "üß ", "Gott 🦙"] }], pieceBytes: 5 },
    );
    expect({ stdout, stderr }).toEqual({ stdout: "Gr|üß |Gott 🦙\ttrue\n", stderr: "" });
  });

  test("keeps to a schema, and is asked for nothing else", async () => {
    const { fake, stdout, stderr } = await runLua(
      `
      local agent = Agent.builder():name("a"):model("ollama/llama3"):build()
      local schema = {type = "object", properties = {n = {type = "integer"}}, required = {"n"}}
      print(agent:execute({text = "?", schema = schema}).parsed.n)
      print(pcall(function() return agent:execute({text = "?", schema = schema}) end))`,
      { answers: [{ text: ['{"n": 4}'] }, { text: ['{"m": 4}'] }] },
    );
    expect(stderr).toBe("");
    expect(stdout).toStartWith("4\nfalse\t");
    expect(stdout).toContain("does not keep to the schema");
    expect(fake.bodies("/api/chat")[0]!.format).toMatchObject({ type: "object", required: ["n"] });
  });

  test("has the context its script names, and a prompt that does not fit is an error", async () => {
    const { fake, stdout } = await runLua(
      `
      local agent = Agent.builder():name("a"):model("ollama/llama3"):context_window(200):build()
      print(agent:execute("Hello").text)
      local ok, why = pcall(function() return agent:execute(("word "):rep(400)) end)
      print(ok, why)`,
    );
    expect(fake.bodies("/api/chat")[0]!.options).toMatchObject({ num_ctx: 200 });
    expect(stdout).toStartWith("Hello\nfalse\t");
    expect(stdout).toContain("exceeds the context of 200 tokens");
  });

  test("is started where the configuration says so, and ended with the script", async () => {
    using box = new Sandbox();
    const port = await freePort();
    installFakeOllama(join(box.root, "bin"));
    box.write("o.toml", `[providers.ollama]\nbase_url = "http://127.0.0.1:${port}"\nauto_start = true`);
    const ask = `print(Agent.builder():name("a"):model("ollama/llama3"):build():execute("Hello").text)`;
    for (const end of ["", "os.exit(3)", "error('no')"]) {
      const { stdout } = await box.lua(`${ask}\n${end}`, {
        args: ["-c", "o.toml"],
        env: { PATH: `${join(box.root, "bin")}:${process.env.PATH}` },
      });
      expect(stdout).toBe("Hello\n");
      const answers = await fetch(`http://127.0.0.1:${port}/api/version`).then(
        () => true,
        () => false,
      );
      expect({ end, answers }).toEqual({ end, answers: false });
    }
  });

  test("is recorded, and replayed where no Ollama is", async () => {
    using box = new Sandbox();
    const script = `
      local agent = Agent.builder():name("a"):model("local/llama3"):tools({"calculator"}):build()
      print(agent:execute("What is 6 times 7?").text)`;
    const call = { name: "calculator", arguments: { operation: "evaluate", input: "6*7" } };
    const fake = await FakeOllama.start({
      models: MODELS,
      answers: [{ toolCalls: [call] }, { text: ["It is 42"] }],
    });
    const env = { OLLAMA_HOST: `127.0.0.1:${fake.port}` };
    box.write("s.lua", script);
    const recorded = await box.run(["run", "--record", "r.jsonl", "s.lua"], { env });
    await fake[Symbol.asyncDispose]();
    const replayed = await box.run(["run", "--replay", "r.jsonl", "s.lua"], { env });
    expect(recorded).toMatchObject({ code: 0, stdout: "It is 42\n", stderr: "" });
    expect(replayed).toMatchObject({ code: 0, stdout: "It is 42\n", stderr: "" });
  });

  test("that is not running says so with the next step", async () => {
    using box = new Sandbox();
    const { code, stdout, stderr } = await box.lua(
      `print(Agent.builder():name("a"):model("local/llama3@ollama"):build():execute("Hello").text)`,
      { env: { OLLAMA_HOST: "127.0.0.1:9" } },
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("Ollama is not running at http://127.0.0.1:9");
    expect(stderr).toContain("llmspell model install-ollama");
  });
});

describe("The example of either backend", () => {
  test("takes Ollama's model where there is one", async () => {
    const source = readFileSync("examples/ollama.lua", "utf8");
    const { stdout, stderr } = await runLua(source, { answers: [{ text: ["87"] }] });
    expect({ stdout, stderr }).toEqual({
      stdout:
        "Ollama:\ttrue\t0.13.5\nllama3:latest\t4.0 GB\tQ4_K_M\nembedder:latest\t3.8 GB\tQ4_0\nlocal/llama3:latest@ollama\t87\n",
      stderr: "",
    });
  });
});

describe("LocalLLM with Ollama", () => {
  test("status, list, info and pull have the specified shapes", async () => {
    const { stdout, stderr, fake } = await runLua(
      `
      local status = LocalLLM.status()
      print(status.ollama.running, status.ollama.models, status.ollama.version, status.ollama.error, status.candle.ready)
      for _, m in ipairs(LocalLLM.list("ollama")) do print(m.id, m.backend, m.size_bytes, m.quantization, m.modified_at) end
      print(#LocalLLM.list(), #LocalLLM.list("candle"))
      local info = LocalLLM.info("llama3@ollama")
      print(info.id, info.backend, info.size, info.format, info.loaded, info.parameter_count, info.quantization, info.context_length)
      local pulled = LocalLLM.pull("tiny:1b")
      print(pulled.model_id, pulled.status, pulled.percent_complete, pulled.bytes_downloaded, pulled.bytes_total)
      print(pcall(LocalLLM.info, "nope"))
      local made = LocalLLM.embed("embedder@ollama", {"one", "two"})
      print(#made.embeddings, made.dimensions)
      print(LocalLLM.unload("llama3@ollama"))`,
      { library: { "tiny:1b": [{ digest: `sha256:${"a".repeat(64)}`, bytes: 1000 }] } },
    );
    expect(stderr).toBe("");
    const lines = stdout.split("\n");
    expect(lines.slice(0, 6)).toEqual([
      "true\t2\t0.13.5\tnil\ttrue",
      "llama3:latest\tollama\t4000000000\tQ4_K_M\t1701970338",
      "embedder:latest\tollama\t3825819519\tQ4_0\t1701970338",
      "3\t1",
      "llama3:latest\tollama\t4000000000\tgguf\tfalse\t8030261248\tQ4_K_M\t131072",
      "tiny:1b\tcomplete\t100\t1000\t1000",
    ]);
    expect(lines[6]).toContain("Model 'nope' not found in any backend");
    expect(lines.slice(7, 9)).toEqual(["2\t3", "false"]);
    expect(fake.wrong).toEqual([]);
  });

  test("a server that is away is passed over in silence", async () => {
    using box = new Sandbox();
    box.write("o.toml", '[providers.ollama]\nbase_url = "http://127.0.0.1:9"');
    const { stdout, stderr } = await box.lua(
      `
      print(#LocalLLM.list("ollama"), #LocalLLM.list())
      local status = LocalLLM.status().ollama
      print(status.running, status.models, status.error)
      print(pcall(LocalLLM.pull, "tiny"))`,
      { args: ["-c", "o.toml"] },
    );
    expect(stderr).toBe("");
    expect(stdout).toStartWith(
      "0\t1\nfalse\t0\tCannot use Ollama: Ollama is not running at http://127.0.0.1:9\nfalse\tFailed to pull model: ",
    );
  });

  test("a pull that breaks off fails and says why, and goes on when it is repeated", async () => {
    const library = { "tiny:1b": [{ digest: `sha256:${"a".repeat(64)}`, bytes: 1000 }] };
    await using fake = await FakeOllama.start({ library });
    using box = new Sandbox();
    box.write("o.toml", `[providers.ollama]\nbase_url = "${fake.url}"`);
    fake.pullFault = { afterBytes: 250 };
    const { stdout } = await box.lua(
      `
      for _ = 1, 2 do
        local ok, pulled = pcall(LocalLLM.pull, "tiny:1b")
        if ok then print(pulled.status, pulled.error) else print("raised", pulled) end
      end
      print(pcall(LocalLLM.pull, "nope"))`,
      { args: ["-c", "o.toml"] },
    );
    const [first, second, third] = stdout.split("\n");
    // a break that takes what came before it along is a pull that never began
    expect(first).toMatch(
      /^(failed|raised)\t.*Failed to pull model: Cannot pull the model: Ollama stopped answering/,
    );
    expect(second).toBe("complete\tnil");
    expect(third).toContain(
      "Failed to pull model: Cannot pull the model: Ollama's library has no model 'nope'",
    );
  });
});
