import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import type { GenerateRequest, ModelSpec } from "../../src/models/llamacpp/protocol.ts";
import { GENERATED_MODELS, generateModel, SPELL_MINI } from "../support/gguf-models.ts";
import { CALCULATOR, failureOf, greedy, specOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-scheduler-"));
/**
 * Weights and attention in full precision: how a batch is rounded, which some processors do otherwise for one row than for
 * several, then changes no token.
 */
const exact = (name: string): ModelSpec => ({
  ...specOf(generateModel(directory, `${name}-exact`, { ...GENERATED_MODELS[name]!, type: "F32" })),
  flashAttention: false,
});
const noise = exact("llama-f32");
const mini = specOf(SPELL_MINI);
const client = new InferenceClient();
/** Answers one request after another, from an empty context each time. */
const alone = new InferenceClient();
afterAll(async () => {
  await Promise.all([client.dispose(), alone.dispose()]);
  rmSync(directory, { recursive: true, force: true });
});

const single = (spec: ModelSpec, request: GenerateRequest) =>
  alone.generate({ ...spec, sequences: 1 }, { ...request, reusePrefix: false });

/**
 * Long and short prompts, with and without a common beginning; answers of all lengths, ends and ways to choose.
 * @param isTrained a model that knows what it says where it is asked, and only there: quantised, what it guesses is a matter of
 * how the last bit is rounded
 */
function mixed(index: number, isTrained: boolean): GenerateRequest {
  const text = `${"one two three four five ".repeat(index % 7)} Number ${index} ${"la mu si ".repeat((index * 13) % 29)}`;
  const chat = {
    messages: [
      { role: "system", content: "You are Ada." },
      { role: "user", content: `What is ${index}*7+3?` },
    ],
    tools: [
      {
        type: "function",
        function: {
          name: CALCULATOR.name,
          description: CALCULATOR.description,
          parameters: CALCULATOR.inputSchema,
        },
      },
    ],
  };
  const variants: Partial<GenerateRequest>[] = [
    {},
    { prompt: { chat } },
    { reusePrefix: false },
    { prompt: { text, grammar: 'root ::= "[" [0-9]{3} ("," [0-9]{3}){2} "]"' } },
    { stops: ["a", "the"] },
    { sampling: { temperature: 0, repeatPenalty: 1.3, repeatLastN: 64 } },
    { sampling: { temperature: 1.2, topK: 30, topP: 0.95, seed: index } },
  ];
  const request = greedy(text, { maxTokens: 5 + ((index * 7) % 60), ...variants[index % variants.length] });
  return isTrained ? { ...request, prompt: { chat } } : request;
}

describe("fifty mixed requests at once are answered as each is alone", () => {
  const models: Record<string, ModelSpec> = {
    llama: noise,
    qwen2: exact("qwen2-f16"),
    "spell-mini": mini,
  };
  for (const [name, spec] of Object.entries(models)) {
    test(name, async () => {
      const requests = Array.from({ length: 50 }, (_, index) => mixed(index, spec === mini));
      const together = await Promise.all(requests.map((request) => client.generate(spec, request)));
      for (const [index, request] of requests.entries()) {
        const { tokens, text, end } = await single(spec, request);
        expect({ index, ...pick(together[index]!) }).toEqual({ index, tokens, text, end });
      }
    });
  }
});

describe("the prompt's beginning is taken from the context", () => {
  test("by a second turn, which reads its new tokens only", async () => {
    const user = (content: string) => ({ role: "user", content });
    const messages = [{ role: "system", content: "You are Ada." }, user("What is 12 times 7?")];
    const ask = (chat: typeof messages) =>
      greedy("", { prompt: { chat: { messages: chat } }, maxTokens: 40 });
    const first = await client.generate(mini, ask(messages));
    expect(first.end).toBe("end");
    const longer = [...messages, { role: "assistant", content: first.text }, user("And 5 plus 6?")];
    const second = await client.generate(mini, ask(longer));
    // the end token was chosen but never decoded
    expect(second.cachedTokens).toBe(first.promptTokens + first.tokens.length - 1);
    expect(second.tokens).toEqual((await single(mini, ask(longer))).tokens);
  });

  test("by agents that begin at once with the same instructions: one reads them for all", async () => {
    const fresh = { ...noise, contextTokens: 480 };
    const system = "You are one of many agents with the same long instructions. ".repeat(6);
    const shared = (await client.count(fresh, { text: system })) - 1;
    const results = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        client.generate(fresh, greedy(`${system}Agent ${i}`, { maxTokens: 8 })),
      ),
    );
    expect(results.filter(({ cachedTokens }) => cachedTokens === 0).length).toBe(1);
    expect(results.filter(({ cachedTokens }) => cachedTokens >= shared).length).toBe(5);
    for (const [i, { tokens }] of results.entries())
      expect(tokens).toEqual((await single(fresh, greedy(`${system}Agent ${i}`, { maxTokens: 8 }))).tokens);
  });

  test("of each of several conversations, though they take turns", async () => {
    const fresh = { ...noise, contextTokens: 470 };
    const talks = ["apples", "houses", "rivers"].map((word) => `We talk about ${`${word} `.repeat(12)}`);
    for (const talk of talks) await client.generate(fresh, greedy(talk, { maxTokens: 4 }));
    for (const talk of talks) {
      const next = await client.generate(fresh, greedy(`${talk} and more`, { maxTokens: 4 }));
      expect(next.promptTokens - next.cachedTokens).toBeLessThan(10);
    }
  });

  test("not where the call says so, and nothing of it is kept", async () => {
    const fresh = { ...noise, contextTokens: 460 };
    const request = greedy("one two three four", { maxTokens: 4, reusePrefix: false });
    await client.generate(fresh, request);
    expect(await client.generate(fresh, request)).toMatchObject({ cachedTokens: 0 });
    expect(await statsOf(fresh)).toMatchObject({ heldTokens: 0 });
  });
});

