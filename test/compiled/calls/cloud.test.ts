/** Cloud providers behind loopback servers: what is counted and paid, what is never sent, what a recording holds. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ProviderServer } from "../../support/providers/server.ts";
import { KEY, VENDORS, type VendorFacts } from "../../support/providers/vendors.ts";
import { CallsSandbox } from "./support.ts";

const vendorOf = (type: string): VendorFacts => VENDORS.find((vendor) => vendor.type === type)!;

const configured = (vendor: VendorFacts, origin: string) => `
[providers.${vendor.type}]
provider_type = "${vendor.type}"
base_url = "${origin}${vendor.basePath}"
api_key = "${KEY}"
[providers.${vendor.type}.retry]
initial_delay_ms = 1
max_delay_ms = 2
`;

const ask = (vendor: VendorFacts, more = "") => `
local agent = Agent.create{name = "ada", model = "${vendor.type}/${vendor.modelId}", system_prompt = "Be brief", max_tokens = 100${more}}
local result = agent:execute("Hello")
print(result.text, JSON.stringify(result.usage), result.metadata.estimated_cost_cents, result.metadata.retries)
`;

// prompt 1000 (of them 600 cached), answer 50
const ANSWER = { text: "Hello there", input: 1000, output: 50, cached: 600 };

describe.each([
  // 400 × $0.15 + 600 × $0.075 + 50 × $0.60 a million
  ["openai", 0.00006 + 0.000045 + 0.00003],
  // 400 × $3 + 600 × $0.30 + 50 × $15 a million
  ["anthropic", 0.0012 + 0.00018 + 0.00075],
] as const)("%s", (type, costUsd) => {
  const vendor = vendorOf(type);

  test("is counted with retries, cached tokens and the list price, and replayed when it is gone", async () => {
    await using server = await ProviderServer.start(vendor.format);
    server.script({ status: 429, message: "slow down" }, { answer: ANSWER });
    using box = new CallsSandbox(configured(vendor, server.origin));
    const recorded = await box.script(ask(vendor), "--usage", "--output", "json", "--record", "run.jsonl");
    const { usage, console } = JSON.parse(recorded.stdout);
    expect(usage).toMatchObject({
      calls: 1,
      retries: 1,
      prompt_tokens: 1000,
      cached_tokens: 600,
      completion_tokens: 50,
      unpriced_calls: 0,
      by_agent: [{ agent: "ada" }],
    });
    expect(usage.cost_usd).toBeCloseTo(costUsd, 9);
    const [text, , cents, retries] = console[0].split("\t");
    expect([text, retries]).toEqual(["Hello there", "1"]);
    expect(Number(cents)).toBeCloseTo(costUsd * 100, 7);

    const file = readFileSync(box.file("run.jsonl"), "utf8");
    expect(file).not.toContain(KEY);
    expect(file.toLowerCase()).not.toContain("authorization");
    expect(file).not.toContain('"kind":"http"');

    server.script({ status: 500 });
    const replayed = await box.run([
      ...["run", "script.lua", "--usage", "--output", "json", "--replay", "run.jsonl"],
    ]);
    expect(replayed.stdout).toBe(recorded.stdout);
    expect(server.seen).toEqual([]);
  });

  test("is not asked where a budget refuses, nor in a dry run", async () => {
    await using server = await ProviderServer.start(vendor.format);
    server.script({ answer: ANSWER });
    using box = new CallsSandbox(configured(vendor, server.origin));
    const refused = await box.script(ask(vendor), "--budget", "cost=0.00001");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      "the cost budget of the script is $0.00001: $0.00001 left, the call may take $",
    );
    await box.script(ask(vendor), "--dry-run");
    expect(server.seen).toEqual([]);
    const allowed = await box.script(ask(vendor), "--budget", "cost=0.01");
    expect([allowed.code, server.seen.length]).toEqual([0, 1]);
  });

  test("is asked for no more than a budget leaves", async () => {
    await using server = await ProviderServer.start(vendor.format);
    server.script({ answer: { text: "Hi", input: 10, output: 1 } });
    using box = new CallsSandbox(configured(vendor, server.origin));
    const script = ask(vendor).replace(", max_tokens = 100", "");
    const { code } = await box.script(script, "--budget", "tokens=300");
    expect(code).toBe(0);
    const { body } = server.seen[0]!;
    const most = Number(body.max_tokens ?? body.max_completion_tokens);
    expect(most).toBeGreaterThan(100);
    expect(most).toBeLessThan(300);
  });
});

describe("A chain of models", () => {
  test("is charged for the one that answered", async () => {
    const [first, second] = [vendorOf("openai"), vendorOf("anthropic")];
    await using broken = await ProviderServer.start(first.format);
    await using server = await ProviderServer.start(second.format);
    broken.script({ status: 500 });
    server.script({ answer: ANSWER });
    using box = new CallsSandbox(configured(first, broken.origin) + configured(second, server.origin));
    const chain = `, fallback_models = {"${second.type}/${second.modelId}"}, max_retries = 0`;
    const { stdout } = await box.script(ask(first, chain), "--usage", "--output", "json");
    const { usage } = JSON.parse(stdout);
    expect(usage.by_model).toMatchObject([{ provider: "anthropic", model: "claude-sonnet-4-5", calls: 1 }]);
    expect(usage.cost_usd).toBeCloseTo(0.00213, 9);
  });
});
