/** Tokens of a repetition are decoded on trial beside the next one: the answer is the same, in fewer steps. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { createLlamaModel } from "../../src/models/llamacpp/model.ts";
import type { GenerateRequest, ModelSpec } from "../../src/models/llamacpp/protocol.ts";
import { GENERATED_MODELS, generateModel } from "../support/gguf-models.ts";
import { uniform } from "../support/random.ts";
import { ask, failureOf, greedy, specOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-speculation-"));
/** In full precision a token's numbers are the same in a batch of several as in one of its own. */
const exact = (name: string): ModelSpec => ({
  ...specOf(generateModel(directory, `${name}-exact`, { ...GENERATED_MODELS[name]!, type: "F32" })),
  flashAttention: false,
});
const noise = exact("llama-f32");
const client = new InferenceClient();
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

/** The same request with and without speculation, each from an empty context. */
async function both(spec: ModelSpec, request: GenerateRequest) {
  const fresh = { ...request, reusePrefix: false };
  const tried = await client.generate(spec, fresh);
  const single = await client.generate(spec, { ...fresh, speculativeTokens: 0 });
  expect(single).toMatchObject({ draftedTokens: 0, acceptedTokens: 0 });
  expect(shown(tried)).toEqual(shown(single));
  return tried;
}

function shown<T extends { tokens: number[]; text: string; end: string }>({ tokens, text, end }: T) {
  return { tokens, text, end };
}

/**
 * A text in ideographs, one for each of its words: the vocabulary has only their bytes, so that prompt and answer are spelled
 * alike whatever the model would rather say.
 */
const words: string[] = [];
function inSigns(text: string): string {
  return text
    .match(/\w+|\s+|[^\w\s]/g)!
    .map((word) =>
      String.fromCodePoint(0x4e00 + (words.includes(word) ? words.indexOf(word) : words.push(word) - 1)),
    )
    .join("");
}

/** A grammar that allows one text only. */
const dictated = (text: string) => `root ::= "${text}"`;

const SOURCE = `const first = readFile(path, "utf8");
const second = readFile(other, "utf8");
if (first !== second) console.log(first, second);
export function compare(path, other) { return first === second; }
`;
const PAGE = inSigns(SOURCE);

describe("the answer is what it is token by token", () => {
  for (const name of ["llama-f32", "qwen2-f16", "gemma-q8_0", "phi3-q8_0"])
    test(`of a model that soon repeats itself: ${name}`, async () => {
      const spec = exact(name);
      const next = uniform(name.length);
      const sum = { drafted: 0, accepted: 0 };
      for (let i = 0; i < 30; i++) {
        const sampling: Partial<GenerateRequest["sampling"]>[] = [
          {},
          { repeatPenalty: 1.05, repeatLastN: 16 },
          { temperature: 0.2, topK: 5, seed: i },
          { temperature: 0.9, topP: 0.6, seed: i },
        ];
        const request = greedy(`${"la mu si ".repeat(Math.floor(next() * 9))}${i}`, {
          maxTokens: 20 + Math.floor(next() * 180),
          ...(i % 5 === 0 ? { speculativeTokens: 16 } : {}),
          ...(i % 3 === 0 ? { stops: ["si", "a a"] } : {}),
        });
        const made = await both(spec, {
          ...request,
          sampling: { ...request.sampling, ...sampling[i % sampling.length] },
        });
        sum.drafted += made.draftedTokens;
        sum.accepted += made.acceptedTokens;
      }
      expect(sum.accepted).toBeGreaterThan(0);
      expect(sum.drafted).toBeGreaterThan(sum.accepted); // some were wrong
    });

  test("wherever maxTokens or a full context ends it", async () => {
    const text = inSigns("one two three, ").repeat(9);
    const all = await both(
      noise,
      greedy(text, { prompt: { text, grammar: dictated(text) }, maxTokens: 200 }),
    );
    expect([all.text, all.end]).toEqual([text, "end"]);
    for (let maxTokens = 1; maxTokens <= 30; maxTokens++) {
      const cut = await client.generate(noise, {
        ...greedy(text, { prompt: { text, grammar: dictated(text) }, maxTokens }),
        reusePrefix: false,
      });
      expect([cut.tokens, cut.end]).toEqual([all.tokens.slice(0, maxTokens), "limit"]);
    }
    for (let contextTokens = all.promptTokens + 1; contextTokens <= all.promptTokens + 12; contextTokens++) {
      const spec = { ...noise, contextTokens, sequences: 1 };
      const full = await client.generate(spec, greedy(text, { prompt: { text, grammar: dictated(text) } }));
      const tokens = contextTokens - all.promptTokens + 1; // the last one chosen is not decoded
      expect([full.tokens, full.end]).toEqual([all.tokens.slice(0, tokens), "context"]);
    }
  }, 60_000);

  test("where a stop text lies within what was decoded on trial, and the next turn goes on from there", async () => {
    const text = inSigns(SOURCE.replaceAll("second", "third"));
    const stop = inSigns("export");
    const stops = [stop];
    const prompt = { text: PAGE, grammar: dictated(text) };
    const stopped = await both(noise, greedy("", { prompt, stops, maxTokens: 400 }));
    expect([stopped.text, stopped.end]).toEqual([text.slice(0, text.indexOf(stop)), "stop"]);
    const kept = await client.generate(noise, greedy("", { prompt, stops, maxTokens: 400 }));
    const longer = { text: `${PAGE}${kept.text}${inSigns("and on")}`, grammar: dictated(PAGE.slice(0, 20)) };
    const next = await client.generate(noise, greedy("", { prompt: longer, maxTokens: 400 }));
    expect(next.cachedTokens).toBeGreaterThan(stopped.promptTokens);
    expect(shown(next)).toEqual(shown(await both(noise, greedy("", { prompt: longer, maxTokens: 400 }))));
  });

  test("beside others that come and go", async () => {
    const requests = Array.from({ length: 12 }, (_, i) => {
      const text = inSigns("a bee sees the sea. ").repeat(2 + (i % 3));
      return greedy("", {
        prompt: { text: `${i}${text}`, grammar: dictated(text) },
        maxTokens: 10 * (i + 1),
      });
    });
    const made = [];
    for (const [i, request] of requests.entries()) {
      made.push(client.generate(noise, request));
      if (i % 3 === 2) await Promise.race(made.slice(-3)); // one, two and three at a time
    }
    for (const [i, answer] of (await Promise.all(made)).entries())
      expect(shown(answer)).toEqual(shown(await both(noise, requests[i]!)));
  });
});

