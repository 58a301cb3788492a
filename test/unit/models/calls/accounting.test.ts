import { describe, expect, test } from "bun:test";
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { SpellError } from "../../../../src/core/errors.ts";
import { runAsTask } from "../../../../src/core/task.ts";
import { callFacts, withRetries } from "../../../../src/models/call-facts.ts";
import { accounted } from "../../../../src/models/calls/accounting.ts";
import type { BudgetLimits } from "../../../../src/models/calls/budget.ts";
import { Payer, payFor } from "../../../../src/models/calls/payer.ts";
import type { KnownPrice } from "../../../../src/models/calls/prices.ts";
import { RunAccount } from "../../../../src/models/calls/run-account.ts";
import { callFailure } from "../../../../src/models/provider-error.ts";
import type { SpellModel } from "../../../../src/models/service.ts";
import { uniform } from "../../../support/random.ts";
import { type Answer, finish, type Part, ScriptedModel, says, textParts } from "../../agents/support.ts";

const PRICE: KnownPrice = { input: 1000, output: 2000 };

const watchedModel = (model: SpellModel, price: KnownPrice = PRICE) =>
  accounted(model, { provider: "p", model: model.modelId, price: () => price, maxTokens: () => undefined });

const options = (
  text: string,
  more: Partial<LanguageModelV4CallOptions> = {},
): LanguageModelV4CallOptions => ({
  prompt: [{ role: "user", content: [{ type: "text", text }] }],
  ...more,
});

async function ask(model: SpellModel, asked: LanguageModelV4CallOptions): Promise<Part[]> {
  const parts: Part[] = [];
  for await (const part of (await model.doStream(asked)).stream) parts.push(part);
  return parts;
}

function within<T>(payers: readonly Payer[], body: () => Promise<T>): Promise<T> {
  const [first, ...rest] = payers;
  if (first === undefined) return body();
  return runAsTask(first.name, (task) => {
    payFor(task, first);
    return within(rest, body);
  });
}

