/** What a model gets wrong when it calls a tool: the tool refuses it in words, the model is told, and the turn goes on. */
import { luaTable, scripted } from "./support.ts";

/** Each message calls the tool with other arguments; afterwards the model says what it was told. */
const wrong: [message: string, args: string][] = [
  ["number", "{ input = 42 }"],
  ["table", "{ input = { nested = true } }"],
  ["list", '{ input = ["6", "*", "7"] }'],
  ["unknown", '{ input = "6*7", inpt = "8*9" }'],
  ["nothing", "{}"],
  ["null", "'{\"input\": null}'"],
  ["array", "'[1, 2]'"],
  ["text", "'\"6*7\"'"],
  ["broken", '\'{"input": "6*\''],
];

const responses = [
  '[[providers.ci.responses]]\nafter_tool = "*"\ntext = "I was told: {{tool_result}}"',
  ...wrong.map(
    ([match, args]) =>
      `[[providers.ci.responses]]\nmatch = "${match}"\ntool_calls = [{ name = "calculator", arguments = ${args} }]`,
  ),
];

luaTable("A tool that a model calls with", {
  config: scripted(responses.join("\n")),
  setup: `
    local function ask(word)
      local agent = Agent.create{name = word, model = "ci/scripted", tools = {"calculator"}}
      local result = agent:execute(word)
      local call = result.tool_calls[1]
      if call.result.success then return true, call.result.data:match('"value": (%-?%d+)') end
      local told = result.text:match("^I was told: (.*)")
      return call.result.success, told ~= nil and told:find(call.result.error, 1, true) ~= nil, call.result.error
    end`,
  cases: [
    ["a number for a text takes it as one", `ask("number")`, 'true "42"'],
    ["a table for a text", `ask("table")`, /^false true ".*input.*string/],
    ["a list for a text", `ask("list")`, /^false true ".*input.*string/],
    ["an argument too many leaves that out", `ask("unknown")`, 'true "42"'],
    ["none of its arguments", `ask("nothing")`, /^false true ".*input/],
    ["null", `ask("null")`, /^false true ".*input/],
    ["a list in place of its arguments", `ask("array")`, /^false true ".*object/],
    ["a text in place of its arguments", `ask("text")`, /^false true ".*object/],
    ["arguments that are no JSON", `ask("broken")`, /^false true ".*JSON/],
  ],
});
