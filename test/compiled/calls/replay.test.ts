/** Recorded scripts replayed where there is no network: byte for byte the same. */
import { describe, expect, test } from "bun:test";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { CallsSandbox, canBeApart, PAID, runApart } from "./support.ts";

/** The embedded model, tools, parallel agents, time, chance, events and what results tell of durations. */
const EVERYTHING = `
local names = {"one", "two", "three"}
for _, name in ipairs(names) do
  Agent.create{name = name, model = "local/spell-mini", max_tokens = 16, temperature = 0.9, description = name}
end
Agent.create_composite("all", names, {strategy = "parallel"})
local r = Agent.get("all"):execute("Tell me about " .. math.random(1000000))
print(r.text, JSON.stringify(r.usage), JSON.stringify(r.metadata))

Tool.register{name = "stamp", description = "Tells the time", parameters = {}, execute = function()
  return {success = true, result = os.time() .. "/" .. os.clock() .. "/" .. math.random()}
end}
print(JSON.stringify(Tool.execute("stamp", {})))
print(JSON.stringify(Tool.execute("uuid-generator", {version = "v1"})))
print(JSON.stringify(Tool.execute("uuid-generator", {})))
print(JSON.stringify(Tool.execute("datetime-handler", {operation = "now"})))
print(JSON.stringify(Tool.execute("calculator", {expression = "2^10"})))

local timer = Debug.timer("work")
local sum = 0
for i = 1, 100000 do sum = sum + i end
print(timer:stop(), os.date(), os.date("!%c"), os.time(), os.clock())

local bag = {}
for i = 1, 20 do bag["k" .. math.random(10000)] = i end
for key, value in pairs(bag) do io.write(key, "=", value, " ") end
print()

local pieces = {}
Agent.get("one"):invokeStream({text = "And you?"}, function(chunk)
  pieces[#pieces + 1] = chunk.text .. "@" .. chunk.stream_id .. "@" .. chunk.timestamp .. "@" .. os.clock()
end)
print(table.concat(pieces, "\\n"))
print(JSON.stringify(Agent.get("two"):get_metrics()))
print(pcall(function() return Agent.create{name = "x", model = "nope/x"} end))
return {agent = Agent.get("one"):get_info(), at = os.time()}
`;

describe.skipIf(!canBeApart)("A replay without a network", () => {
  test("prints the same bytes as the recorded run", async () => {
    using box = new CallsSandbox();
    const recorded = await box.script(EVERYTHING, "--record", "run.jsonl");
    expect([recorded.code, recorded.stderr]).toEqual([0, ""]);
    expect(recorded.stdout.length).toBeGreaterThan(2000);
    for (let i = 0; i < 3; i++) {
      const replayed = await runApart(box, [
        "--config",
        box.config,
        "run",
        "script.lua",
        "--replay",
        "run.jsonl",
      ]);
      expect(replayed).toEqual({ code: 0, stdout: recorded.stdout, stderr: "" });
    }
  });

  test("also as JSON, with usage, and through exec", async () => {
    using box = new CallsSandbox();
    const words = ["--output", "json", "exec", EVERYTHING, "--usage"];
    const recorded = await box.run([...words, "--record", "run.jsonl"]);
    expect(recorded.code).toBe(0);
    const replayed = await runApart(box, [...words, "--replay", "run.jsonl"]);
    expect(replayed).toEqual({ code: 0, stdout: recorded.stdout, stderr: "" });
  });

  test("needs neither the provider nor its key", async () => {
    using box = new CallsSandbox();
    const recorded = await box.script(
      `print(Agent.create{name = "a", model = "ci/scripted"}:execute("Hi").text)`,
      "--record",
      "run.jsonl",
    );
    const replayed = await runApart(box, ["run", "script.lua", "--replay", "run.jsonl"]);
    expect([recorded.stdout, replayed.stdout]).toEqual(["one two three\n", "one two three\n"]);
  });
});

