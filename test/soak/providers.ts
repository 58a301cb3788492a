/** Our provider clients against services with a real model: `llmspell serve`, and llama-server in both of its formats. */
import { resolve } from "node:path";
import { llamaProgram, outputOf } from "../../bench/peer/llama-cpp.ts";
import { installPackages } from "../../bench/peer/npm-packages.ts";
import { Sandbox } from "../support/cli.ts";
import { SPELL_MINI } from "../support/gguf-models.ts";
import { LlamaServer } from "../support/llama-server.ts";
import { modelService, temporaryHome } from "../support/model-service.ts";
import { faultRounds } from "../support/providers/faults.ts";
import { type LiveTarget, liveCases } from "../support/providers/live-cases.ts";
import { serve } from "../support/serve.ts";
import { check, type Soak } from "./soak.ts";

const TOKEN = "a-token-of-the-soak-run";
const MODEL = "spell-mini";

/** llama-server's form of Anthropic's interface has no schemas of answers. */
const NOT_HELD = { anthropic: ["an answer keeps to a schema"] } as Record<string, readonly string[]>;

/** @param types of providers that speak to the service at `origin` */
function judge(what: string, origin: string, types: readonly string[], rounds: number): Promise<void> {
  const tables = types.map(
    (type) => `[providers.${type}]
provider_type = "${type}"
base_url = "${origin}"
api_key = "${TOKEN}"
default_model = "${MODEL}"
max_retries = 0`,
  );
  return judgeTables(what, tables.join("\n"), types, rounds);
}

/** A program that is started with the first call, and ended. */
function judgeStarted(program: string, rounds: number): Promise<void> {
  const table = `[providers.local]
provider_type = "llamacpp"
server_binary = "${program}"
context_size = 1024
cpu_threads = 1
max_retries = 0`;
  return judgeTables("a server_binary", table, ["local"], rounds);
}

async function judgeTables(
  what: string,
  toml: string,
  types: readonly string[],
  rounds: number,
): Promise<void> {
  using home = temporaryHome();
  const { models } = await modelService(home, toml);
  for (const type of types) {
    const target: LiveTarget = {
      open: (overrides, modelId = MODEL) => models.resolve(`${type}/${modelId}`, overrides),
      contextTokens: 1024,
    };
    const broken = new Map<string, string>();
    for (let round = 0; round < rounds; round++)
      for (const { name, run } of liveCases)
        await run(target).catch((error: Error) => broken.set(name, error.message));
    const told = NOT_HELD[type] ?? [];
    const untold = [...broken].filter(([name]) => !told.includes(name));
    check(untold.length === 0, `cases do not hold for ${type} and ${what}`, Object.fromEntries(untold));
    const held = told.filter((name) => !broken.has(name));
    check(held.length === 0, `cases are said not to hold for ${type} and ${what} and do`, held);
  }
  await models.dispose();
}

/** The vendors' own clients, of November 2026. */
const CLIENTS = [
  "openai@7.59.0",
  "@anthropic-ai/sdk@1.14.0",
  "cohere-ai@8.1.0",
  "@google/genai@3.3.0",
  "@mistralai/mistralai@2.7.0",
  "groq-sdk@1.6.0",
  "together-ai@0.52.0",
  "@perplexity-ai/perplexity_ai@0.38.5",
];

/** Whether the loopback servers, on which all else stands, speak as the vendors do. */
async function judgeServers(): Promise<number | string> {
  const directory = await installPackages("vendor-clients-2026-11", CLIENTS);
  if (typeof directory !== "string") return directory.why;
  const script = resolve(import.meta.dir, "vendor-clients.mjs");
  const output = await outputOf([process.execPath, script, directory]);
  const { held, broken } = JSON.parse(output.trim().split("\n").at(-1)!) as {
    held: number;
    broken: Record<string, string>;
  };
  check(Object.keys(broken).length === 0, "the loopback servers do not speak as the vendors do", broken);
  return held;
}

export const providers: Soak = {
  name: "providers",
  description: "our clients of providers against llmspell serve and llama-server",
  async run({ full, seed }) {
    const faults = await faultRounds(full ? 20_000 : 400, seed);
    const told = { "calls with faults": faults.calls, whole: faults.whole, failed: faults.failed };
    using box = new Sandbox();
    const rounds = full ? 10 : 1;
    const openai = ["openai", "custom"];
    await using server = await serve(box, [], { env: { LLMSPELL_SERVE_TOKEN: TOKEN } });
    await judge("llmspell serve", new URL(server.url).origin, openai, rounds);
    // built at the first full run, which takes minutes
    if (!full) return { ...told, cases: liveCases.length };
    Object.assign(told, { "cases of the vendors' own clients": await judgeServers() });
    const program = await llamaProgram("llama-server");
    if (typeof program !== "string") return { ...told, cases: liveCases.length, "llama-server": program.why };
    await using peer = await LlamaServer.start(program, resolve(SPELL_MINI), TOKEN, [
      ...["--alias", MODEL, "--jinja", "-np", "8", "-c", String(8 * 1024)],
    ]);
    const types = [...openai, "anthropic"];
    await judge("llama-server", peer.origin, types, rounds);
    await judgeStarted(program, rounds);
    return { ...told, cases: liveCases.length, rounds, "formats of llama-server": types.length };
  },
};