describe("A call of a model", () => {
  test("is counted for the run, the workflow and the agent within which it is made", async () => {
    const run = new RunAccount();
    const payers = [run, new Payer("workflow", "flow"), new Payer("agent", "ada")];
    const model = watchedModel(new ScriptedModel([says("Hi"), says("you")]));
    await within(payers, () => ask(model, options("one")));
    await within([run], () => ask(model, options("two")));
    for (const { usage } of payers.slice(1))
      expect(usage.figures()).toMatchObject({
        calls: 1,
        prompt_tokens: 10,
        completion_tokens: 2,
        total_tokens: 12,
      });
    const report = run.report();
    // 10 × $1000 + 2 × $2000 a million, twice
    expect(report).toMatchObject({ calls: 2, total_tokens: 24, cost_usd: 0.028, unpriced_calls: 0 });
    expect(report.by_model).toMatchObject([{ provider: "p", model: "one", calls: 2 }]);
    expect(report.by_agent).toMatchObject([{ agent: "ada", calls: 1 }]);
    expect(report.by_workflow).toMatchObject([{ workflow: "flow", calls: 1 }]);
  });

  test("tells its cost with its last part, beside what the provider said", async () => {
    const end: Part = {
      ...(finish() as Extract<Part, { type: "finish" }>),
      providerMetadata: { llmspell: { retries: 2 } },
    };
    const run = new RunAccount();
    const model = watchedModel(new ScriptedModel([() => [...textParts("x"), end]]));
    const parts = await within([run], () => ask(model, options("one")));
    const last = parts.at(-1) as Extract<Part, { type: "finish" }>;
    expect(callFacts(last.providerMetadata)).toEqual({
      ...{ retries: 2, costUsd: 0.014 },
      firstTokenMs: expect.any(Number),
    });
    expect(run.report().retries).toBe(2);
  });

  test("of a model whose price is unknown has no cost, and is told apart", async () => {
    const run = new RunAccount();
    const model = accounted(new ScriptedModel([says("Hi")]), {
      provider: "p",
      model: "m",
      price: () => undefined,
      maxTokens: () => undefined,
    });
    await within([run], () => ask(model, options("one")));
    const report = run.report();
    expect(report.unpriced_calls).toBe(1);
    expect(report).not.toHaveProperty("cost_usd");
  });

  test("that breaks off or is given up is charged what may have been used, and usage says the same", async () => {
    const broken: Answer = async function* () {
      yield* textParts("Half of ", "an answer");
      throw new Error("line cut");
    };
    const run = new RunAccount({ tokens: 5000, costUsd: 100 });
    const model = watchedModel(new ScriptedModel([broken, says("a", "b")]));
    const asked = options("x".repeat(400), { maxOutputTokens: 100 });
    await within([run], () => ask(model, asked)).catch(() => undefined);
    const first = run.report();
    expect(first).toMatchObject({ calls: 1, failed: 1, estimated_calls: 1, unpriced_calls: 0 });
    // four bytes a token: 17 of the answer, 400 of the prompt and what is around it
    expect(first.completion_tokens).toBe(5);
    expect(first.prompt_tokens).toBeGreaterThanOrEqual(100);
    expect(first.prompt_tokens).toBeLessThan(120);
    expect(first.cost_usd).toBeCloseTo((first.prompt_tokens * 1000 + 5 * 2000) / 1e6, 9);

    const { stream } = await within([run], async () => model.doStream(asked));
    const reader = stream.getReader();
    await reader.read();
    await reader.cancel();
    const both = run.report();
    expect(both).toMatchObject({ calls: 2, failed: 2, estimated_calls: 2 });
    expect(both.prompt_tokens).toBe(2 * first.prompt_tokens);
    expect(both.budget).toMatchObject({
      tokens: { spent: both.total_tokens },
      cost_usd: { spent: expect.closeTo(both.cost_usd!, 9) },
    });
  });

  test("is never charged more than was reserved, whatever is estimated", async () => {
    const flood: Answer = async function* () {
      yield* textParts("x".repeat(10_000));
      throw new Error("line cut");
    };
    const counting = new ScriptedModel([flood]);
    counting.countTokens = async () => 3;
    const run = new RunAccount({ tokens: 5000 });
    const asked = options("y".repeat(4000), { maxOutputTokens: 100 });
    await within([run], () => ask(watchedModel(counting), asked)).catch(() => undefined);
    expect(run.report()).toMatchObject({ prompt_tokens: 3, completion_tokens: 100 });
    expect(run.report().budget).toMatchObject({ tokens: { spent: 103 } });
  });

  test("tells repetitions and what the provider counted, also where it fails", async () => {
    const refused: Answer = () => {
      throw callFailure({ provider: "p", modelId: "m" }, "its answer is empty", {
        data: { retries: 3, usage: { prompt_tokens: 40, completion_tokens: 7, cached_tokens: 20 } },
      });
    };
    const run = new RunAccount({ tokens: 5000 });
    const asked = options("one", { maxOutputTokens: 100 });
    await within([run], () => ask(watchedModel(new ScriptedModel([refused])), asked)).catch(() => undefined);
    expect(run.report()).toMatchObject({
      ...{ failed: 1, retries: 3, estimated_calls: 0 },
      ...{ prompt_tokens: 40, completion_tokens: 7, cached_tokens: 20 },
      budget: { tokens: { spent: 47 } },
    });
  });

  test("tells repetitions before a stream that is given up", async () => {
    const started: Part = { type: "stream-start", warnings: [] };
    const model = watchedModel(new ScriptedModel([() => [withRetries(started, 2), ...textParts("a", "b")]]));
    const run = new RunAccount();
    const { stream } = await within([run], async () => model.doStream(options("one")));
    const reader = stream.getReader();
    for (let i = 0; i < 3; i++) await reader.read();
    await reader.cancel();
    expect(run.report()).toMatchObject({ failed: 1, retries: 2 });
  });

  test("that was refused before its answer began costs nothing", async () => {
    const run = new RunAccount({ tokens: 5000 });
    const refused: Answer = () => {
      throw new Error("401");
    };
    const model = watchedModel(new ScriptedModel([refused]));
    await within([run], () => ask(model, options("one", { maxOutputTokens: 100 }))).catch(() => undefined);
    expect(run.report().budget).toMatchObject({ tokens: { spent: 0 } });
  });
});

