/** Calls of models that give no whole answer: what usage tells of them, and what a budget is charged. */
import { describe, expect, test } from "bun:test";
import { ProviderServer, type Step } from "../../support/providers/server.ts";
import { KEY, VENDORS } from "../../support/providers/vendors.ts";
import { CallsSandbox } from "./support.ts";

const openai = VENDORS.find(({ type }) => type === "openai")!;
const TEXT = "One two three four five six seven eight nine ten eleven twelve";

const CONFIG = (origin: string) => `
[providers.openai]
provider_type = "openai"
base_url = "${origin}/v1"
api_key = "${KEY}"
timeout_seconds = 2
[providers.openai.retry]
max_retries = 2
initial_delay_ms = 1
max_delay_ms = 2
[models.prices]
"gpt-4o-mini" = { input = 1000, output = 2000 }
`;
const ASK = `
local agent = Agent.create{name = "ada", model = "openai/gpt-4o-mini", system_prompt = "Be brief", max_tokens = 100}
print((tostring(select(2, pcall(agent.execute, agent, "Hello"))):match("[^\\n]+")))
local m = agent:get_metrics()
print(m.model_calls, m.retries, m.total_tokens, m.cost_usd)
print(Metrics.get("model.tokens.sum"), Metrics.get("model.cost"))
`;

interface Usage {
  calls: number;
  failed: number;
  retries: number;
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  cost_usd?: number;
  estimated_calls: number;
  budget: { tokens: { spent: number }; cost_usd: { spent: number } };
}

/** Runs the script, and again from its recording, with the service gone: both say the same. */
async function ask(
  ...steps: Step[]
): Promise<{ usage: Usage; error: string; metrics: string; stderr: string }> {
  await using server = await ProviderServer.start(openai.format);
  server.script(...steps);
  using box = new CallsSandbox(CONFIG(server.origin));
  const options = ["--usage", "--output", "json", "--budget", "tokens=5000,cost=10"];
  const done = await box.script(ASK, ...options, "--record", "run.jsonl");
  server.script({ silent: true });
  const replayed = await box.script(ASK, ...options, "--replay", "run.jsonl");
  expect(replayed.stdout).toBe(done.stdout);
  expect(server.seen).toEqual([]);
  const { usage, console } = JSON.parse(done.stdout) as { usage: Usage; console: string[] };
  const [tokens = "nil", cost = "nil"] = console[2]!.split("\t");
  expect(tokens === "nil" ? 0 : Number(tokens)).toBe(usage.total_tokens);
  if (usage.cost_usd !== undefined) expect(Number(cost)).toBeCloseTo(usage.cost_usd, 8);
  const shown = await box.script(ASK, "--usage", "--replay", "run.jsonl");
  return { usage, error: console[0]!, metrics: console[1]!, stderr: shown.stderr };
}

describe("A call that fails", () => {
  test("before its answer begins takes nothing but its repetitions", async () => {
    const { usage, error, metrics } = await ask({ status: 503, message: "try later" });
    expect(error).toContain("try later (HTTP 503)");
    expect(usage).toMatchObject({ calls: 1, failed: 1, retries: 2, total_tokens: 0, estimated_calls: 0 });
    expect(usage).not.toHaveProperty("cost_usd");
    expect(usage.budget).toMatchObject({ tokens: { spent: 0 }, cost_usd: { spent: 0 } });
    expect(metrics).toStartWith("1\t2\t0\t");
  });

  test("in the middle takes its prompt and what came, about, and usage, metrics and budget agree", async () => {
    const { usage, error, metrics, stderr } = await ask(
      { status: 429 },
      { answer: { text: TEXT }, endAfter: { bytes: -300, how: "clean" } },
    );
    expect(error).toContain("broke off");
    expect(usage).toMatchObject({ calls: 1, failed: 1, retries: 1, estimated_calls: 1 });
    // "Be brief" and "Hello" with what is around them, at four bytes a token
    expect(usage.prompt_tokens).toBeGreaterThan(3);
    expect(usage.prompt_tokens).toBeLessThan(40);
    expect(usage.completion_tokens).toBeGreaterThan(5);
    expect(usage.completion_tokens).toBeLessThanOrEqual(Math.ceil(TEXT.length / 4));
    expect(usage.cost_usd).toBeCloseTo(
      (usage.prompt_tokens * 1000 + usage.completion_tokens * 2000) / 1e6,
      8,
    );
    expect(usage.budget.tokens.spent).toBe(usage.total_tokens);
    expect(usage.budget.cost_usd.spent).toBeCloseTo(usage.cost_usd!, 8);
    expect(metrics).toBe(`1\t1\t${usage.total_tokens}\t${usage.cost_usd}`);
    expect(stderr).toContain("1 call without a whole answer: tokens estimated");
  });

  test("by its limit of time takes its prompt, which the vendor had", async () => {
    const { usage, error } = await ask({ answer: { text: TEXT }, stallAfter: { events: 1, pingMs: 100 } });
    expect(error).toContain("no answer began within 2 s");
    expect(usage).toMatchObject({
      calls: 1,
      failed: 1,
      retries: 2,
      completion_tokens: 0,
      estimated_calls: 1,
    });
    expect(usage.prompt_tokens).toBeGreaterThan(3);
    expect(usage.budget.tokens.spent).toBe(usage.prompt_tokens);
  });

  test.each([
    ["is empty", { input: 40, output: 7 }],
    ["withholds the rest of its answer", { text: "Half of", finish: "filter", input: 40, output: 7 }],
  ] as const)("because the answer %s takes what the vendor counted", async (words, answer) => {
    const { usage, error } = await ask({ answer });
    expect(error).toContain(words);
    expect(usage).toMatchObject({
      ...{ calls: 1, failed: 1, prompt_tokens: 40, completion_tokens: 7, estimated_calls: 0 },
      budget: { tokens: { spent: 47 } },
    });
    expect(usage.cost_usd).toBeCloseTo((40 * 1000 + 7 * 2000) / 1e6, 8);
  });
});

test("The first answer's first token is timed, in results, usage and metrics", async () => {
  await using server = await ProviderServer.start(openai.format);
  server.script({ answer: { text: TEXT }, beginMs: 300 });
  using box = new CallsSandbox(CONFIG(server.origin));
  const { stdout } = await box.script(
    `local agent = Agent.create{name = "ada", model = "openai/gpt-4o-mini"}
     local result = agent:execute("Hello")
     print(result.metadata.first_token_ms, agent:get_metrics().first_token_ms, result.execution_time_ms)`,
    ...["--usage", "--output", "json"],
  );
  const { usage, console } = JSON.parse(stdout);
  const [inResult, inMetrics, whole] = console[0].split("\t").map(Number);
  expect(inResult).toBeGreaterThanOrEqual(300);
  expect(inResult).toBeLessThanOrEqual(whole);
  expect(inMetrics).toBe(inResult);
  expect([usage.first_token_ms, usage.by_agent[0].first_token_ms]).toEqual([inResult, inResult]);
});
