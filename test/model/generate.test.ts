import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadLlama } from "../../src/ffi/llama/library.ts";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { Loaded } from "../../src/models/llamacpp/loaded.ts";
import { Turns } from "../../src/models/llamacpp/turns.ts";
import { GENERATED_MODELS, generateModel, SPELL_MINI } from "../support/gguf-models.ts";
import { failureOf, greedy, specOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-generate-"));
const LIBRARIES = join(import.meta.dir, "../../build/native", `${process.platform}-${process.arch}`);
const client = new InferenceClient();
const noise = specOf(generateModel(directory, "llama-f32"));
const spellMini = specOf(SPELL_MINI);
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

describe("sampling", () => {
  const sampled = (seed: number) => ({
    sampling: { temperature: 1.5, topK: 0, topP: 1, seed },
    maxTokens: 24,
    reusePrefix: false,
  });

  test("gives the same answer for the same seed and another for another", async () => {
    const first = await client.generate(noise, greedy("Hello", sampled(7)));
    const again = await client.generate(noise, greedy("Hello", sampled(7)));
    const other = await client.generate(noise, greedy("Hello", sampled(8)));
    expect(again.tokens).toEqual(first.tokens);
    expect(other.tokens).not.toEqual(first.tokens);
  });

  test("with one candidate left is greedy, whichever option leaves it", async () => {
    const { tokens } = await client.generate(noise, greedy("Hello", { maxTokens: 16, reusePrefix: false }));
    for (const only of [{ topK: 1 }, { topP: 1e-6 }, { minP: 1 }]) {
      const sampling = { temperature: 1, topK: 0, topP: 1, minP: 0, repeatPenalty: 1, seed: 3, ...only };
      const one = await client.generate(
        noise,
        greedy("Hello", { sampling, maxTokens: 16, reusePrefix: false }),
      );
      expect(one.tokens).toEqual(tokens);
    }
  });

  test("never repeats a token that a large presence penalty forbids", async () => {
    const sampling = { temperature: 0, repeatPenalty: 1, presencePenalty: 1000, repeatLastN: 512 };
    const { tokens } = await client.generate(noise, greedy("Hello", { sampling, maxTokens: 60 }));
    expect(tokens.length).toBe(60);
    expect(new Set(tokens).size).toBe(60);
  });

  test("refuses a repetition penalty of zero", async () => {
    const error = await failureOf(
      client.generate(noise, greedy("Hello", { sampling: { repeatPenalty: 0 } })),
    );
    expect(error.code).toBe("invalid_argument");
    expect(error.message).toContain("penalty_repeat must be finite and greater than 0");
  });

  test("keeps to a grammar", async () => {
    const prompt = { text: "Hello", grammar: 'root ::= "[" [0-9]{3} ("," [0-9]{3}){2} "]"' };
    const { text, end } = await client.generate(noise, greedy("", { prompt, maxTokens: 64 }));
    expect(text).toMatch(/^\[\d{3},\d{3},\d{3}\]$/);
    expect(end).toBe("end");
  });

  test("says that a grammar is not valid", async () => {
    const error = await failureOf(
      client.generate(noise, greedy("", { prompt: { text: "x", grammar: "root ::= (" } })),
    );
    expect(error).toMatchObject({ code: "invalid_argument" });
  });
});

describe("stop texts", () => {
  test("end the answer, across tokens, and are not part of it", async () => {
    const whole = await client.generate(noise, greedy("Hello there, 12 words.", { maxTokens: 32 }));
    const pieces = await Promise.all(
      whole.tokens.map((token) => client.detokenize(noise, new Int32Array([token]), true)),
    );
    // half of one token and half of the next
    const at = pieces.findIndex((piece, i) => /^\w{3,}$/.test(piece) && /^\w{3,}$/.test(pieces[i + 1] ?? ""));
    const stop = pieces[at]!.slice(-2) + pieces[at + 1]!.slice(0, 2);
    const streamed: string[] = [];
    const result = await client.generate(
      noise,
      greedy("Hello there, 12 words.", { maxTokens: 32, stops: ["never", stop] }),
      {
        onEvent: (event) => event.type === "text" && streamed.push(event.text),
      },
    );
    expect(result.end).toBe("stop");
    expect(result.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)));
    expect(streamed.join("")).toBe(result.text);
  });
});

