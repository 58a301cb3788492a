/** `server_url` and `server_binary`: local models of a llama-server in place of the built-in engine. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { installFakeLlamaServer, serveFakeLlama } from "../../support/fake-llama-server.ts";

const ASK = `
local agent = Agent.create{name = "a", model = "local/spell-mini"}
print(agent:execute("Hello").text)
local result = agent:execute("Again")
print(result.metadata.provider, result.metadata.model, result.usage.cost_usd)
`;

const config = (keys: string) => `[providers.llamacpp]\nprovider_type = "llamacpp"\n${keys}\n`;

test("server_url sends the calls of local models there, with the key, whatever the model's name", async () => {
  using box = new Sandbox();
  const server = serveFakeLlama(0, "sk-llama-0123", ["from", "the", "server"]);
  box.write("c.toml", config(`server_url = "http://127.0.0.1:${server.port}"\napi_key = "sk-llama-0123"`));
  const done = await box.lua(
    `${ASK} print(Agent.create{name = "b", model = "local/qwen3:8b"}:execute("Hi").text)`,
    { args: ["-c", "c.toml"] },
  );
  await server.stop(true);
  expect(done).toMatchObject({
    code: 0,
    stderr: "",
    stdout: "from the server\nlocal\tspell-mini\tnil\nfrom the server\n",
  });
});

test("server_binary is started once with the settings of the provider, and ends with the run", async () => {
  using box = new Sandbox();
  const program = installFakeLlamaServer(join(box.root, "bin"));
  const keys = [
    `server_binary = "${program}"`,
    ...["context_size = 2048", "max_concurrent = 3", "gpu_layers = 7", "cpu_threads = 3", "batch_size = 256"],
  ];
  box.write("c.toml", config(keys.join("\n")));
  const done = await box.lua(ASK, { args: ["-c", "c.toml"] });
  expect(done.stderr).toBe("");
  const [words = "", named] = done.stdout.split("\n");
  expect(words).toMatch(/^--model \S+\.gguf --host 127\.0\.0\.1 --port \d+ /);
  expect(words).toEndWith(
    "--jinja --ctx-size 6144 --parallel 3 --n-gpu-layers 7 --threads 3 --batch-size 256",
  );
  expect(named).toBe("local\tspell-mini\tnil");
  const port = Number(/--port (\d+)/.exec(words)![1]);
  await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
});

test("server_binary listens on the configured port", async () => {
  using box = new Sandbox();
  const program = installFakeLlamaServer(join(box.root, "bin"));
  const { port } = serveFakeLlama(0, "", []);
  const free = port! + 1;
  box.write("c.toml", config(`server_binary = "${program}"\nport = ${free}`));
  expect((await box.lua(ASK, { args: ["-c", "c.toml"] })).stdout).toContain(`--port ${free} `);
});

test("a program that does not run is told with its last words and a next step", async () => {
  using box = new Sandbox();
  const program = installFakeLlamaServer(join(box.root, "bin"), "error: unknown argument: --jinja");
  box.write("c.toml", config(`server_binary = "${program}"`));
  const done = await box.lua(ASK, { args: ["-c", "c.toml"] });
  expect(done.code).toBe(1);
  expect(done.stderr).toContain(
    `Cannot start \`${program}\`: it ended at once: error: unknown argument: --jinja`,
  );
  expect(done.stderr).toContain("Run it yourself");
  box.write("c.toml", config(`server_binary = "${box.root}/missing"`));
  const missing = await box.lua(ASK, { args: ["-c", "c.toml"] });
  expect(missing.stderr).toContain(`Cannot start \`${box.root}/missing\`: it cannot be run`);
});

test("neither is taken from a file that was found and not named", async () => {
  using box = new Sandbox();
  const program = installFakeLlamaServer(join(box.root, "bin"), "it was started");
  box.write("llmspell.toml", config(`server_binary = "${program}"\nserver_url = "http://127.0.0.1:9"`));
  const done = await box.lua(
    'print(Agent.create{name = "a", model = "local/spell-mini"}:execute("Hello").text)',
  );
  expect(done).toMatchObject({ code: 0, stdout: "Hello! How can I help you?\n" });
  for (const key of ["server_binary", "server_url"])
    expect(done.stderr).toContain(`providers.llamacpp.${key}`);
});
