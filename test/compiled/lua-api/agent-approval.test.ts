/** Approval of tool calls and compaction of conversations, on the executable. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { KernelSandbox } from "../../support/kernel.ts";
import { Terminal } from "../../support/terminal.ts";
import { luaTable, scripted } from "./support.ts";

const CONFIG = scripted(`
[[providers.ci.responses]]
after_tool = "*"
text = "told: {{tool_result}}"
[[providers.ci.responses]]
match = '/^reckon (.*)$/'
tool_calls = [{ name = "calculator", arguments = { expression = "{{1}}" } }]
[[providers.ci.responses]]
match = "Sum up"
text = "They counted."
[[providers.ci.responses]]
text = "echo: {{prompt}}"
`);

luaTable("Approval of tool calls", {
  config: CONFIG,
  setup: `local function agent(approval) return Agent.create{model = "ci/scripted", tools = {"calculator"}, approval = approval} end
    local function said(a) local r = a:execute("reckon 6*7") return r.tool_calls[1].result.success, r.tool_calls[1].result.error end`,
  cases: [
    ["lets calls run without a policy", `(said(agent(nil)))`, `true`],
    [
      "refuses to ask where nobody is",
      `said(agent("ask"))`,
      `false "The call was not approved: it needs approval, and nobody is there to ask"`,
    ],
    [
      "denies by table, by the tool's alias",
      `said(agent{default = "auto", calculator = "deny"})`,
      `false "The call was not approved: the agent's approval policy denies this tool"`,
    ],
    [
      "asks a function of the script",
      `local seen; local a = Agent.builder():model("ci/scripted"):allow_tool("calculator"):approval(function(call) seen = call return {expression = "1+1"} end):build() local r = a:execute("reckon 6*7") return seen.tool, seen.parameters.expression, r.text:match('"result":%s*(%d+)')`,
      `"calculator" "6*7" "2"`,
    ],
    [
      "takes a function's word for why not",
      `return said(agent(function() return "not now" end))`,
      `false "The call was not approved: not now"`,
    ],
    [
      "refuses where the function raises",
      `local ok, why = said(agent(function() error("oops") end)) return ok, why:find("oops") ~= nil`,
      `false true`,
    ],
    [
      "names a wrong rule",
      `local ok, e = pcall(agent, "perhaps") return ok, tostring(e):match("Cannot build agent: [^\\n]*")`,
      `false "Cannot build agent: "approval" must be one of auto, ask, deny: "perhaps""`,
    ],
  ],
});

luaTable("Compaction", {
  config: CONFIG,
  setup: `local a = Agent.create{model = "ci/scripted", name = "ada" .. math.random(1000000)} a:execute("one") a:execute("two") a:execute("three")`,
  cases: [
    [
      "puts a summary in the place of older turns and keeps them",
      `local c = a:compact{keep = 1, prompt = "Sum up"} return c.summary, c.compacted_turns, c.messages_before, c.messages_after, #a:get_conversation(), #a:get_conversation{original = true}, a:get_conversation()[2].content`,
      `"They counted." 2 6 4 4 6 "They counted."`,
    ],
    [
      "outlives the process with what it stands for",
      `a:compact{prompt = "Sum up", keep = 0} a:save_state() local n = a:get_name() a:destroy() local b = Agent.create{model = "ci/scripted", name = n} b:load_state() return #b:get_conversation(), #b:get_conversation{original = true}, b:expand_conversation(), #b:get_conversation(), b:expand_conversation()`,
      `2 6 true 6 false`,
    ],
    [
      "refuses a wrong number of turns",
      `local ok, e = pcall(a.compact, a, {keep = -1}) return ok, tostring(e):match("Cannot compact[^\\n]*")`,
      `false "Cannot compact the conversation: "keep" must be a whole number, at least 0: -1"`,
    ],
  ],
});

describe("Approval at a terminal", () => {
  test.each([
    ["y\r", "true"],
    ["n\r", "false"],
  ])("takes %j", async (keys, success) => {
    using box = new Sandbox();
    box.write("llm.toml", CONFIG);
    box.write(
      "ask.lua",
      `local a = Agent.create{name = "ada", model = "ci/scripted", tools = {"calculator"}, approval = "ask"}
       print("ran: " .. tostring(a:execute("reckon 6*7").tool_calls[1].result.success))`,
    );
    const terminal = new Terminal(box, ["--config", "llm.toml", "run", "ask.lua"]);
    await terminal.answer('Agent "ada" wants to call calculator {"expression":"6*7"}', keys);
    expect(await terminal.exited()).toBe(0);
    expect(terminal.screen).toContain(`ran: ${success}`);
  });

  test("asks whoever sits before a connected client, and nobody behind a pipe", async () => {
    using box = new KernelSandbox();
    box.write("llm.toml", CONFIG);
    box.write(
      "ask.lua",
      `local a = Agent.create{model = "ci/scripted", tools = {"calculator"}, approval = "ask"}
       print("ran: " .. tostring(a:execute("reckon 6*7").tool_calls[1].result.success))`,
    );
    const { id } = await box.daemon(["--id", "asking"], {
      env: { LLMSPELL_CONFIG: join(box.cwd, "llm.toml") },
    });
    const words = ["run", "--kernel", id, "ask.lua"];
    const terminal = new Terminal(box, words);
    await terminal.answer("wants to call calculator", "y\r");
    expect(await terminal.exited()).toBe(0);
    expect(terminal.screen).toContain("ran: true");
    expect((await box.run(words, { stdin: "y\n" })).stdout).toBe("ran: false\n");
  });
});
