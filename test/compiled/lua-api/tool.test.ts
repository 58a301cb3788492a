/** spec/lua-api.md section 2; tools.md section 10 as far as scripts see it. */
import { luaTable } from "./support.ts";

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;

luaTable("Tool", {
  setup: `local calculator = Tool.get("calculator") local execute = Tool.execute`,
  cases: [
    [
      "lists each tool once, by name, with its category",
      `local seen, last = {}, "" for _, t in ipairs(Tool.list()) do assert(t.name > last and t.description and t.version and t.category and not t.name:find("_")) last = t.name end return #Tool.list() >= 10`,
      "true",
    ],
    [
      "gives a tool with its schema",
      `calculator.name, type(calculator.execute), calculator.schema.name, type(calculator.schema.parameters[1].required), calculator.schema.parameters[1].type`,
      `"calculator" "function" "calculator" "boolean" "string"`,
    ],
    [
      "gives nil for an unknown tool",
      `Tool.get("nope"), Tool.nope, Tool["no-pe"], Tool.get_schema("nope"), Tool.exists("nope")`,
      "nil nil nil nil false",
    ],
    [
      "calls a tool object with colon, dot and invoke",
      `calculator:execute{expression="1"}.result.result, calculator.execute{expression="2"}.result.result, calculator:invoke{expression="3"}.result.result, calculator.invoke{expression="4"}.result.result`,
      "1 2 3 4",
    ],
    [
      "finds tools by index",
      `Tool.calculator:execute{expression="2+2*3"}.result.result == 8, Tool["uuid-generator"].name, Tool.calculator.getSchema().name, Tool.calculator:getSchema().parameters[1].name`,
      `true "uuid-generator" "calculator" "input"`,
    ],
    [
      "prefers its own functions to tools",
      `Tool.register("list", function() return "mine" end) return type(Tool.list)`,
      `"function"`,
    ],
    [
      "knows underscores and aliases",
      `Tool.get("file_operations").name, Tool.get("template-engine").name, Tool.get("template_engine").name, Tool.get("environment-manager").name, Tool.hash_calculator.name, Tool.exists("uuid_generator")`,
      `"file-operations" "template-creator" "template-creator" "environment-reader" "hash-calculator" true`,
    ],
    [
      "has the other names of its functions",
      `Tool.invoke("calculator", {expression="1+1"}).result.value, Tool.get_info("calculator").name, Tool.get_schema("calculator").name, Tool.is_available("calculator")`,
      `2 "calculator" "calculator" true`,
    ],
    [
      "names categories and discovers",
      `Tool.categories(), #Tool.discover() == #Tool.list(), Tool.discover({category = "filesystem"})[1].name, #Tool.discover({tag = "no such words"}), #Tool.discover({}) == #Tool.list()`,
      /^\{.*"filesystem".*"utility".*\} true "file-operations" 0 true$/,
    ],
    ["raises for an unknown tool", `execute("nope", {})`, "raises: Tool 'nope' not found"],
    [
      "raises what scripts join to text",
      `local ok, err = pcall(execute, "nope", {}) return "failed: " .. err`,
      `"failed: Tool 'nope' not found"`,
    ],
    [
      "raises for missing parameters",
      `execute("hash-calculator", {input = "x"})`,
      /^raises: Tool execution failed: Missing required parameter 'operation'/,
    ],
    [
      "takes missing parameters for none",
      `execute("uuid-generator").success, execute("uuid-generator", nil).success`,
      "true true",
    ],
    [
      "takes a number for a name and refuses tables and booleans",
      `pcall(execute, 42), pcall(execute, {}), pcall(execute, true), pcall(execute)`,
      /^false false false false ".*must be a string/,
    ],
    ["refuses parameters that are no table", `execute("calculator", "1+1")`, /^raises: .*must be a table/],
    [
      "refuses values that cannot be parameters",
      `pcall(execute, "calculator", {expression = "1", x = {f = print}}), pcall(execute, "calculator", {x = coroutine.create(print)})`,
      /^false false "/,
    ],
    [
      "refuses a table within itself",
      `local t = {} t.t = t return pcall(execute, "calculator", {x = t})`,
      /^false "/,
    ],
    [
      "runs a list of calls, failures in their place",
      `local r = Tool.batch{{name="calculator", params={expression="1+1"}}, {name="nope"}, {name="uuid-generator"}} return #r, r[1].result.result, r[2].success, "x: " .. r[2].error, r[3].success`,
      `3 2 false "x: Tool 'nope' not found" true`,
    ],
  ],
});

