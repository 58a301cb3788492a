import { describe, expect, test } from "bun:test";
import { CallsSandbox, PAID } from "./support.ts";

// The scripted provider counts a word as a token: a prompt of "Hi" and the system prompt, an answer of three.
const ASK = `
local agent = Agent.builder():name("ada"):model("ci/scripted"):system_prompt("Be brief"):build()
local result = agent:execute("Hi")
print(JSON.stringify(result.usage), result.metadata.estimated_cost_cents)
`;

describe("--usage", () => {
  test("shows calls, tokens, cost and who made them on stderr", async () => {
    using box = new CallsSandbox();
    const { code, stdout, stderr } = await box.script(ASK, "--usage");
    expect(code).toBe(0);
    // 3 × $1000 + 3 × $2000 a million
    expect(stdout).toBe('{"completion_tokens":3,"cost_usd":0.009,"prompt_tokens":3,"total_tokens":6}\t0.9\n');
    const rows = stderr
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s{2,}/));
    expect(rows.map((row) => row.slice(0, 7))).toEqual([
      ["Usage", "calls", "retries", "prompt", "cached", "answer", "cost"],
      ["ci/scripted", "1", "0", "3", "0", "3", "$0.0090"],
      ["agent ada", "1", "0", "3", "0", "3", "$0.0090"],
      ["total", "1", "0", "3", "0", "3", "$0.0090"],
    ]);
  });

  test("is a member of the JSON document, of failures too", async () => {
    using box = new CallsSandbox();
    const done = await box.script(`${ASK} error("no")`, "--usage", "--output", "json");
    const document = JSON.parse(done.stdout);
    expect(document).toMatchObject({
      status: "error",
      usage: {
        calls: 1,
        total_tokens: 6,
        cost_usd: 0.009,
        unpriced_calls: 0,
        by_model: [{ provider: "ci", model: "scripted", calls: 1 }],
        by_agent: [{ agent: "ada", calls: 1 }],
        by_workflow: [],
      },
    });
    const fine = await box.script(ASK, "--usage", "--output", "json");
    expect(JSON.parse(fine.stdout).usage.calls).toBe(1);
  });

  test("names no cost where nothing is paid, and says nothing unless asked", async () => {
    using box = new CallsSandbox(PAID.replace(/\[providers\.ci\.prices[\s\S]*?2000\n/, ""));
    const { stdout, stderr } = await box.script(ASK, "--usage");
    expect(stdout).toBe('{"completion_tokens":3,"prompt_tokens":3,"total_tokens":6}\tnil\n');
    expect(stderr).not.toContain("$");
    expect((await box.script(ASK)).stderr).toBe("");
  });

  test("an agent's metrics tell the same", async () => {
    using box = new CallsSandbox();
    const { stdout } = await box.script(`
      local agent = Agent.builder():name("ada"):model("ci/scripted"):system_prompt("Be brief"):budget{calls = 5}:build()
      agent:execute("Hi") agent:execute("Hi")
      local m = agent:get_metrics()
      print(m.model_calls, m.cost_usd, m.retries, m.budget.calls.left)
    `);
    // prompts of 3 and 7 tokens, as the second holds the first turn, and twice 3 for the answers
    expect(stdout).toBe("2\t0.022\t0\t3\n");
  });
});

