/** Replays of sessions by the built executable that call again: a provider on loopback sees what is asked, the script what runs. */
import { describe, expect, test } from "bun:test";
import { generateBert } from "../../support/bert.ts";
import { ProviderServer } from "../../support/providers/server.ts";
import { KEY, VENDORS } from "../../support/providers/vendors.ts";
import { CallsSandbox } from "./support.ts";

const vendor = VENDORS.find(({ type }) => type === "openai")!;
const MODEL = `openai/${vendor.modelId}`;

const configured = (origin: string) => `
[runtime.sessions]
enabled = true
storage_backend = "sqlite"
[providers.openai]
provider_type = "openai"
base_url = "${origin}${vendor.basePath}"
api_key = "${KEY}"
`;

const answer = (text: string) => ({ answer: { text, input: 10, output: 2 } });

/** A hook, an event, a tool of the script and an agent's question, while the session is current. */
const RECORDED = `
local seen, calls, asked = {}, 0, 0
local factor = 1
Event.on("order.*", function(event) seen[#seen + 1] = event.event_type .. " " .. event.data.amount .. (event.replayed and " again" or "") end)
Hook.register("BeforeToolExecution", function(c)
  asked = asked + 1
  if factor ~= 1 then return {type = "modified", data = {params = {value = 100}}} end
end, {name = "watch"})
Tool.register("triple", function(p) calls = calls + 1 return {product = p.value * 3 * factor} end)
local id = Session.create() Session.set_current(id)
Event.publish("order.paid", {amount = 5})
Tool.execute("triple", {value = 2})
local agent = Agent.create{name = "ada", model = "${MODEL}", system_prompt = "Be brief", temperature = 0.5}
print(agent:execute("How are you?").text)
Session.set_current(nil)
Session.save(id)
local function show(r)
  local lines = {}
  for i, s in ipairs(r.steps) do
    local d = s.comparison and s.comparison.differences and s.comparison.differences[1]
    lines[i] = s.kind .. ":" .. s.hook_name .. ":" .. s.source .. (d and " " .. d.path .. " " .. d.description or "")
  end
  print(table.concat(lines, " | "), r.steps_run, r.mismatches, r.failed_replays)
end
`;

async function replayed(script: string, second: string) {
  await using server = await ProviderServer.start(vendor.format);
  server.script(answer("Fine"), answer(second));
  using box = new CallsSandbox(configured(server.origin));
  const done = await box.script(RECORDED + script);
  expect([done.stderr, done.code]).toEqual(["", 0]);
  return { lines: done.stdout.trimEnd().split("\n"), asked: server.seen.map(({ body }) => body) };
}