luaTable("Tool results", {
  setup: `
    local function run(name, params) return Tool.execute(name, params) end
    local function text(operation, input, options) return run("text-manipulator", {operation = operation, input = input, options = options}).result.result end`,
  cases: [
    [
      "carry success, result and text",
      `local r = run("calculator", {expression = "2 + 2 * 3"}) return r.success, r.result.result == 8, r.result.value, type(r.text), r.operation, type(r._raw_text), type(r.metadata), r.error`,
      `true true 8 "string" "evaluate" "string" "table" nil`,
    ],
    [
      "uuid-generator generate",
      `run("uuid-generator", {operation = "generate", version = "v4", format = "hyphenated"}).result.uuid`,
      UUID,
    ],
    [
      "uuid-generator component_id",
      `type(run("uuid-generator", {operation = "component_id", prefix = "agent"}).result.id)`,
      `"string"`,
    ],
    [
      "base64-encoder there and back",
      `local r = run("base64-encoder", {operation = "encode", input = "hello"}).result return r.output, r.encoded, run("base64-encoder", {operation = "decode", input = r.output}).result.decoded`,
      `"aGVsbG8=" "aGVsbG8=" "hello"`,
    ],
    [
      "base64-encoder keeps bytes",
      `local bytes = "\\0\\255\\254x" local e = run("base64-encoder", {operation = "encode", input = bytes}).result.output return e, run("base64-encoder", {operation = "decode", input = e}).result`,
      `"AP/+eA==" {binary=true, decoded="00fffe78", output="00fffe78", variant="standard"}`,
    ],
    [
      "hash-calculator hash",
      `run("hash-calculator", {operation = "hash", algorithm = "md5", input = "abc"}).result.hash, run("hash-calculator", {operation = "hash", algorithm = "nope", input = "abc"}).result.algorithm`,
      `"900150983cd24fb0d6963f7d28e17f72" "sha256"`,
    ],
    [
      "text-manipulator",
      `text("uppercase", "abc"), text("trim", "  x "), text("replace", "a-b-c", {from = "-", to = "+"}), run("text-manipulator", {operation = "uppercase", input = "q"}).result.output`,
      `"ABC" "x" "a+b+c" "Q"`,
    ],
    [
      "datetime-handler now",
      `local r = run("datetime-handler", {operation = "now"}).result return type(r.datetime), math.abs(r.timestamp - os.time()) < 100`,
      `"string" true`,
    ],
    [
      "template-creator",
      `run("template-creator", {template = "Hi {{name}}", context = {name = "Bo"}}).result.rendered, run("template_engine", {template = "{{n}}", context = {n = 2}}).result.result`,
      `"Hi Bo" "2"`,
    ],
    [
      "environment-reader",
      `run("environment_reader", {operation = "get", variable_name = "HOME"}).result.value == os.getenv("HOME")`,
      "true",
    ],
    [
      "file-operations write, read, append, exists",
      `local w = run("file-operations", {operation = "write", path = "n.txt", input = "one"}) run("file_operations", {operation = "append", path = "n.txt", input = " two"}) local r = run("file-operations", {operation = "read", path = "n.txt"}) return w.success, w.metadata.operation, w.metadata.response.success, r.text, run("file-operations", {operation = "exists", path = "n.txt"}).result.exists`,
      `true "write" true "one two" true`,
    ],
    [
      "file-operations mkdir twice",
      `local p = {operation = "mkdir", path = "a/b/c", recursive = true} return run("file-operations", p).success, run("file-operations", p).success`,
      "true true",
    ],
    [
      "file-operations write without input",
      `run("file-operations", {operation = "write", path = "x"})`,
      /^raises: .*Write operation requires 'input' parameter/,
    ],
    [
      "file-operations outside what is allowed",
      `run("file-operations", {operation = "read", path = "/etc/passwd"})`,
      /^raises: .*(Path not allowed|Path not in allow|Permission denied)/,
    ],
    [
      "errors of results can be joined",
      `local r = Tool.register("fails", function() return {success = false, error = {message = "no luck", code = "E1"}} end):execute() return r.success, "why: " .. (r.error or "Unknown"), r.error .. "!", tostring(r.error), r.error.message, r.error.code`,
      `false "why: no luck" "no luck!" "no luck" "no luck" "E1"`,
    ],
  ],
});