describe("--budget", () => {
  const MANY = `
    for i = 1, 5 do
      local agent = Agent.builder():name("a" .. i):model("ci/scripted"):system_prompt("Be brief"):max_tokens(3):build()
      local ok, err = pcall(function() return agent:execute("Hi").text end)
      print(ok, ok and err or (tostring(err):match("the [^\\n]+")))
    end
  `;

  test("refuses the call that does not fit, and says which budget, what is left and what is needed", async () => {
    using box = new CallsSandbox();
    const { code, stdout, stderr } = await box.script(MANY, "--budget", "calls=2", "--usage");
    expect(code).toBe(0);
    const lines = stdout.trim().split("\n");
    expect(lines.slice(0, 3)).toEqual([
      "true\tone two three",
      "true\tone two three",
      "false\tthe calls budget of the script is 2: 0 left, the call may take 1",
    ]);
    expect(stderr).toContain("3 calls refused by a budget");
    expect(stderr).toContain("Budget: calls 2 of 2");
  });

  test("bounds tokens and money", async () => {
    using box = new CallsSandbox();
    const tokens = await box.script(MANY, "--budget", "tokens=15");
    // The provider counts 3 for the prompt and 3 are asked for: two fit, and 3 are left for the third
    expect(tokens.stdout.trim().split("\n")[2]).toBe(
      "false\tthe tokens budget of the script is 15: 3 left, the call may take 6",
    );
    const money = await box.script(MANY, "--budget", "cost=0.02");
    expect(money.stdout.trim().split("\n")[2]).toBe(
      "false\tthe cost budget of the script is $0.02: $0.002 left, the call may take $0.009",
    );
  });

  test("stands in the configuration too, and the command line wins key by key", async () => {
    using box = new CallsSandbox(`${PAID}\n[models.budget]\ncalls = 1\n`);
    expect((await box.script(MANY)).stdout.match(/true/g)).toHaveLength(1);
    expect((await box.script(MANY, "--budget", "calls=4")).stdout.match(/true/g)).toHaveLength(4);
    expect((await box.script(MANY, "--budget", "tokens=100")).stdout.match(/true/g)).toHaveLength(1);
  });

  test("of an agent bounds its turns only; a mistake in it is told", async () => {
    using box = new CallsSandbox();
    const { stdout } = await box.script(`
      local function agent(name, budget)
        return Agent.create{name = name, model = "ci/scripted", budget = budget}
      end
      local small, free = agent("small", {calls = 1}), agent("free")
      small:execute("a") free:execute("a") free:execute("b")
      print(select(2, pcall(function() small:execute("b") end)))
      print(select(2, pcall(agent, "x", {call = 1})))
      print(select(2, pcall(agent, "x", {tokens = -1})))
    `);
    const [refused, unknown, negative] = stdout.trim().split("\n");
    expect(refused).toContain('the calls budget of agent "small" is 1: 0 left, the call may take 1');
    expect(unknown).toContain('"budget" has no "call"');
    expect(negative).toContain("must have numbers of 0 or more: tokens is -1");
  });

  test.each([
    ["token=5", 'its keys are tokens, cost, calls, time (Did you mean "tokens"?): token=5'],
    ["tokens=many", "tokens must be a whole number: tokens=many"],
    ["cost=1,time=5d", "time must be a duration such as 90s or 5m: time=5d"],
    ["", "its keys are tokens, cost, calls, time"],
  ])("%j is a usage error", async (budget, message) => {
    using box = new CallsSandbox();
    const done = await box.script("", "--budget", budget);
    expect([done.code, done.stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

describe("--dry-run", () => {
  const PLAN = `
    local agent = Agent.create{name = "ada", model = "openai/gpt-4o-mini", max_tokens = 100, system_prompt = "Be brief"}
    print(agent:execute("Hello").text)
    local open = Agent.create{name = "bob", model = "local/spell-mini"}
    open:execute("Hello")
    print(Tool.execute("calculator", {expression = "6*7"}).output)
    print(Tool.execute("file-operations", {operation = "write", path = "made.txt", content = "x"}).message)
  `;

  test("calls nothing, needs no key, and lists what would be called with an upper bound of the cost", async () => {
    using box = new CallsSandbox();
    const { code, stdout } = await box.script(PLAN, "--dry-run", "--output", "json");
    expect(code).toBe(0);
    const { planned, console } = JSON.parse(stdout);
    expect(console).toEqual(["[dry run: no model was asked]", "42", "Dry run: the tool was not called"]);
    expect(planned.models).toMatchObject([
      { provider: "openai", model: "gpt-4o-mini", kind: "chat", calls: 1, max_tokens: 100 },
      { provider: "llamacpp", model: "spell-mini", kind: "chat", calls: 1, max_tokens: null },
    ]);
    // 100 tokens out at $0.60 a million, and a prompt that cannot be longer than 200 tokens at $0.15
    expect(planned.max_cost_usd).toBeGreaterThan(0.00006);
    expect(planned.max_cost_usd).toBeLessThan(0.00006 + 0.00003);
    expect(planned.models[1]).not.toHaveProperty("max_cost_usd");
    expect(planned.tools).toEqual([
      { tool: "calculator", calls: 1, ran: true },
      { tool: "file-operations", calls: 1, ran: false },
    ]);
    expect(await Bun.file(box.file("made.txt")).exists()).toBe(false);
  });

  test("shows it as tables on stderr", async () => {
    using box = new CallsSandbox();
    const { stderr } = await box.script(PLAN, "--dry-run");
    expect(stderr).toMatch(/^openai\/gpt-4o-mini +chat +1 +\d+ +100 +\$0\.0000\d+$/m);
    expect(stderr).toMatch(/^llamacpp\/spell-mini +chat +1 +\d+ +no limit +-$/m);
    expect(stderr).toMatch(/^calculator +1 +yes$/m);
    expect(stderr).toMatch(/^file-operations +1 +no$/m);
  });
});

describe("[models.cache]", () => {
  const CACHE = `${PAID}\n[models.cache]\nenabled = true\n`;
  const ASK_AT = (temperature: string) => `
    local agent = Agent.create{name = "ada", model = "ci/scripted", temperature = ${temperature}, memory_enabled = false}
    for _ = 1, 2 do
      local r = agent:execute("Hi")
      print(r.text, r.metadata.cached_calls, r.metadata.estimated_cost_cents)
    end
  `;

  test("answers the same request from what is kept, also in the next process, and charges nothing", async () => {
    using box = new CallsSandbox(CACHE);
    const first = await box.script(ASK_AT("0"));
    expect(first.stdout).toMatch(/^one two three\tnil\t[\d.]+\none two three\t1\tnil\n$/);
    const second = await box.script(ASK_AT("0"), "--usage", "--budget", "tokens=40");
    expect(second.stdout).toBe("one two three\t1\tnil\none two three\t1\tnil\n");
    expect(second.stderr).toContain("2 calls answered from the cache");
    expect(second.stderr).toContain("Budget: tokens 0 of 40");
  });

  test("leaves out what chance has a part in, unless it is told to", async () => {
    using box = new CallsSandbox(CACHE);
    expect((await box.script(ASK_AT("0.7"))).stdout).not.toContain("\t1\t");
    using asked = new CallsSandbox(`${CACHE}sampled = true\n`);
    expect((await asked.script(ASK_AT("0.7"))).stdout).toContain("\t1\tnil");
  });

  test("keeps no failure", async () => {
    using box = new CallsSandbox(
      `${CACHE}`.replace('text = "one two three"', 'answers = [{ error = "down" }, { text = "up" }]'),
    );
    const { stdout } = await box.script(`
      local agent = Agent.create{name = "ada", model = "ci/scripted", temperature = 0, memory_enabled = false}
      for _ = 1, 3 do print(pcall(function() return agent:execute("Hi").text end)) end
    `);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split("\t")[0]),
    ).toEqual(["false", "true", "true"]);
  });
});

describe("A workflow", () => {
  const FLOW = (budget: string) => `
    local branches = {}
    for i = 1, 4 do
      Agent.create{name = "a" .. i, model = "ci/scripted", system_prompt = "Be brief", max_tokens = 3}
      local ask = {name = "ask", type = "agent", agent = "a" .. i, input = "Hi"}
      branches[i] = {name = "b" .. i, steps = {ask}}
    end
    local flow = Workflow.parallel{name = "flow", branches = branches, ${budget}}
    local ok, result = pcall(function() return flow:execute({}) end)
    print(ok, ok and result.usage.calls or tostring(result):match("the %a+ budget[^\\n]+"))
  `;

  test("has its own lines in the usage, and tells what it took", async () => {
    using box = new CallsSandbox();
    const { stdout, stderr } = await box.script(FLOW(""), "--usage");
    expect(stdout).toBe("true\t4\n");
    expect(stderr).toMatch(/^workflow flow +4 +0 +12 +0 +12 +\$0\.0360/m);
  });

  test("has a budget that its parallel branches share, and what was begun is not lost", async () => {
    using box = new CallsSandbox(
      PAID.replace('text = "one two three"', 'text = "one two three"\ndelay_ms = 30'),
    );
    // 3 tokens of prompt and 3 of answer each: two fit
    const done = await box.script(FLOW("budget = {tokens = 15}"), "--usage", "--output", "json");
    const { usage, console } = JSON.parse(done.stdout);
    expect(console[0]).toContain('false\tthe tokens budget of workflow "flow" is 15: 3 left');
    expect(usage).toMatchObject({ calls: 2, failed: 0, refused: 2, total_tokens: 12 });
  });

  test("refuses a budget that is none", async () => {
    using box = new CallsSandbox();
    const { code, stderr } = await box.script(FLOW("budget = {tokens = 'many'}"));
    expect(code).toBe(1);
    expect(stderr).toContain(
      'Cannot build workflow "flow": "budget" must have numbers of 0 or more: tokens is many',
    );
  });
});
