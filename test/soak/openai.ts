/** The scenarios of OpenAI's client against `llmspell serve` and llama-server of the same release, with the same models. */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import OpenAI from "openai";
import { llamaProgram } from "../../bench/peer/llama-cpp.ts";
import { ranking, type Target } from "../conformance/openai/scenario.ts";
import { scenarios } from "../conformance/openai/scenarios.ts";
import { generateBert } from "../support/bert.ts";
import { Sandbox } from "../support/cli.ts";
import { SPELL_MINI } from "../support/gguf-models.ts";
import { LlamaServer } from "../support/llama-server.ts";
import { serve } from "../support/serve.ts";
import { check, type Soak } from "./soak.ts";

const TOKEN = "a-token-of-the-soak-run";
const EMBEDDING_MODEL = "words:f32";
const RANKING_MODEL = "rank:f32";

function targetOf(chatUrl: string, embeddingUrl: string, rankingUrl: string): Target {
  const client = (baseURL: string, apiKey = TOKEN) => new OpenAI({ baseURL, apiKey, maxRetries: 0 });
  return {
    client: client(chatUrl),
    stranger: client(chatUrl, `${TOKEN}-`),
    embedder: client(embeddingUrl),
    ranker: client(rankingUrl),
    chatModel: "spell-mini",
    embeddingModel: EMBEDDING_MODEL,
    rankingModel: RANKING_MODEL,
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

const TEXTS = ["red wine", "A quiet harbour at night.", "Ünïcödé 漢字", "one two three ".repeat(40)];

/** The largest difference between two servers' vectors of the same texts. */
async function distance(a: Target, b: Target): Promise<number> {
  const vectors = async ({ embedder, embeddingModel: model }: Target) => {
    const { data } = await embedder.embeddings.create({ model, input: TEXTS, encoding_format: "float" });
    return data.flatMap(({ embedding }) => embedding);
  };
  const [ours, theirs] = [await vectors(a), await vectors(b)];
  check(ours.length === theirs.length, "the vectors are not as long as llama-server's");
  return Math.max(...ours.map((value, i) => Math.abs(value - theirs[i]!)));
}

/**
 * The order in which a server puts the texts. The scores differ: llama-server leaves out the separator after the
 * document, with which cross-encoders are trained.
 */
async function order(target: Target): Promise<string> {
  const { results } = await ranking(target, { query: "a harbour", documents: TEXTS });
  return results.map(({ index }) => index).join(" ");
}

export const openai: Soak = {
  name: "openai",
  description: "the scenarios of OpenAI's client against llmspell serve and llama-server",
  async run({ full }) {
    using box = new Sandbox();
    const directory = join(box.tmp, "models");
    mkdirSync(directory);
    const bert = generateBert(directory, "bert-f32");
    const ranker = generateBert(directory, "bert-rank-f32");
    for (const [file, id] of [
      [bert, EMBEDDING_MODEL],
      [ranker, RANKING_MODEL],
    ] as const) {
      const imported = await box.run(["model", "import", file, "--name", id]);
      check(imported.code === 0, `the model ${id} cannot be imported`, imported.stderr);
    }

    await using server = await serve(box, [], { env: { LLMSPELL_SERVE_TOKEN: TOKEN } });
    const us = targetOf(server.url, server.url, server.url);
    const ours = await failed(us);
    check(ours.size === 0, "scenarios do not hold for llmspell serve", Object.fromEntries(ours));

    // built at the first full run, which takes minutes
    if (!full) return { scenarios: scenarios.length };
    const program = await llamaProgram("llama-server");
    if (typeof program !== "string") return { scenarios: scenarios.length, "llama-server": program.why };
    await using chat = await LlamaServer.start(program, resolve(SPELL_MINI), TOKEN, [
      ...["--alias", "spell-mini", "--jinja", "-np", "8", "-c", String(8 * 1024)],
    ]);
    await using embedding = await LlamaServer.start(program, bert, TOKEN, [
      "--alias",
      EMBEDDING_MODEL,
      "--embeddings",
    ]);
    await using ranks = await LlamaServer.start(program, ranker, TOKEN, [
      "--alias",
      RANKING_MODEL,
      "--rerank",
    ]);
    const peer = targetOf(`${chat.origin}/v1`, `${embedding.origin}/v1`, `${ranks.origin}/v1`);
    const theirs = await failed(peer);
    const told = new Set(scenarios.flatMap(({ name, peer }) => (peer === undefined ? [] : [name])));
    const untold = [...theirs].filter(([name]) => !told.has(name));
    check(untold.length === 0, "scenarios do not hold for llama-server", Object.fromEntries(untold));
    const held = [...told].filter((name) => !theirs.has(name));
    check(held.length === 0, "scenarios are said not to hold for llama-server and do", held);
    const apart = await distance(us, peer);
    check(apart < 1e-3, "the embeddings are not llama-server's", `they differ by ${apart}`);
    const orders = [await order(us), await order(peer)];
    check(orders[0] === orders[1], "the ranking is not llama-server's", orders);
    return {
      scenarios: scenarios.length,
      "held by llama-server too": scenarios.length - theirs.size,
      "embeddings differ by": apart.toExponential(1),
    };
  },
};