describe.skipIf(!canBeApart)("Every example", () => {
  const examples = [...new Glob("**/*.lua").scanSync("examples")].sort();

  test.each(examples)("%s is replayed byte for byte without a network", async (example) => {
    using recording = new CallsSandbox();
    using replaying = new CallsSandbox();
    for (const box of [recording, replaying]) cpSync("examples", box.file("examples"), { recursive: true });
    const script = `examples/${example}`;
    const tape = recording.file("run.jsonl");
    const recorded = await recording.run(["run", script, "--record", tape]);
    const replayed = await runApart(replaying, ["run", script, "--replay", tape]);
    const { code, stdout, stderr } = recorded;
    expect(replayed).toEqual({ code, stdout, stderr });
    // no library and no model was unpacked
    expect(existsSync(join(replaying.home, ".cache"))).toBe(false);
  });
});

describe("Tools of agents", () => {
  const TOOLS = `
[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
after_tool = "stamp"
text = "It is {{tool_result}}"
delay_ms = 5
[[providers.ci.responses]]
system = "slow"
tool_calls = [{ name = "stamp" }, { name = "stamp" }]
delay_ms = 40
[[providers.ci.responses]]
tool_calls = [{ name = "stamp" }]
`;

  test("of parallel agents get their own times again, in the order of the recorded run", async () => {
    using box = new CallsSandbox(TOOLS);
    const recorded = await box.script(
      `
      local count = 0
      Tool.register{name = "stamp", description = "x", parameters = {}, execute = function()
        count = count + 1
        print("stamped", count)
        return {success = true, result = count .. ":" .. os.clock()}
      end}
      for _, name in ipairs{"slow", "quick", "other"} do
        Agent.create{name = name, model = "ci/scripted", system_prompt = name, allowed_tools = {"stamp"}}
      end
      Agent.create_composite("all", {"slow", "quick", "other"}, {strategy = "parallel"})
      local r = Agent.get("all"):execute("What time is it?")
      print(r.text, r.execution_time_ms)
      for _, call in ipairs(r.tool_calls) do print(JSON.stringify(call)) end
    `,
      "--record",
      "run.jsonl",
    );
    expect([recorded.code, recorded.stderr]).toEqual([0, ""]);
    for (let i = 0; i < 3; i++) {
      const replayed = await box.run(["run", "script.lua", "--replay", "run.jsonl"]);
      expect(replayed.stdout).toBe(recorded.stdout);
    }
  });
});