describe("A replay of a session", () => {
  test("calls nothing outside by itself", async () => {
    const { lines, asked } = await replayed("show(Session.replay(id)) print(calls, asked, #seen)", "Other");
    expect(lines).toEqual([
      "Fine",
      `event:order.paid:recorded | hook:watch:recorded | tool:triple:recorded | model:${MODEL}:recorded | agent:ada:recorded\t0\t0\t0`,
      "1\t1\t1",
    ]);
    expect(asked).toHaveLength(1);
  });

  test("with `run` publishes, hooks, calls and asks once more, and compares each", async () => {
    const { lines, asked } = await replayed(
      `factor = 2
       show(Session.replay(id, {run = "all"}))
       Event.flush(5000)
       print(calls, asked, table.concat(seen, ", "))
       print(Session.get_replay_metadata(id).total_hooks)`,
      "Tired",
    );
    expect(lines[1]).toBe(
      [
        "event:order.paid:run",
        'hook:watch:run $.output.type changed: "continue" → "modified"',
        "tool:triple:run $.output.result.product changed: 6 → 12",
        `model:${MODEL}:run $.output.text changed: "Fine" → "Tired"`,
        "agent:ada:recorded\t4\t3\t0",
      ].join(" | "),
    );
    // the hook ran once more by itself, and not around the tool as well
    expect(lines.slice(2)).toEqual(["2\t2\torder.paid 5, order.paid 5 again", "5"]);
    const [first, again] = asked;
    expect(again).toEqual(first!);
    expect(first).toMatchObject({ temperature: 0.5 });
  });

  test("from a point, of one kind, with another question to another model", async () => {
    const { lines, asked } = await replayed(
      `show(Session.replay(id, {run = {"model"}, from_step = 4, to_step = 4}))
       local c = Replay.create_config("modified")
       c:add_modification("prompt[2].content[1].text", "And you?")
       c:add_modification("model", "openai/gpt-5-other")
       show(Session.replay(id, c))`,
      "Tired",
    );
    expect(lines.slice(1)).toEqual([
      `model:${MODEL}:run $.output.text changed: "Fine" → "Tired"\t1\t1\t0`,
      `event:order.paid:recorded | hook:watch:recorded | tool:triple:recorded | model:${MODEL}:run $.output.text changed: "Fine" → "Tired" | agent:ada:recorded\t1\t1\t0`,
    ]);
    expect(asked.map(({ model }) => model)).toEqual([vendor.modelId, vendor.modelId, "gpt-5-other"]);
    expect(JSON.stringify(asked[2])).toContain("And you?");
    expect(JSON.stringify(asked[2])).not.toContain("How are you?");
  });

  test("with another event's data and another input of a tool", async () => {
    const { lines } = await replayed(
      `local c = Replay.create_config("modified")
       c:add_modification("data.amount", 7) c:add_modification("value", 10)
       show(Session.replay(id, c)) Event.flush(5000) print(table.concat(seen, ", "))`,
      "",
    );
    expect(lines[1]).toStartWith(
      "event:order.paid:run | hook:watch:recorded | tool:triple:run $.output.result.product changed: 6 → 30 | model",
    );
    expect(lines[2]).toBe("order.paid 5, order.paid 7 again");
  });

  test("refuses kinds that never run again", async () => {
    const { lines } = await replayed(`print(pcall(Session.replay, id, {run = {"tool", "agent"}}))`, "");
    expect(lines[1]).toContain('"run" must be all, or some of tool, model, hook, event: agent');
  });

  test("in another process asks again and tells what is not there any more", async () => {
    await using server = await ProviderServer.start(vendor.format);
    server.script(answer("Fine"), answer("Tired"));
    using box = new CallsSandbox(configured(server.origin));
    const recorded = await box.script(`${RECORDED} print(id)`);
    const id = recorded.stdout.trimEnd().split("\n").at(-1)!;
    const done = await box.run([
      "-c",
      box.config,
      "session",
      "replay",
      id,
      "--run",
      "all",
      "--output",
      "json",
    ]);
    expect([done.stderr, done.code]).toEqual(["", 0]);
    const { steps_run, mismatches, differences, not_run } = JSON.parse(done.stdout);
    expect({ steps_run, mismatches, differences, not_run }).toEqual({
      steps_run: 2,
      mismatches: 1,
      differences: [
        {
          step: 4,
          action: MODEL,
          differences: [{ path: "$.output.text", description: 'changed: "Fine" → "Tired"' }],
        },
      ],
      not_run: [
        { step: 2, action: "watch", reason: "Cannot run hook watch again: no such hook is registered here" },
        { step: 3, action: "triple", reason: "Cannot run tool triple again: there is no such tool here" },
      ],
    });
    expect(server.seen).toHaveLength(2);
  });
});

test("the command changes parameters too: JSON where it is JSON, text otherwise", async () => {
  await using server = await ProviderServer.start(vendor.format);
  server.script(answer("Fine"), answer("Ça va"));
  using box = new CallsSandbox(configured(server.origin));
  const recorded = await box.script(`${RECORDED} print(id)`);
  const id = recorded.stdout.trimEnd().split("\n").at(-1)!;
  const replay = (...more: string[]) => box.run(["-c", box.config, "session", "replay", id, ...more]);
  const done = await replay("--set", "prompt[2].content[1].text=In French = ?", "--set", "data.amount=7");
  expect([done.stderr, done.code]).toEqual(["", 0]);
  expect(done.stdout).toContain(`≠ step 4: ${MODEL}: $.output.text changed: "Fine" → "Ça va"`);
  expect(done.stdout).toContain("✓ Replay completed: 5 steps, 2 run again, 1 mismatches");
  expect(JSON.stringify(server.seen[1]!.body)).toContain('"In French = ?"');
  const wrong = await replay("--set", "nothing");
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    expect.stringContaining("--set must be PATH=VALUE: nothing"),
  ]);
});

describe("A step that cannot be done again", () => {
  test("fails with what its provider says, and the command's exit code is 1", async () => {
    await using server = await ProviderServer.start(vendor.format);
    server.script(answer("Fine"), { status: 400, message: "no such day" });
    using box = new CallsSandbox(configured(server.origin));
    const recorded = await box.script(`${RECORDED} print(id)`);
    const id = recorded.stdout.trimEnd().split("\n").at(-1)!;
    const done = await box.run(["-c", box.config, "session", "replay", id, "--run", "model"]);
    expect(done.code).toBe(1);
    expect(done.stdout).toContain(`✗ step 4: ${MODEL}: `);
    expect(done.stdout).toContain("no such day");
    expect(done.stdout).toContain("✗ Replay failed: 5 steps, 1 run again, 0 mismatches");
  });

  test("says what is wrong with what a modification made of it", async () => {
    const { lines, asked } = await replayed(
      `local function with(path, value)
         local c = Replay.create_config("modified") c:add_modification(path, value)
         for _, s in ipairs(Session.replay(id, c).steps) do if not s.success then print(s.step, s.error) end end
       end
       with("prompt", "hello") with("tools", {"none"}) with("model", "nobody/x") with("text", "other")`,
      "",
    );
    expect(lines.slice(1)).toEqual([
      `4\tCannot ask model ${MODEL} again: "prompt" of its input must be a list of messages: "hello"`,
      `4\tCannot ask model ${MODEL} again: no such tool: none`,
      expect.stringMatching(/^4\t.*nobody/),
      "5\tCannot replay agent ada with another input: only tools, models, hooks, events run again",
    ]);
    expect(asked).toHaveLength(1);
  });
});

