import { describe, expect, test } from "bun:test";
import { planOnly } from "../../../../src/core/plan.ts";
import { tapeWith } from "../../../../src/core/tape.ts";
import { runAsTask } from "../../../../src/core/task.ts";
import {
  type AnswerStore,
  AnswersInMemory,
  StoredAnswers,
} from "../../../../src/models/calls/answer-store.ts";
import { withCalls } from "../../../../src/models/calls/service.ts";
import type { ModelService, SpellModel } from "../../../../src/models/service.ts";
import { openStorage } from "../../../../src/storage/storage.ts";
import { failure, modelService, type TestHome, temporaryHome } from "../../../support/model-service.ts";
import { TapePlace } from "../../tape/support.ts";

const CI = `
[providers]
default_provider = "ci"
[providers.ci]
provider_type = "test"
default_model = "scripted"
responses = [{ text = "Hello {{prompt}}" }]
`;

async function service(home: TestHome, toml = CI): Promise<ModelService> {
  const { models, config } = await modelService(home, toml);
  return withCalls(models, { config: () => config.current, storage: () => openStorage(home.data) });
}

async function say(model: SpellModel, text: string): Promise<string> {
  const { stream } = await model.doStream({ prompt: [{ role: "user", content: [{ type: "text", text }] }] });
  let said = "";
  for await (const part of stream) if (part.type === "text-delta") said += part.delta;
  return said;
}

async function everything(models: ModelService) {
  const model = await models.resolve("ci/scripted");
  const embedding = await models.resolveEmbedding("ci/vectors");
  const { embeddings, usage } = await embedding.doEmbed({ values: ["one", "two words"] });
  const generated = await model.doGenerate({
    prompt: [{ role: "user", content: [{ type: "text", text: "you" }] }],
  });
  return {
    said: await say(model, "you"),
    provider: [model.provider, model.modelId, embedding.provider, embedding.modelId],
    vectors: embeddings.map((vector) => Array.from(vector)),
    usage,
    generated: generated.content,
    counts: typeof model.countTokens,
    missing: await failure(() => models.resolve("nobody/x")).then(({ code, message }) => ({ code, message })),
  };
}

describe("The models of a recorded run", () => {
  test("are there in a replay without the configuration that named them", async () => {
    using place = new TapePlace();
    using home = temporaryHome();
    let recorded: Awaited<ReturnType<typeof everything>>;
    {
      using tape = place.recorder();
      using _ = tapeWith(tape);
      recorded = await everything(await service(home));
    }
    expect(recorded).toMatchObject({ said: "Hello you", missing: { code: "not_found" } });
    using bare = temporaryHome();
    using replay = place.player();
    using _ = tapeWith(replay);
    expect(await everything(await service(bare, ""))).toEqual(recorded);
  });
});

describe("A plan", () => {
  test("notes calls of every kind and asks nobody", async () => {
    using home = temporaryHome();
    const models = await service(home, `${CI}\n[providers.openai]\nprovider_type = "openai"\n`);
    const noted: unknown[] = [];
    await runAsTask("script", async (task) => {
      planOnly(task, { model: (call) => noted.push(call), tool: () => undefined });
      const model = await models.resolve("openai/gpt-4o-mini");
      expect(await say(model, "1234")).toBe("[dry run: no model was asked]");
      const embedding = await models.resolveEmbedding("ci/vectors");
      await embedding.doEmbed({ values: ["12345678"] });
    });
    expect(noted).toMatchObject([
      { provider: "openai", model: "gpt-4o-mini", kind: "chat", maxTokens: undefined, maxCostUsd: undefined },
      { provider: "ci", model: "vectors", kind: "embeddings", maxCostUsd: null },
    ]);
  });
});

describe.each(["in memory", "in the database"])("Answers that are kept %s", (where) => {
  async function stored(
    bounds: { ttlMs: number; maxEntries: number },
    body: (s: AnswerStore, at: (ms: number) => void) => Promise<void>,
  ) {
    using home = temporaryHome();
    let now = 1_000_000;
    const clock = () => now;
    const storage = await openStorage(home.data);
    const store =
      where === "in memory"
        ? new AnswersInMemory(() => bounds, clock)
        : new StoredAnswers(
            async () => storage,
            () => bounds,
            clock,
          );
    try {
      await body(store, (ms) => {
        now = 1_000_000 + ms;
      });
    } finally {
      storage.close();
    }
  }
  const parts = (text: string) => [{ type: "text-delta", id: "0", deltas: [text] }];

  test("are given back until they are too old", async () => {
    await stored({ ttlMs: 100, maxEntries: 10 }, async (store, at) => {
      await store.set("a", parts("A"));
      at(100);
      expect(await store.get("a")).toEqual(parts("A"));
      at(101);
      expect(await store.get("a")).toBeUndefined();
    });
  });

  test("make room for others, the least recently used first", async () => {
    await stored({ ttlMs: 1000, maxEntries: 2 }, async (store, at) => {
      await store.set("a", parts("A"));
      at(1);
      await store.set("b", parts("B"));
      at(2);
      await store.get("a");
      at(3);
      await store.set("c", parts("C"));
      expect(await store.get("b")).toBeUndefined();
      expect(await store.get("a")).toEqual(parts("A"));
      expect(await store.get("c")).toEqual(parts("C"));
    });
  });
});