describe("text", () => {
  test("is streamed whole, characters that are split over tokens included", async () => {
    // byte tokens come one by one; llama.cpp's own detokenizer says what they are together
    for (const prompt of ["Hello there, 12 words.", "äöü 漢字 🎉"]) {
      const streamed: string[] = [];
      const result = await client.generate(noise, greedy(prompt, { maxTokens: 64 }), {
        onEvent: (event) => event.type === "text" && streamed.push(event.text),
      });
      expect(streamed.join("")).toBe(result.text);
      expect(result.text).toBe(await client.detokenize(noise, Int32Array.from(result.tokens), false));
    }
  });

  test("survives tokenizing and detokenizing", async () => {
    for (const text of ["Hello", "äöü 漢字 🎉", "a\0b", "  two  spaces\n\ttab"]) {
      const tokens = await client.tokenize(spellMini, text, false, false);
      expect(await client.detokenize(spellMini, tokens, true)).toBe(text);
    }
  });

  test("of a control token is read as one only when asked to", async () => {
    expect((await client.tokenize(spellMini, "<|end|>", false, true)).length).toBe(1);
    expect((await client.tokenize(spellMini, "<|end|>", false, false)).length).toBeGreaterThan(1);
  });

  test("is not made from tokens that do not exist", async () => {
    const error = await failureOf(client.detokenize(spellMini, new Int32Array([1504]), true));
    expect(error.code).toBe("invalid_argument");
  });
});

describe("limits", () => {
  test("end the answer at maxTokens", async () => {
    const result = await client.generate(noise, greedy("Hello", { maxTokens: 5 }));
    expect(result).toMatchObject({ end: "limit" });
    expect(result.tokens.length).toBe(5);
  });

  test("end the answer where the context is full", async () => {
    const result = await client.generate(
      { ...noise, contextTokens: 40 },
      greedy("Hello", { maxTokens: 1000 }),
    );
    expect(result.end).toBe("context");
    // the last token is chosen from a full context and needs no place in it
    expect(result.promptTokens + result.tokens.length).toBe(41);
  });

  test("refuse a prompt that does not fit, and say by how much", async () => {
    const spec = { ...noise, contextTokens: 40 };
    const text = "word ".repeat(60);
    const promptTokens = await client.count(spec, { text });
    const error = await failureOf(client.generate(spec, greedy(text)));
    expect(error.code).toBe("context_overflow");
    expect(error.data).toEqual({ promptTokens, contextTokens: 40, overTokens: promptTokens - 39 });
  });

  test("take a prompt that fits to the last place", async () => {
    const promptTokens = await client.count(noise, { text: "word word word" });
    const result = await client.generate(
      { ...noise, contextTokens: promptTokens + 1 },
      greedy("word word word"),
    );
    expect(result.promptTokens).toBe(promptTokens);
    expect(result.tokens.length).toBeGreaterThan(0);
  });
});

describe("cancelling", () => {
  const long = () =>
    generateModel(directory, "long", {
      ...GENERATED_MODELS["llama-f32"]!,
      width: 256,
      layers: 8,
      heads: 8,
      headWidth: 32,
      feedForward: 1024,
      contextTokens: 8192,
    });

  test("stops an answer after a token and leaves the model usable", async () => {
    const cancel = new AbortController();
    let texts = 0;
    const running = client.generate({ ...noise, contextTokens: 8000 }, greedy("Hello", { maxTokens: 7000 }), {
      signal: cancel.signal,
      onEvent: () => ++texts === 3 && cancel.abort(new Error("enough")),
    });
    expect((await failureOf(running)).message).toBe("enough");
    const after = await client.generate(noise, greedy("Hello", { maxTokens: 4, reusePrefix: false }));
    expect(after.tokens.length).toBe(4);
  });

  test("stops within the decoding of a long prompt, and the next call is right", async () => {
    const spec = { ...specOf(long()), contextTokens: 8192, batchTokens: 8192, ubatchTokens: 512 };
    const text = "one two three four five ".repeat(540);
    await client.load(spec);
    const cancel = new AbortController();
    const running = client.generate(spec, greedy(text, { maxTokens: 1 }), { signal: cancel.signal });
    setTimeout(() => cancel.abort(new Error("enough")), 30);
    expect((await failureOf(running)).message).toBe("enough");

    const after = await client.generate(spec, greedy("one two three", { maxTokens: 8 }));
    const fresh = await client.generate(spec, greedy("one two three", { maxTokens: 8, reusePrefix: false }));
    expect(after.tokens).toEqual(fresh.tokens);
  });

  test("of a waiting call leaves the running one alone", async () => {
    const running = client.generate(noise, greedy("Hello", { maxTokens: 100 }));
    const cancel = new AbortController();
    const waiting = client.generate(noise, greedy("Other", { maxTokens: 100 }), { signal: cancel.signal });
    cancel.abort(new Error("not needed"));
    expect((await failureOf(waiting)).message).toBe("not needed");
    expect((await running).tokens.length).toBe(100);
  });

  test("of a waiting call is known at once, before the running one ends", async () => {
    const order: string[] = [];
    const running = client
      .generate(noise, greedy("Hello", { maxTokens: 400 }))
      .then(() => order.push("running"));
    const cancel = new AbortController();
    const waiting = failureOf(client.generate(noise, greedy("Other"), { signal: cancel.signal })).then(() =>
      order.push("cancelled"),
    );
    cancel.abort(new Error("not needed"));
    await Promise.all([running, waiting]);
    expect(order).toEqual(["cancelled", "running"]);
  });

  test("before the call makes none", async () => {
    const error = await failureOf(
      client.generate(noise, greedy("x"), { signal: AbortSignal.abort(new Error("early")) }),
    );
    expect(error.message).toBe("early");
  });
});