luaTable("Tool.register", {
  setup: `
    Tool.register("echo", function(p) return p.v end)
    Tool.register("text", function(p) return "got " .. tostring(p.x) end)
    Tool.register("raise", function() error("inner") end)
    Tool.register("raise-table", function() error({code = 1}) end)
    Tool.register("depth", function(p) if p.n == 0 then return "bottom" end return Tool.execute("depth", {n = p.n - 1}).text end)
    local function echo(v) return Tool.execute("echo", {v = v}).result end`,
  cases: [
    [
      "adds a tool like any other",
      `Tool.execute("text", {x = 1}).text, Tool.text:execute({x = 2}).text, Tool.text.execute({x = 3}).result, Tool.exists("text"), Tool.get("text").category`,
      `"got 1" "got 2" "got 3" true "utility"`,
    ],
    [
      "checks declared parameters",
      `Tool.register{name = "double", description = "Doubles", parameters = {n = {type = "number", required = true}}, execute = function(p) return {result = p.n * 2} end} return Tool.execute("double", {n = 4}).result, Tool.get("double").schema.parameters[1].name, pcall(Tool.execute, "double", {})`,
      /^8 "n" false ".*Missing required .*parameter 'n'/,
    ],
    [
      "replaces one of the script",
      `Tool.register("again", function() return 1 end) Tool.register("again", function() return 2 end) return Tool.execute("again").result`,
      "2",
    ],
    ["does not replace a built-in one", `Tool.register("calculator", print)`, /^raises: .*taken/],
    [
      "raises the function's error with its line",
      `Tool.execute("raise")`,
      /^raises: Tool execution failed: script\.lua:\d+: inner$/,
    ],
    [
      "raises text also for an error object",
      `select("#", pcall(Tool.execute, "raise-table")), type(select(2, pcall(Tool.execute, "raise-table")))`,
      `2 "string"`,
    ],
    ["nests", `Tool.execute("depth", {n = 30}).text`, `"bottom"`],
    ["refuses to nest without end", `Tool.execute("depth", {n = 10000})`, /^raises: .*deep/],
    [
      "keeps integers exact",
      `echo(math.maxinteger) == math.maxinteger, echo(math.mininteger) == math.mininteger, math.type(echo(3)), echo(2^53 + 1.0)`,
      `true true "integer" 9007199254740992`,
    ],
    ["keeps bytes", `Tool.execute("echo", {v = "\\0\\255"}).text == "\\0\\255"`, "true"],
    ["turns NaN and infinities into nil", `echo({a = 0/0, b = math.huge, c = 1.5})`, "{c=1.5}"],
    [
      "keeps arrays and objects apart",
      `echo({1, {2}, {}}), echo({a = {b = {}}}), echo({1, 2, x = 3})`,
      "{1, {2}, {}} {a={b={}}} {1, 2}",
    ],
    [
      "runs in a batch with others",
      `local r = Tool.batch{{name = "depth", params = {n = 3}}, {name = "text", params = {x = "y"}}, {name = "raise"}} return r[1].text, r[2].text, r[3].success, tostring(r[3].error):find("inner") ~= nil`,
      `"bottom" "got y" false true`,
    ],
    [
      "wants a name and a function",
      `pcall(Tool.register), pcall(Tool.register, "x"), pcall(Tool.register, {name = "x"}), pcall(Tool.register, {execute = print})`,
      /^false false false false ".*must be a string/,
    ],
  ],
});