describe("the room", () => {
  test("that is too small for all answers makes the youngest wait, and changes none of them", async () => {
    const tight = { ...noise, contextTokens: 64 };
    const requests = Array.from({ length: 8 }, (_, i) => greedy(`P ${i} abc`, { maxTokens: 1000 }));
    const together = await Promise.all(requests.map((request) => client.generate(tight, request)));
    for (const [i, request] of requests.entries()) {
      const { tokens, text, end } = await single(tight, request);
      expect(end).toBe("context");
      expect(pick(together[i]!)).toEqual({ tokens, text, end });
    }
  });

  test("never holds more than its size, and drops the conversation that rested longest", async () => {
    const tight = { ...noise, contextTokens: 100, sequences: 1 };
    const talk = (word: string) => greedy(`${word} `.repeat(12), { maxTokens: 2 });
    for (const word of ["apple", "house", "river", "stone", "cloud"])
      await client.generate(tight, talk(word));
    const held = await statsOf(tight);
    expect(held.heldTokens).toBeLessThanOrEqual(held.roomTokens);
    expect((await client.generate(tight, talk("cloud"))).cachedTokens).toBeGreaterThan(20);
    expect((await client.generate(tight, talk("apple"))).cachedTokens).toBeLessThan(5);
  });

  test("of a thousand requests at once is that of those that run; the others wait", async () => {
    const results = Promise.all(
      Array.from({ length: 1000 }, (_, i) => client.generate(noise, greedy(`q ${i}`, { maxTokens: 3 }))),
    );
    const during = await statsOf(noise);
    expect(during.running).toBeLessThanOrEqual(8);
    expect(during.queued).toBeGreaterThan(900);
    const ends = new Set((await results).map(({ end }) => end));
    expect([...ends].every((end) => end === "limit" || end === "end")).toBe(true);
    expect(await statsOf(noise)).toMatchObject({ queued: 0, running: 0 });
  });
});

describe("a request beside others", () => {
  test("begins to answer while a long prompt is still read", async () => {
    const order: string[] = [];
    const spec = { ...noise, contextTokens: 500, batchTokens: 64 };
    const long = client.generate(spec, greedy("long prompt ".repeat(150), { maxTokens: 2 })).then(() => {
      order.push("long");
    });
    const short = client.generate(spec, greedy("short", { maxTokens: 2 })).then(() => {
      order.push("short");
    });
    await Promise.all([long, short]);
    expect(order).toEqual(["short", "long"]);
  });

  test("that is cancelled leaves, and the others' answers are what they are without it", async () => {
    const request = greedy("Hello there", { maxTokens: 120 });
    const cancel = new AbortController();
    const cancelled = failureOf(
      client.generate(noise, greedy("Other", { maxTokens: 400 }), {
        signal: cancel.signal,
        onEvent: () => cancel.abort(new Error("not needed")),
      }),
    );
    const [other] = await Promise.all([client.generate(noise, request), cancelled]);
    expect((await cancelled).message).toBe("not needed");
    expect(other.tokens).toEqual((await single(noise, request)).tokens);
    expect(await statsOf(noise)).toMatchObject({ queued: 0, running: 0 });
  });

  test("that fails leaves the others alone", async () => {
    const request = greedy("Hello there", { maxTokens: 60 });
    const wrong = greedy("", { prompt: { text: "x", grammar: "root ::= (" } });
    const long = greedy("word ".repeat(700));
    const [good, ...bad] = await Promise.all([
      client.generate(noise, request),
      failureOf(client.generate(noise, wrong)),
      failureOf(client.generate(noise, long)),
    ]);
    expect(bad.map(({ code }) => code)).toEqual(["invalid_argument", "context_overflow"]);
    expect(good.tokens).toEqual((await single(noise, request)).tokens);
  });
});

const pick = ({ tokens, text, end }: { tokens: number[]; text: string; end: string }) => ({
  tokens,
  text,
  end,
});

/** Of the model with these contexts: the last one used, as models are listed in that order. */
async function statsOf(spec: ModelSpec) {
  await client.count(spec, { text: "x" });
  return (await client.stats()).at(-1)!;
}
