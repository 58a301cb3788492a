/** The scenarios against the executable. `bun run soak openai` runs them against llama-server too. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import OpenAI from "openai";
import { generateBert } from "../../support/bert.ts";
import { Sandbox } from "../../support/cli.ts";
import { type Served, serve } from "../../support/serve.ts";
import type { Target } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";

const TOKEN = "a-token-of-the-tests";

const box = new Sandbox();
let server: Served;
let target: Target;

beforeAll(async () => {
  for (const [shape, id] of [
    ["bert-f32", "words:f32"],
    ["bert-rank-f32", "rank:f32"],
  ] as const) {
    const imported = await box.run(["model", "import", generateBert(box.tmp, shape), "--name", id]);
    if (imported.code !== 0) throw new Error(imported.stderr);
  }
  server = await serve(box, [], { env: { LLMSPELL_SERVE_TOKEN: TOKEN } });
  const client = new OpenAI({ baseURL: server.url, apiKey: TOKEN, maxRetries: 0 });
  const stranger = new OpenAI({ baseURL: server.url, apiKey: `${TOKEN}-`, maxRetries: 0 });
  target = {
    client,
    stranger,
    embedder: client,
    ranker: client,
    chatModel: "spell-mini",
    embeddingModel: "words:f32",
    rankingModel: "rank:f32",
    contextTokens: 1024,
  };
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  box[Symbol.dispose]();
});

describe("OpenAI's client and llmspell serve", () => {
  for (const { name, run } of scenarios) test(name, () => run(target));
});
