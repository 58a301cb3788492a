/** The scenarios of OpenAI's client against `llmspell serve` and llama-server of the same release, with the same models. */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import OpenAI from "openai";
import { llamaProgram } from "../../bench/peer/llama-cpp.ts";
import type { Target } from "../conformance/openai/scenario.ts";
import { scenarios } from "../conformance/openai/scenarios.ts";
import { generateBert } from "../support/bert.ts";
import { Sandbox } from "../support/cli.ts";
import { SPELL_MINI } from "../support/gguf-models.ts";
import { serve } from "../support/serve.ts";
import { check, type Soak } from "./soak.ts";

const TOKEN = "a-token-of-the-soak-run";
const EMBEDDING_MODEL = "words:f32";

function targetOf(chatUrl: string, embeddingUrl: string): Target {
  const client = (baseURL: string, apiKey = TOKEN) => new OpenAI({ baseURL, apiKey, maxRetries: 0 });
  return {
    client: client(chatUrl),
    stranger: client(chatUrl, `${TOKEN}-`),
    embedder: client(embeddingUrl),
    chatModel: "spell-mini",
    embeddingModel: EMBEDDING_MODEL,
    contextTokens: 1024,
  };
}

/** The names of the scenarios that do not hold, with why. */
async function failed(target: Target): Promise<Map<string, string>> {
  const broken = new Map<string, string>();
  for (const { name, run } of scenarios) {
    try {
      await run(target);
    } catch (error) {
      broken.set(name, (error as Error).message);
    }
  }
  return broken;
}

class LlamaServer implements AsyncDisposable {
  private constructor(
    private readonly proc: Bun.Subprocess,
    readonly url: string,
  ) {}

  static async start(program: string, model: string, args: readonly string[]): Promise<LlamaServer> {
    const port = freePort();
    const words = ["-m", model, "--port", String(port), "--api-key", TOKEN, "-t", "1", ...args];
    const proc = Bun.spawn([program, ...words], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    const server = new LlamaServer(proc, `http://127.0.0.1:${port}/v1`);
    for (let tries = 0; tries < 300; tries++) {
      if (proc.exitCode !== null) throw new Error(`llama-server ended with ${proc.exitCode}`);
      const ready = await fetch(`http://127.0.0.1:${port}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (ready) return server;
      await Bun.sleep(100);
    }
    await server[Symbol.asyncDispose]();
    throw new Error("llama-server was not ready after 30 s");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proc.kill("SIGKILL");
    await this.proc.exited;
  }
}

function freePort(): number {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return listener.port;
}

export const openai: Soak = {
  name: "openai",
  description: "the scenarios of OpenAI's client against llmspell serve and llama-server",
  async run({ full }) {
    using box = new Sandbox();
    const directory = join(box.tmp, "models");
    mkdirSync(directory);
    const bert = generateBert(directory, "bert-f32");
    const imported = await box.run(["model", "import", bert, "--name", EMBEDDING_MODEL]);
    check(imported.code === 0, "the embedding model cannot be imported", imported.stderr);

    await using server = await serve(box, [], { env: { LLMSPELL_SERVE_TOKEN: TOKEN } });
    const ours = await failed(targetOf(server.url, server.url));
    check(ours.size === 0, "scenarios do not hold for llmspell serve", Object.fromEntries(ours));

    // built at the first full run, which takes minutes
    if (!full) return { scenarios: scenarios.length };
    const program = await llamaProgram("llama-server");
    if (typeof program !== "string") return { scenarios: scenarios.length, "llama-server": program.why };
    await using chat = await LlamaServer.start(program, resolve(SPELL_MINI), [
      ...["--alias", "spell-mini", "--jinja", "-np", "8", "-c", String(8 * 1024)],
    ]);
    await using embedding = await LlamaServer.start(program, bert, [
      "--alias",
      EMBEDDING_MODEL,
      "--embeddings",
    ]);
    const theirs = await failed(targetOf(chat.url, embedding.url));
    const told = new Set(scenarios.flatMap(({ name, peer }) => (peer === undefined ? [] : [name])));
    const untold = [...theirs].filter(([name]) => !told.has(name));
    check(untold.length === 0, "scenarios do not hold for llama-server", Object.fromEntries(untold));
    const held = [...told].filter((name) => !theirs.has(name));
    check(held.length === 0, "scenarios are said not to hold for llama-server and do", held);
    return { scenarios: scenarios.length, "held by llama-server too": scenarios.length - theirs.size };
  },
};
