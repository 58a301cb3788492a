/** What an agent's metrics measure, against work whose size is known. */
import { expect, test } from "bun:test";
import { CallsSandbox, PAID } from "../calls/support.ts";

test("Times, processor time and counts are those of the turns", async () => {
  const slow = PAID.replace(
    "[[providers.ci.responses]]",
    '[[providers.ci.responses]]\nmatch = "fail"\nerror = "no"\n[[providers.ci.responses]]\ndelay_ms = 300',
  );
  using box = new CallsSandbox(slow);
  const done = await box.script(`
    local sleeper = Agent.create{name = "sleeper", model = "ci/scripted", system_prompt = "Be brief"}
    local before = sleeper:get_performance()
    for i = 1, 2 do sleeper:execute("Hi") end
    pcall(sleeper.execute, sleeper, "fail")
    local thinker = Agent.create{name = "thinker", model = "local/spell-mini", max_tokens = 100}
    for i = 1, 10 do thinker:execute("Tell me a long story of " .. i) end
    local p, m, busy = sleeper:get_performance(), sleeper:get_metrics(), thinker:get_metrics()
    print(JSON.stringify{
      before = before == nil, average = p.avg_execution_time_ms, total = p.total_executions,
      success = p.success_rate, errors = p.error_rate, asleep = m.cpu_percent, busy = busy.cpu_percent,
      tokens = m.total_tokens, cost = m.cost_usd, failed = m.requests_failed, memory = m.memory_bytes,
    })`);
  expect(done.stderr).toBe("");
  const told = JSON.parse(done.stdout);
  // two turns of 300 ms, and one that fails at once
  expect(told.average).toBeGreaterThanOrEqual(200);
  expect(told.average).toBeLessThan(600);
  expect(told).toMatchObject({ before: true, total: 3, failed: 1 });
  expect(told.success).toBeCloseTo(2 / 3, 6);
  expect(told.errors).toBeCloseTo(1 / 3, 6);
  // prompts of 3 and 7 tokens and twice 3 for the answers
  expect(told).toMatchObject({ tokens: 16, cost: 0.022 });
  expect(told.memory).toBeGreaterThan(0);
  expect(told.asleep).toBeLessThan(60);
  expect(told.busy).toBeGreaterThan(told.asleep);
});

test("Alerts look at what the agent has spent and counted", async () => {
  using box = new CallsSandbox();
  const { stdout } = await box.script(`
    local agent = Agent.create{name = "ada", model = "ci/scripted", system_prompt = "Be brief"}
    local function watch(name, metric, threshold)
      agent:configure_alerts{name = name, severity = "critical", condition = {
        type = "metric_threshold", metric_name = metric, operator = ">=", threshold = threshold, duration_seconds = 0}}
    end
    watch("spent", "cost_usd", 0.02)
    watch("tokens", "total_tokens", 16)
    watch("never", "retries", 1)
    print(#agent:get_alerts())
    agent:execute("Hi")
    print(#agent:get_alerts())
    agent:execute("Hi")
    local names = {}
    for _, alert in ipairs(agent:get_alerts()) do names[#names + 1] = alert.rule or alert.name end
    table.sort(names)
    print(table.concat(names, ","))
    print(select(2, pcall(watch, "typo", "total_token", 1)))
  `);
  const [none, still, names, typo] = stdout.split("\n");
  expect([none, still, names]).toEqual(["0", "0", "spent,tokens"]);
  expect(typo).toContain("no such metric: total_token");
});