/** Answers with exactly as many tokens as it may, after a while. */
class Greedy extends ScriptedModel {
  spentTokens = 0;
  spentUsd = 0;
  inFlight = 0;
  most = 0;

  constructor(private readonly random: () => number) {
    super([]);
  }

  override async doStream(asked: LanguageModelV4CallOptions) {
    this.most = Math.max(this.most, ++this.inFlight);
    await Bun.sleep(this.random() * 3);
    const prompt = Buffer.byteLength(JSON.stringify(asked.prompt[0]!.content)) / 2;
    const answer = asked.maxOutputTokens!;
    this.spentTokens += prompt + answer;
    this.spentUsd += (prompt * 1000 + answer * 2000) / 1e6;
    this.inFlight--;
    const total = { total: prompt, noCache: prompt, cacheRead: 0, cacheWrite: 0 };
    const end: Part = {
      type: "finish",
      finishReason: { unified: "length", raw: "length" },
      usage: { inputTokens: total, outputTokens: { total: answer, text: answer, reasoning: 0 } },
    };
    return {
      stream: new ReadableStream<Part>({
        start: (c) => {
          c.enqueue(end);
          c.close();
        },
      }),
    };
  }
}

describe("Under a budget", () => {
  test.each([
    ["tokens", { tokens: 3000 }, 11],
    ["money", { costUsd: 4 }, 12],
    ["calls", { calls: 7 }, 13],
    ["all of them", { tokens: 2500, costUsd: 3, calls: 9 }, 14],
  ] as [string, BudgetLimits, number][])("of %s parallel calls never overspend", async (_, limits, seed) => {
    const random = uniform(seed);
    const greedy = new Greedy(random);
    const model = watchedModel(greedy);
    const run = new RunAccount(limits);
    const results = await within([run], () =>
      Promise.allSettled(
        Array.from({ length: 30 }, (_, i) =>
          ask(model, options(`question ${i}`, { maxOutputTokens: 20 + Math.floor(random() * 300) })),
        ),
      ),
    );
    const refused = results.filter((result) => result.status === "rejected");
    for (const { reason } of refused) {
      expect(reason).toBeInstanceOf(SpellError);
      expect(reason.data).toMatchObject({ limit: "budget", budget: "the script" });
    }
    expect(greedy.most).toBeGreaterThan(1);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(30);
    if (limits.tokens !== undefined) expect(greedy.spentTokens).toBeLessThanOrEqual(limits.tokens);
    if (limits.costUsd !== undefined) expect(greedy.spentUsd).toBeLessThanOrEqual(limits.costUsd);
    if (limits.calls !== undefined) expect(30 - refused.length).toBeLessThanOrEqual(limits.calls);
    // nothing in flight is lost: every call that was made is counted
    expect(run.report()).toMatchObject({ calls: 30 - refused.length, failed: 0, refused: refused.length });
    expect(run.report().total_tokens).toBe(greedy.spentTokens);
  });

  test("an answer without a longest length gets what is left", async () => {
    const model = new ScriptedModel([says("Hi"), says("Hi")]);
    model.countTokens = async () => 100;
    const run = new RunAccount({ tokens: 1000 });
    await within([run], () => ask(watchedModel(model), options("one")));
    expect(model.requests[0]!.maxOutputTokens).toBe(900);
    const rich = new RunAccount({ costUsd: 100 });
    await within([rich], () => ask(watchedModel(model), options("one")));
    expect(model.requests[1]!.maxOutputTokens).toBe(4096);
  });

  test("of an agent the same holds in all its turns, and other agents go on", async () => {
    const model = watchedModel(new ScriptedModel([says("1"), says("2"), says("3")]));
    const run = new RunAccount();
    const bounded = new Payer("agent", "bounded", { calls: 1 });
    await within([run, bounded], () => ask(model, options("a")));
    const error = await within([run, bounded], () => ask(model, options("b"))).catch((e: unknown) => e);
    expect((error as SpellError).message).toContain('the calls budget of agent "bounded" is 1');
    await within([run, new Payer("agent", "free")], () => ask(model, options("c")));
    expect(run.report()).toMatchObject({ calls: 2, refused: 1 });
  });
});