describe("what is repeated", () => {
  const edited = inSigns(SOURCE.replaceAll("first", "before"));
  const edit = greedy("", { prompt: { text: PAGE, grammar: dictated(edited) }, maxTokens: 600 });

  test("is decoded in few steps: most tokens of an edited text are drafted, and nearly all of these are right", async () => {
    const { tokens, draftedTokens, acceptedTokens, text } = await both(noise, edit);
    expect(text).toBe(edited);
    expect(acceptedTokens / tokens.length).toBeGreaterThan(0.4);
    expect(acceptedTokens / draftedTokens).toBeGreaterThan(0.7);
  });

  test("costs nothing where there is nothing to repeat", async () => {
    const next = uniform(7);
    const fresh = Array.from({ length: 60 }, () =>
      String.fromCodePoint(0x5e00 + Math.floor(next() * 4096)),
    ).join("");
    const prompt = { text: PAGE, grammar: dictated(fresh) };
    expect(await both(noise, greedy("", { prompt, maxTokens: 300 }))).toMatchObject({ draftedTokens: 0 });
  });

  test("is drafted with a setting of the model or of a call", async () => {
    const model = (speculativeTokens?: number) =>
      createLlamaModel({
        path: noise.path,
        id: "noise",
        threads: 1,
        device: "cpu",
        ...(speculativeTokens === undefined ? {} : { speculativeTokens }),
        client,
      });
    const call = (speculativeTokens?: number) =>
      ask(PAGE, {
        maxOutputTokens: 300,
        temperature: 0,
        providerOptions: {
          llamacpp: {
            grammar: dictated(PAGE),
            ...(speculativeTokens === undefined ? {} : { speculativeTokens }),
          },
        },
      });
    const drafted = async (ofModel?: number, ofCall?: number) => {
      const { usage } = await model(ofModel).doGenerate(call(ofCall));
      return Number(usage.raw!.accepted_prediction_tokens) + Number(usage.raw!.rejected_prediction_tokens);
    };
    expect(await drafted()).toBeGreaterThan(50);
    expect(await drafted(0)).toBe(0);
    expect(await drafted(0, 5)).toBeGreaterThan(50);
    expect(await drafted(5, 0)).toBe(0);
    for (const wrong of [-1, 17, 2.5])
      expect(await failureOf(model().doGenerate(call(wrong)))).toMatchObject({
        code: "invalid_argument",
        message: `Cannot call the model: "speculativeTokens" must be a whole number from 0 to 16: ${wrong}`,
      });
  });
});
