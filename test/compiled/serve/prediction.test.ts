/** What an answer repeats, or is predicted to be, is decoded in fewer steps; `usage` tells how much of it. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import OpenAI from "openai";
import { Sandbox } from "../../support/cli.ts";
import { generateModel } from "../../support/gguf-models.ts";
import { serve } from "../../support/serve.ts";

/** Its vocabulary has the bytes of these only, so that a text is spelled in one way. */
const TEXT = Array.from({ length: 40 }, (_, i) => String.fromCodePoint(0x4e00 + ((i * 7) % 31))).join("");

async function served(settings: string, ask: (client: OpenAI) => Promise<void>): Promise<void> {
  using box = new Sandbox();
  const path = generateModel(box.cwd, "llama-f32");
  expect((await box.run(["model", "import", path, "--name", "noise:x"])).code).toBe(0);
  writeFileSync(join(box.cwd, "llmspell.toml"), `[providers.local]\nprovider_type = "llamacpp"\n${settings}`);
  await using server = await serve(box);
  await ask(new OpenAI({ baseURL: server.url, apiKey: "none", maxRetries: 0 }));
}

async function answer(
  client: OpenAI,
  content: string,
  prediction?: OpenAI.ChatCompletionPredictionContent | null,
) {
  const { choices, usage } = await client.chat.completions.create({
    model: "noise:x",
    messages: [{ role: "user", content }],
    max_tokens: 200,
    ...(prediction === undefined ? {} : { prediction }),
    ...({ grammar: `root ::= "${TEXT}"` } as object),
  });
  expect(choices[0]!.message.content).toBe(TEXT);
  const { accepted_prediction_tokens: accepted, rejected_prediction_tokens: rejected } =
    usage!.completion_tokens_details!;
  return { accepted: accepted!, rejected: rejected!, tokens: usage!.completion_tokens };
}

test("by its prompt, by a prediction of its content, and by none where that is off", async () => {
  await served("", async (client) => {
    const plain = await answer(client, "Go on");
    const repeated = await answer(client, `Say this: ${TEXT}`);
    expect(repeated.accepted).toBeGreaterThan(plain.accepted + repeated.tokens / 3);

    const { tokens, accepted, rejected } = await answer(client, "Go on", { type: "content", content: TEXT });
    expect(accepted).toBeGreaterThan(0.8 * tokens); // seven of eight
    const parts = [TEXT.slice(0, 20), TEXT.slice(20)].map((text) => ({ type: "text" as const, text }));
    expect(await answer(client, "Go on", { type: "content", content: parts })).toEqual({
      tokens,
      accepted,
      rejected,
    });
    expect(await answer(client, "Go on", null)).toEqual(plain);

    const wrong = await answer(client, "Go on", { type: "content", content: "Nothing of the kind" });
    expect(wrong.accepted).toBe(plain.accepted);
    expect(wrong.rejected).toBeGreaterThan(plain.rejected);

    const asked = client.chat.completions.create({
      model: "noise:x",
      messages: [{ role: "user", content: "Go on" }],
      prediction: { type: "content" } as never,
    });
    const refusal = await asked.then(
      () => "an answer",
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({ status: 400 });
    expect(String(refusal)).toContain("prediction");
  });
  await served("speculative_tokens = 0\n", async (client) => {
    const off = await answer(client, `Say this: ${TEXT}`, { type: "content", content: TEXT });
    expect(off).toMatchObject({ accepted: 0, rejected: 0 });
  });
}, 30_000);

test("a number of tokens that no step takes is refused with its place", async () => {
  using box = new Sandbox();
  writeFileSync(
    join(box.cwd, "llmspell.toml"),
    '[providers.local]\nprovider_type = "llamacpp"\nspeculative_tokens = 17\n',
  );
  const { code, stdout } = await box.run(["config", "validate"]);
  expect(code).not.toBe(0);
  expect(stdout).toContain("providers.local.speculative_tokens");
  expect(stdout).toContain("16");
});