test("vectors and rankings of a session's models are recorded, and made again", async () => {
  using box = new CallsSandbox('[runtime.sessions]\nenabled = true\nstorage_backend = "sqlite"\n');
  for (const name of ["bert-f32", "bert-rank-f32"])
    expect(
      (await box.run(["model", "import", generateBert(box.cwd, name), "--name", `${name}:test`])).code,
    ).toBe(0);
  const done = await box.script(`
    local id = Session.create() Session.set_current(id)
    LocalLLM.embed("bert-f32:test", {"hello world", "good morning"})
    LocalLLM.rank("bert-rank-f32:test", "which?", {"one", "two"})
    Session.set_current(nil) Session.save(id)
    local function show(options)
      local r = Session.replay(id, options)
      for _, s in ipairs(r.steps) do print(s.kind, s.hook_name, s.source, s.comparison.identical) end
    end
    show({}) show({run = {"model"}})
    show({mode = "modified", modifications = {{path = "values[1]", value = "good bye"}}})
    local first = Session.replay(id, {mode = "debug"}).steps[1]
    print(first.input.values[2], #first.output.embeddings, #first.output.embeddings[1])`);
  expect(done.stderr).toBe("");
  const both = (source: string, same: boolean) => [
    `model\tllamacpp/bert-f32:test\t${source}\t${same}`,
    `model\tllamacpp/bert-rank-f32:test\t${same ? source : "recorded"}\ttrue`,
  ];
  expect(done.stdout.trimEnd().split("\n")).toEqual([
    ...both("recorded", true),
    ...both("run", true),
    ...both("run", false),
    "good morning\t2\t64",
  ]);
});

test("an event belongs to the session that is the current one when it is published", async () => {
  using box = new CallsSandbox('[runtime.sessions]\nenabled = true\nstorage_backend = "sqlite"\n');
  const done = await box.script(`
    local a, b = Session.create(), Session.create()
    for i = 1, 50 do
      Session.set_current(a) Event.publish("a", {i}) Session.set_current(b) Event.publish("b", {i}) Session.set_current(nil)
      Event.publish("c", {i})
    end
    for _, id in ipairs{a, b} do
      Session.save(id)
      local names = {}
      for _, s in ipairs(Session.replay_timeline(id)) do names[s.hook_name] = (names[s.hook_name] or 0) + 1 end
      print(names.a, names.b, names.c)
    end`);
  expect([done.stdout, done.stderr]).toEqual(["50\tnil\tnil\nnil\t50\tnil\n", ""]);
});

test("what was called within a step that runs again is called there, once, and compared", async () => {
  await using server = await ProviderServer.start(vendor.format);
  server.script(answer("Fine"), answer("Tired"));
  using box = new CallsSandbox(configured(server.origin));
  const done = await box.script(`
    local n = 0
    local ada = Agent.create{name = "ada", model = "${MODEL}"}
    Tool.register("inner", function(p) n = n + 1 return {n = n} end)
    Tool.register("outer", function(p)
      Tool.execute("inner", {}) Event.publish("inside", {})
      if n > 1 then Tool.execute("calculator", {operation = "evaluate", input = "1+1"}) end
      return {text = ada:execute("How are you?").text}
    end)
    local id = Session.create() Session.set_current(id)
    Tool.execute("outer", {})
    Session.set_current(nil) Session.save(id)
    for _, s in ipairs(Session.replay(id, {run = "all"}).steps) do
      print(s.step, s.kind, s.hook_name, s.source, s.within, s.added and table.concat(s.added, ", "), s.comparison.summary, s.error)
    end
    print(n)`);
  expect([done.stderr, done.code]).toEqual(["", 0]);
  expect(done.stdout.trimEnd().split("\n")).toEqual([
    "1\ttool\tinner\trun\t5\tnil\t1 difference\tnil",
    "2\tevent\tinside\trun\t5\tnil\tidentical\tnil",
    `3\tmodel\t${MODEL}\trun\t5\tnil\t1 difference\tnil`,
    "4\tagent\tada\trun\t5\tnil\t1 difference\tnil",
    "5\ttool\touter\trun\tnil\ttool calculator\t1 difference\tnil",
    "2",
  ]);
});