describe("loading", () => {
  test("that is cancelled ends within llama.cpp, and leaves the thread able to load again", () => {
    const library = loadLlama(LIBRARIES);
    const words = new Int32Array(new SharedArrayBuffer(8));
    words[0] = 1;
    expect(() => Loaded.load(library, noise, words, new Turns())).toThrow("Loading the model was cancelled");
    words[0] = 0;
    using loaded = Loaded.load(library, noise, words, new Turns());
    expect(loaded.describe().vocabularySize).toBe(1504);
    expect(words[1]).toBe(1000); // thousandths of the file
  });

  test("that is cancelled leaves no model in memory", async () => {
    const other = new InferenceClient();
    await other.loaded();
    const cancel = new AbortController();
    const loading = failureOf(other.load(noise, { signal: cancel.signal }));
    cancel.abort(new Error("not needed"));
    expect((await loading).message).toBe("not needed");
    expect(await other.loaded()).toEqual([]);
    await other.dispose();
  });
});

describe("the inference thread", () => {
  test("answers many calls in turn, each with its own text", async () => {
    const prompts = Array.from({ length: 12 }, (_, i) => `Number ${i}`);
    const together = await Promise.all(
      prompts.map((p) => client.generate(noise, greedy(p, { maxTokens: 12, reusePrefix: false }))),
    );
    for (const [i, prompt] of prompts.entries()) {
      const alone = await client.generate(noise, greedy(prompt, { maxTokens: 12, reusePrefix: false }));
      expect(together[i]!.tokens).toEqual(alone.tokens);
    }
  });

  test("takes more calls than it has slots", async () => {
    const counts = await Promise.all(
      Array.from({ length: 300 }, () => client.count(noise, { text: "one two" })),
    );
    expect(new Set(counts).size).toBe(1);
  });

  test("says what is loaded, and unloads it", async () => {
    const other = new InferenceClient();
    expect(await other.loaded()).toEqual([]);
    const loaded = await other.load(spellMini);
    expect(loaded).toMatchObject({ contextTokens: 512, trainedContextTokens: 1024, vocabularySize: 1504 });
    expect(await other.loaded()).toEqual([loaded]);
    expect(await other.unload(SPELL_MINI)).toBe(true);
    expect(await other.loaded()).toEqual([]);
    await other.dispose();
  });

  test("keeps four models at most, the last used ones", async () => {
    const other = new InferenceClient();
    const specs = [32, 64, 96, 128, 160].map((contextTokens) => ({ ...noise, contextTokens }));
    for (const spec of specs.slice(0, 4)) await other.load(spec);
    await other.load(specs[0]!);
    await other.load(specs[4]!);
    expect((await other.loaded()).map((m) => m.contextTokens)).toEqual([96, 128, 32, 160]);
    await other.dispose();
  });

  test("cancels what is pending when it is disposed of, and starts again at the next call", async () => {
    const other = new InferenceClient();
    const begun = Promise.withResolvers<void>();
    const endless = { ...noise, contextTokens: 8000 };
    const running = failureOf(
      other.generate(endless, greedy("Hello", { maxTokens: 7000 }), { onEvent: () => begun.resolve() }),
    );
    const waiting = failureOf(other.generate(endless, greedy("Hello")));
    await begun.promise;
    await other.dispose();
    expect((await running).code).toBe("interrupted");
    expect((await waiting).code).toBe("interrupted");
    expect(await other.count(noise, { text: "one" })).toBeGreaterThan(0);
    await other.dispose();
  });

  test("fails what is pending when it is lost, and starts again at the next call", async () => {
    const other = new InferenceClient();
    const begun = Promise.withResolvers<void>();
    const running = failureOf(
      other.generate({ ...noise, contextTokens: 8000 }, greedy("Hello", { maxTokens: 7000 }), {
        onEvent: () => begun.resolve(),
      }),
    );
    await begun.promise;
    const worker = await (other as unknown as { worker: Promise<Worker> }).worker;
    worker.terminate();
    expect(await running).toMatchObject({ code: "provider" });
    expect((await running).message).toContain("the inference thread ended");
    expect(await other.count(noise, { text: "one" })).toBeGreaterThan(0);
    await other.dispose();
  });
});