describe("Recording", () => {
  const ASK = `print(Agent.create{name = "a", model = "ci/scripted"}:execute("Hello").text)`;

  test("refuses to write over a file, unless --force is given", async () => {
    using box = new CallsSandbox();
    box.write("run.jsonl", "precious");
    const refused = await box.script(ASK, "--record", "run.jsonl");
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain("Cannot record: the file exists");
    expect(readFileSync(box.file("run.jsonl"), "utf8")).toBe("precious");
    expect((await box.script(ASK, "--record", "run.jsonl", "--force")).code).toBe(0);
  });

  test("a script that has changed fails with the nearest entry and the difference", async () => {
    using box = new CallsSandbox();
    await box.script(ASK, "--record", "run.jsonl");
    const changed = await box.script(ASK.replace("Hello", "Hullo"), "--replay", "run.jsonl");
    expect([changed.code, changed.stdout]).toEqual([1, ""]);
    expect(changed.stderr).toContain("Cannot replay: no such call of model was recorded: ci/scripted");
    expect(changed.stderr).toContain('prompt[1].content[0].text was "Hello", is "Hullo"');
  });

  test("keys, headers and values of secret variables never reach the file", async () => {
    const key = "key-of-the-configuration-123";
    using box = new CallsSandbox(
      PAID.replace('default_model = "scripted"', `default_model = "scripted"\napi_key = "${key}"`),
    );
    box.write(
      "script.lua",
      `Agent.create{name = "a", model = "ci/scripted", api_key = "key-of-this-agent-456"}
       :execute("Keys are ${key}, variable-secret-789 and key-of-this-agent-456")`,
    );
    const { code } = await box.run(["--config", box.config, "run", "script.lua", "--record", "run.jsonl"], {
      env: { MY_SECRET: "variable-secret-789" },
    });
    const text = readFileSync(box.file("run.jsonl"), "utf8");
    expect(code).toBe(0);
    expect(text).toContain("Keys are [REDACTED], [REDACTED] and [REDACTED]");
    for (const secret of [key, "variable-secret-789", "key-of-this-agent-456"])
      expect(text).not.toContain(secret);
  });

  test("that is killed can be replayed up to there", async () => {
    using box = new CallsSandbox();
    box.write(
      "script.lua",
      `local a = Agent.create{name = "a", model = "ci/scripted"}
       for i = 1, 3 do print(a:execute("Ask " .. i).text) io.stdout:flush() end
       print("now") while not ARGS.quick do end`,
    );
    const proc = box.start(["--config", box.config, "run", "script.lua", "--record", "run.jsonl"]);
    let seen = "";
    for await (const chunk of proc.stdout) {
      seen += new TextDecoder().decode(chunk);
      if (seen.includes("now")) break;
    }
    proc.kill("SIGKILL");
    await proc.exited;
    const replay = ["run", "script.lua", "--replay", "run.jsonl", "--", "--quick", "1"];
    expect(await box.run(replay)).toMatchObject({ code: 0, stdout: seen });
    // the last line is cut in the middle
    const text = readFileSync(box.file("run.jsonl"), "utf8");
    writeFileSync(box.file("run.jsonl"), text.slice(0, text.lastIndexOf('"kind":"model"') + 30));
    const cut = await box.run(replay);
    expect([cut.code, cut.stdout]).toEqual([1, "one two three\none two three\n"]);
    expect(cut.stderr).toContain("it was cut off");
  });

  test("stands in the configuration too", async () => {
    using box = new CallsSandbox(`${PAID}\n[recording]\nrecord = "run.jsonl"\n`);
    const first = await box.script(`print(math.random(), os.clock())`);
    using other = new CallsSandbox(`[recording]\nreplay = "${box.file("run.jsonl")}"\n`);
    expect((await other.script(`print(math.random(), os.clock())`)).stdout).toBe(first.stdout);
  });

  test.each([
    [["--record", "a", "--replay", "b"], "--record and --replay exclude each other"],
    [["--force"], "--force goes with --record only"],
    [["--dry-run", "--replay", "b"], "--dry-run goes with neither"],
  ])("%j is a usage error", async (options, message) => {
    using box = new CallsSandbox();
    const done = await box.script("", ...options);
    expect([done.code, done.stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  test("a replay of a file that is not there, or is none, says so", async () => {
    using box = new CallsSandbox();
    const missing = await box.script("", "--replay", "none.jsonl");
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining("there is no such file")]);
    box.write("notes.txt", "hello");
    const wrong = await box.script("", "--replay", "notes.txt");
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("it is no recording")]);
  });
});

describe("Workflows", () => {
  const FLOW = `
local count = 0
Tool.register{name = "stamp", description = "x", parameters = {}, execute = function()
  count = count + 1
  print("stamped", count)
  return {success = true, result = count .. ":" .. os.clock()}
end}
for _, name in ipairs{"slow", "quick", "other"} do
  Agent.create{name = name, model = "ci/scripted", system_prompt = name, allowed_tools = {"stamp"}}
end
local function ask(name) return {name = "ask", type = "agent", agent = name, input = "What time is it?"} end
local branches = {}
for i, name in ipairs{"slow", "quick", "other"} do
  local id = {name = "id", type = "tool", tool = "uuid-generator", input = {}}
  branches[i] = {name = name, steps = {ask(name), id}}
end
local result = Workflow.parallel{name = "flow", branches = branches}:execute({})
print(result.text, result.execution_id, result.workflow_id, result.duration_ms, JSON.stringify(result.usage))
for _, name in ipairs{"slow", "quick", "other"} do print(JSON.stringify(result.output[name])) end
print(JSON.stringify(result.steps))
`;

  test("of parallel branches are replayed byte for byte", async () => {
    using box = new CallsSandbox(`
[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
after_tool = "stamp"
text = "It is {{tool_result}}"
delay_ms = 5
[[providers.ci.responses]]
system = "slow"
tool_calls = [{ name = "stamp" }, { name = "stamp" }]
delay_ms = 40
[[providers.ci.responses]]
tool_calls = [{ name = "stamp" }]
`);
    const recorded = await box.script(FLOW, "--usage", "--record", "run.jsonl");
    expect([recorded.code, recorded.stdout.match(/stamped/g)?.length]).toEqual([0, 4]);
    for (let i = 0; i < 3; i++) {
      const replayed = await box.run(["run", "script.lua", "--usage", "--replay", "run.jsonl"]);
      expect([replayed.stdout, replayed.stderr]).toEqual([recorded.stdout, recorded.stderr]);
    }
  });
});
