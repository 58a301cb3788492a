/**
 * Writes shift.json: what llama.cpp's own llama-server generates where it shifts a full context.
 *
 *   bun test/model/reference/generate-shift.ts PATH/TO/llama-server
 *
 * The server keeps one token of its context free: its 256 tokens are 255 of ours.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { generateModel } from "../../support/gguf-models.ts";

const server = process.argv[2];
if (server === undefined)
  throw new Error("Usage: bun test/model/reference/generate-shift.ts PATH/TO/llama-server");
const address = "http://127.0.0.1:18098";
const directory = mkdtempSync(join(tmpdir(), "llmspell-reference-"));
const model = generateModel(directory, "llama-f32");
const options = "-c 256 -t 1 -np 1 --port 18098 --no-webui --context-shift -fa off".split(" ");
const child = Bun.spawn([server, "-m", model, ...options], {
  stdout: "ignore",
  stderr: "ignore",
  env: { ...Bun.env, LD_LIBRARY_PATH: dirname(server) },
});
try {
  while (!(await fetch(`${address}/health`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null) throw new Error(`llama-server ended with ${child.exitCode}`);
    await Bun.sleep(100);
  }
  const references = [];
  for (const [prompt, keepTokens] of [
    ["Hello there, 12 words.", 4],
    ["la mu si, ge fa do? one two three", 10],
    ["Hello there, 12 words.", 0],
  ] as const) {
    const answer = await fetch(`${address}/completion`, {
      method: "POST",
      body: JSON.stringify({
        prompt,
        n_predict: 500,
        n_keep: keepTokens,
        temperature: 0,
        repeat_penalty: 1,
        cache_prompt: false,
        return_tokens: true,
      }),
    });
    const { tokens } = (await answer.json()) as { tokens: number[] };
    references.push({ prompt, keepTokens, tokens });
  }
  await Bun.write(join(import.meta.dir, "shift.json"), `${JSON.stringify(references)}\n`);
} finally {
  child.kill();
  rmSync(directory, { recursive: true, force: true });
}
