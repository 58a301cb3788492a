/** Requests to one model that are cancelled at random moments: afterwards everything is as it was at the start. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { llamaLibraries } from "../../src/ffi/library.ts";
import { loadLlama } from "../../src/ffi/llama/library.ts";
import { ModelParts } from "../../src/models/llamacpp/model-parts.ts";
import type { GenerateRequest, ModelSpec } from "../../src/models/llamacpp/protocol.ts";
import { REQUEST_WORDS } from "../../src/models/llamacpp/protocol.ts";
import { Scheduler } from "../../src/models/llamacpp/scheduler.ts";
import { Turns } from "../../src/models/llamacpp/turns.ts";
import { generateModel } from "../support/gguf-models.ts";
import { uniform } from "../support/random.ts";
import { check, type Figures, type Soak, type SoakOptions } from "./soak.ts";

const WITNESS: GenerateRequest = {
  prompt: { text: "one two three four five" },
  sampling: { temperature: 0, repeatPenalty: 1 },
  maxTokens: 60,
  stops: [],
  reusePrefix: false,
};
const LONGEST_WAIT_MS = 2000;
const GROWTH_KIB = 32 * 1024;

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const directory = mkdtempSync(join(tmpdir(), "llmspell-cancel-"));
  const words = () => new Int32Array(new SharedArrayBuffer(4 * REQUEST_WORDS));
  const spec: ModelSpec = {
    path: generateModel(directory, "llama-f32"),
    contextTokens: 200,
    threads: 1,
    gpuLayers: 0,
    batchTokens: 64,
    ubatchTokens: 64,
    flashAttention: false,
  };
  const { directory: libraries } = await llamaLibraries();
  // a message always waits: the loop gives way after each step, so that the timers here get their turns
  const turns = new Turns(new Int32Array([1]));
  const parts = ModelParts.load(loadLlama(libraries), spec, words(), turns);
  const scheduler = new Scheduler(parts);
  try {
    const next = uniform(seed);
    const pick = (below: number) => Math.floor(next() * below);
    const alone = (await scheduler.generate(WITNESS, { words: words() })).tokens;
    const start = scheduler.stats();
    const outcomes = { cancelled: 0, answered: 0, undisturbed: 0 };

    async function one(index: number): Promise<void> {
      const mine = words();
      const request: GenerateRequest = {
        ...WITNESS,
        prompt: { text: `${"la mu si ".repeat(pick(18))}${index}` },
        maxTokens: 1 + pick(200),
        reusePrefix: next() < 0.8,
        ...(next() < 0.1 ? { contextShift: {} } : {}),
      };
      const timer = setTimeout(() => Atomics.store(mine, 0, 1), LONGEST_WAIT_MS * next());
      try {
        await scheduler.generate(request, { words: mine });
        outcomes.answered++;
      } catch (error) {
        check(
          (error as { code?: string }).code === "interrupted",
          `request ${index}: it failed`,
          String(error),
        );
        outcomes.cancelled++;
      } finally {
        clearTimeout(timer);
      }
    }

    async function batch(count: number): Promise<void> {
      const requests = Array.from({ length: count }, (_, index) => one(index));
      const witness = await scheduler.generate(WITNESS, { words: words() });
      check(
        JSON.stringify(witness.tokens) === JSON.stringify(alone),
        "the answer of a request beside others that are cancelled is not what it is alone",
      );
      outcomes.undisturbed++;
      await Promise.all(requests);
    }

    const rounds = full ? 20 : 4;
    const requests = full ? 1000 : 250;
    let warmKib = 0;
    for (let round = 0; round < rounds; round++) {
      await batch(requests);
      const now = scheduler.stats();
      const what = `seed ${seed}, round ${round}`;
      check(now.queued === 0 && now.running === 0, `${what}: requests are left`, now);
      check(now.heldTokens === now.cachedTokens, `${what}: tokens are held for nobody`, now);
      check(scheduler.room.isConsistent, `${what}: llama.cpp holds other tokens than were noted`);
      if (round === rounds >> 1) warmKib = process.memoryUsage.rss() / 1024;
    }
    scheduler.room.clear();
    // by now each sequence has a part of its own: the room's size is another one
    const { roomTokens } = scheduler.stats();
    check(
      JSON.stringify(scheduler.stats()) === JSON.stringify({ ...start, roomTokens }) &&
        scheduler.room.isConsistent,
      `seed ${seed}: the room is not as at the start`,
      scheduler.stats(),
    );
    const grownKib = Math.round(process.memoryUsage.rss() / 1024 - warmKib);
    check(grownKib < GROWTH_KIB, `seed ${seed}: the process grew by ${grownKib} KiB`);
    return { requests: rounds * requests, ...outcomes, "process grew by (KiB)": grownKib };
  } finally {
    scheduler.dispose();
    parts.dispose();
    rmSync(directory, { recursive: true, force: true });
  }
}

export const cancel: Soak = {
  name: "cancel",
  description: "requests cancelled at random moments leave no place, no token and no memory behind",
  run,
};
