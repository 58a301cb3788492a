/** How the memory is laid out changes no answer: one room for all sequences, or a part for each, and on the way in between. */
import { afterAll, afterEach, describe, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { llamaLibraries } from "../../src/ffi/library.ts";
import { Context } from "../../src/ffi/llama/context.ts";
import { loadLlama } from "../../src/ffi/llama/library.ts";
import type { Model } from "../../src/ffi/llama/model.ts";
import { ModelParts } from "../../src/models/llamacpp/model-parts.ts";
import {
  type GenerateRequest,
  type GenerateResult,
  type ModelSpec,
  REQUEST_WORDS,
} from "../../src/models/llamacpp/protocol.ts";
import { Scheduler } from "../../src/models/llamacpp/scheduler.ts";
import { Turns } from "../../src/models/llamacpp/turns.ts";
import { generateModel } from "../support/gguf-models.ts";
import { greedy, specOf } from "./support.ts";

const AGENTS = 8;
const CONTEXT_TOKENS = 2048;
/** Keys and values in 16 bits, of the generated models' two layers with two heads of 16 numbers. */
const BYTES_PER_TOKEN = 2 * 2 * (16 + 16) * 2;
/** A quarter of the free memory may be taken: parts of 512 tokens fit, parts of 1024 do not. */
const SCARCE_BYTES = 4 * AGENTS * 700 * BYTES_PER_TOKEN;

const directory = mkdtempSync(join(tmpdir(), "llmspell-layout-"));
const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const words = () => new Int32Array(new SharedArrayBuffer(4 * REQUEST_WORDS));
const { directory: libraries } = await llamaLibraries();

/** Weights and attention in full precision: no token depends on how a batch is rounded. */
function schedulerOf(
  more: Partial<ModelSpec> = {},
  freeBytes?: () => number,
  facts: Partial<Record<keyof Model, unknown>> = {},
): Scheduler {
  const path = generateModel(directory, "llama-f32");
  const spec = { ...specOf(path), contextTokens: CONTEXT_TOKENS, flashAttention: false, ...more };
  const turns = new Turns(new Int32Array([0]));
  const parts = ModelParts.load(loadLlama(libraries), spec, words(), turns);
  Object.assign(parts.model, facts);
  const scheduler = new Scheduler(parts, freeBytes);
  open.push(() => {
    scheduler.dispose();
    parts.dispose();
  });
  return scheduler;
}

const answer = (scheduler: Scheduler, request: GenerateRequest) =>
  scheduler.generate({ ...request, speculativeTokens: 0 }, { words: words() });
const together = (scheduler: Scheduler, requests: readonly GenerateRequest[]) =>
  Promise.all(requests.map((request) => answer(scheduler, request)));
const pick = ({ tokens, text, end }: GenerateResult) => ({ tokens, text, end });

/** What each is answered by a scheduler that has one sequence only. */
async function alone(requests: readonly GenerateRequest[], more: Partial<ModelSpec> = {}) {
  const scheduler = schedulerOf({ sequences: 1, ...more });
  const results: GenerateResult[] = [];
  for (const request of requests) results.push(await answer(scheduler, { ...request, reusePrefix: false }));
  return results.map(pick);
}

/** Answers of different lengths, so that some go on when others have left. */
const agents = (tokens: number) =>
  Array.from({ length: AGENTS }, (_, i) =>
    greedy(`Agent ${i} ${"la mu si ".repeat(i * 3)}`, { maxTokens: tokens - i * 40 }),
  );

const roomOf = (scheduler: Scheduler) => scheduler.stats().roomTokens;

/** Answers are long here, and memory is laid out anew in between. */
const TIMEOUT_MS = 60_000;

describe("requests that run beside each other for long", () => {
  test(
    "get a part of the memory each, which grows with the longest, and answers are what they are alone",
    async () => {
      const scheduler = schedulerOf();
      const atFirst = roomOf(scheduler);
      const longest = new Set<number>();
      const requests = agents(1100);
      const results = requests.map((request) =>
        answer(scheduler, request).finally(() => longest.add(scheduler.room.longestTokens)),
      );
      expect((await Promise.all(results)).map(pick)).toEqual(await alone(requests));
      expect([...longest]).toEqual([1024, 2048]);
      // eight that run and sixteen that are kept, instead of room for four contexts
      expect([atFirst, roomOf(scheduler)]).toEqual([4 * CONTEXT_TOKENS, 24 * CONTEXT_TOKENS]);
      expect(scheduler.addedBytes).toBe(20 * CONTEXT_TOKENS * BYTES_PER_TOKEN);
      expect(scheduler.room.isConsistent).toBe(true);
      expect(scheduler.stats()).toMatchObject({ running: 0, queued: 0 });
    },
    TIMEOUT_MS,
  );

  test(
    "share one room again where parts would take too much memory",
    async () => {
      const scheduler = schedulerOf({}, () => SCARCE_BYTES);
      const atFirst = roomOf(scheduler);
      const short = agents(400);
      expect((await together(scheduler, short)).map(pick)).toEqual(await alone(short));
      expect(scheduler.room.longestTokens).toBe(512);
      const long = agents(700);
      expect((await together(scheduler, long)).map(pick)).toEqual(await alone(long));
      expect(roomOf(scheduler)).toBe(atFirst);
      expect(scheduler.addedBytes).toBe(0);
      expect(scheduler.room.isConsistent).toBe(true);
    },
    TIMEOUT_MS,
  );

  test(
    "are read again where one room does not hold what parts did",
    async () => {
      // one room has four contexts of 600 tokens, eight parts have 512 each
      const context = { contextTokens: 600 };
      const scheduler = schedulerOf(context, () => SCARCE_BYTES);
      const requests = agents(400).map((request) => ({ ...request, maxTokens: 540 }));
      const lost = spyOn(Context.prototype, "moveTo");
      open.push(() => lost.mockRestore());
      const results = (await together(scheduler, requests)).map(pick);
      expect(scheduler.room.longestTokens).toBe(2400);
      expect(scheduler.room.isConsistent).toBe(true);
      expect(scheduler.stats()).toMatchObject({ running: 0, queued: 0 });
      expect(lost.mock.results.length).toBeLessThan(2 * AGENTS);
      expect(results).toEqual(await alone(requests, context));
    },
    TIMEOUT_MS,
  );

  for (const [reason, make] of Object.entries({
    "there is no memory for parts": () => schedulerOf({}, () => 0),
    "layers see a window only": () => schedulerOf({}, undefined, { slidingWindowTokens: 256 }),
  }))
    test(`share one room as before where ${reason}`, async () => {
      const scheduler = make();
      const atFirst = roomOf(scheduler);
      await together(scheduler, agents(400));
      expect(roomOf(scheduler)).toBe(atFirst);
      expect(scheduler.room.longestTokens).toBe(atFirst);
    });
});

test("what was kept for a next turn is still there when the layout has changed", async () => {
  const scheduler = schedulerOf();
  const talk = `We talk about ${"apples and pears ".repeat(20)}`;
  await answer(scheduler, greedy(talk, { maxTokens: 8 }));
  await together(scheduler, agents(400));
  expect(scheduler.room.longestTokens).toBe(512);
  const next = greedy(`${talk}and more`, { maxTokens: 30 });
  const result = await answer(scheduler, next);
  expect(result.promptTokens - result.cachedTokens).toBeLessThan(10);
  expect([pick(result)]).toEqual(await alone([next]));
});

test("agents with the same instructions begin from one reading of them, in parts as well", async () => {
  const scheduler = schedulerOf();
  await together(scheduler, agents(400));
  const system = "You are one of many agents with the same long instructions. ".repeat(6);
  const requests = Array.from({ length: 6 }, (_, i) => greedy(`${system}Agent ${i}`, { maxTokens: 60 }));
  const results = await together(scheduler, requests);
  expect(results.filter(({ cachedTokens }) => cachedTokens < 10).length).toBe(1);
  expect(results.map(pick)).toEqual(await alone(requests));
});

test("contexts are shifted in parts as they are in one room", async () => {
  const context = { contextTokens: 128 };
  const requests = agents(300).map((request, i) => ({
    ...request,
    prompt: { text: `Agent ${i}` },
    ...(i % 2 === 0 ? { contextShift: { keepTokens: 4 } } : {}),
  }));
  const expected = (
    await together(
      schedulerOf(context, () => 0),
      requests,
    )
  ).map(pick);
  expect(expected.filter(({ end }) => end === "context").length).toBeGreaterThan(0);
  expect(expected.filter(({ tokens }) => tokens.length > 150).length).toBeGreaterThan(0);
  const scheduler = schedulerOf(context);
  for (const _ of ["on the way", "in parts"])
    expect((await together(scheduler, requests)).map(pick)).toEqual(expected);
  expect(scheduler.room.longestTokens).toBe(128);
  expect(scheduler.room.isConsistent).toBe(true);
});

describe("a state that cannot be moved is made anew by reading", () => {
  const requests = Array.from({ length: 3 * AGENTS }, (_, i) =>
    greedy(`Agent ${i} ${"la mu si ".repeat(i % 5)}`, { maxTokens: 30 + ((i * 7) % 60) }),
  );

  test("on the way into parts", async () => {
    const moved = spyOn(Context.prototype, "moveTo").mockReturnValue(false);
    open.push(() => moved.mockRestore());
    const scheduler = schedulerOf();
    const results = (await together(scheduler, requests)).map(pick);
    expect(moved).toHaveBeenCalled();
    expect(scheduler.room.longestTokens).toBe(512);
    expect(results).toEqual(await alone(requests));
  });

  test("when two change places", async () => {
    const exchanged = spyOn(Context.prototype, "exchange").mockImplementation(function (this: Context, a, b) {
      this.forget(a, 0);
      this.forget(b, 0);
      return [false, false];
    });
    open.push(() => exchanged.mockRestore());
    const scheduler = schedulerOf();
    await together(scheduler, agents(400));
    exchanged.mockClear();
    const results = (await together(scheduler, requests)).map(pick);
    expect(exchanged).toHaveBeenCalled();
    expect(results).toEqual(await alone(requests));
  });
});
