/**
 * Writes greedy.json: what llama.cpp's own llama-server generates from the test models, token by token.
 *
 *   bun test/model/reference/generate.ts PATH/TO/llama-server
 *
 * The server is built from the release's own sources (native/README.md). Run again when the release, a model or a prompt changes.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { GENERATED_MODELS, generateModel, SPELL_MINI } from "../../support/gguf-models.ts";
import { MODELS, OUTPUT_TOKENS, PROMPTS, type Reference } from "../cases.ts";

const server = process.argv[2];
if (server === undefined) throw new Error("Usage: bun test/model/reference/generate.ts PATH/TO/llama-server");
const PORT = 18_097;
const directory = mkdtempSync(join(tmpdir(), "llmspell-reference-"));
const references: Reference[] = [];
try {
  for (const model of MODELS) {
    const path = model in GENERATED_MODELS ? generateModel(directory, model) : SPELL_MINI;
    await using process = start(path);
    await process.ready();
    for (const prompt of PROMPTS) references.push({ model, prompt, tokens: await complete(prompt) });
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
await Bun.write(join(import.meta.dir, "greedy.json"), `${JSON.stringify(references)}\n`);

function start(path: string) {
  const command = [
    server!,
    "-m",
    path,
    "-c",
    "512",
    "-t",
    "1",
    "-np",
    "1",
    "--port",
    String(PORT),
    "--no-webui",
  ];
  const env = { ...Bun.env, LD_LIBRARY_PATH: dirname(server!) };
  const child = Bun.spawn(command, { stdout: "ignore", stderr: "ignore", env });
  return {
    async ready() {
      for (;;) {
        if (child.exitCode !== null) throw new Error(`llama-server ended with ${child.exitCode}`);
        const health = await fetch(`http://127.0.0.1:${PORT}/health`).catch(() => undefined);
        if (health?.ok) return;
        await Bun.sleep(100);
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

async function complete(prompt: string): Promise<number[]> {
  const answer = await fetch(`http://127.0.0.1:${PORT}/completion`, {
    method: "POST",
    body: JSON.stringify({
      prompt,
      n_predict: OUTPUT_TOKENS,
      temperature: 0,
      repeat_penalty: 1,
      cache_prompt: false,
      return_tokens: true,
    }),
  });
  return ((await answer.json()) as { tokens: number[] }).tokens;
}
