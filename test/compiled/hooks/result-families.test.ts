/** What each answer of a script's hook does at the points of workflows, state, sessions and events, in the built executable. */
import { luaTable } from "../lua-api/support.ts";

const SESSIONS = '[runtime.sessions]\nenabled = true\nstorage_backend = "memory"\n';

const WITH = `
  local function raised(message) return "raises", tostring(message):match("a hook cancelled it: (.*)$") or tostring(message) end
  local function hooked(points, answer, work)
    local hooks = {}
    for _, point in ipairs(type(points) == "table" and points or {points}) do
      hooks[#hooks + 1] = Hook.register(point, type(answer) == "function" and answer or function() return answer end)
    end
    local results = table.pack(pcall(work))
    for _, hook in ipairs(hooks) do hook:unregister() end
    if not results[1] then return raised(results[2]) end
    return table.unpack(results, 2, results.n)
  end
  local RETRY = {type = "retry", delay_ms = 0, max_attempts = 3}`;

luaTable("a hook's answer at a step of a workflow", {
  setup: `${WITH}
  local calls = 0
  Tool.register{name = "count", execute = function(p) calls = calls + 1 return {result = "call " .. calls .. " " .. tostring(p.x)} end}
  Tool.register{name = "flaky", execute = function(p) calls = calls + 1 if calls < 3 then error("flaky") end return {result = calls} end}
  Tool.register{name = "other", execute = function(p) return {result = "other " .. tostring(p.x)} end}
  local function steps(tool) return {
    {name = "one", type = "tool", tool = tool or "count", input = {x = "{{input.x}}"}},
    {name = "two", type = "tool", tool = "other", input = {x = "{{step:one:output}}"}},
  } end
  local function run(points, answer, tool)
    calls = 0
    return hooked(points, function(c)
      if c.data.step_name == "two" then return nil end
      if type(answer) == "function" then return answer(c) end
      return answer
    end, function()
      local r = Workflow.sequential{name = "w", steps = steps(tool)}:execute{x = 1}
      return r.output, r.steps.one.status, calls
    end)
  end
  local before = function(...) return run("BeforeWorkflowStage", ...) end
  local after = function(...) return run("AfterWorkflowStage", ...) end
  local failed = function(...) return run("WorkflowError", ...) end
  local start = function(...) return run("BeforeWorkflowStart", ...) end
  local complete = function(...) return run("AfterWorkflowComplete", ...) end`,
  cases: [
    ["nil goes on", `before(nil)`, '"other call 1 1" "completed" 1'],
    ["continue goes on", `before("continue")`, '"other call 1 1" "completed" 1'],
    ["skip skips the step", `before("skip")`, /^"other (nil|)" "skipped" 0$/],
    ["skipped skips the step", `before({type = "skipped", reason = "no need"})`, /"skipped" 0$/],
    ["a text cancels the step", `before("not today")`, '"raises" "not today"'],
    ["cancel cancels the step", `before({type = "cancel", reason = "closed"})`, '"raises" "closed"'],
    [
      "modified changes the input",
      `before({type = "modified", data = {input = {x = 7}}})`,
      '"other call 1 7" "completed" 1',
    ],
    ["replace gives the result", `before({type = "replace", data = "mine"})`, '"other mine" "completed" 0'],
    [
      "redirect runs another tool",
      `before({type = "redirect", target = "other"})`,
      '"other other 1" "completed" 0',
    ],
    [
      "redirect to nobody fails the step",
      `before({type = "redirect", target = "nobody"})`,
      /^"raises" ".*nobody/,
    ],
    ["retry repeats what fails", `before(RETRY, "flaky")`, '"other 3" "completed" 3'],
    [
      "retry has an end",
      `before({type = "retry", delay_ms = 0, max_attempts = 2}, "flaky")`,
      /^"raises" ".*flaky/,
    ],
    [
      "fork runs others beside it, and tells hooks after it",
      `
      local told
      local look = Hook.register("AfterWorkflowStage", function(c) if c.data.fork_results then told = c.data.fork_results.a end end)
      local output, status, n = before({type = "fork", operations = {{id = "a", operation_type = "tool:other", parameters = {x = 5}}}})
      look:unregister()
      return output, n, told.success, told.result`,
      '"other call 1 1" 1 true "other 5"',
    ],
    [
      "cache answers the second run from the first",
      `
      calls = 0
      return hooked("BeforeWorkflowStage", function(c) if c.data.step_name == "one" then return {type = "cache", key = "k", ttl_ms = 60000} end end, function()
        local w = Workflow.sequential{name = "cached", steps = steps()}
        return w:execute{x = 1}.output, w:execute{x = 2}.output, calls
      end)`,
      '"other call 1 1" "other call 1 1" 1',
    ],
    [
      "after: modified changes the result",
      `after({type = "modified", data = {result = "changed"}})`,
      '"other changed" "completed" 1',
    ],
    [
      "after: replace gives another",
      `after({type = "replace", data = "mine"})`,
      '"other mine" "completed" 1',
    ],
    [
      "after: retry repeats",
      `return after(function(c) if calls < 3 then return RETRY end end)`,
      '"other call 3 1" "completed" 3',
    ],
    ["after: cancel takes the result away", `after("secret")`, '"raises" "secret"'],
    [
      "error: replace mends the step",
      `return failed(function(c) if c.data.step_name then return {type = "replace", data = "mended"} end end, "flaky")`,
      '"other mended" "completed" 1',
    ],
    [
      "error: retry repeats it",
      `return failed(function(c) if c.data.step_name then return RETRY end end, "flaky")`,
      '"other 3" "completed" 3',
    ],
    ["error: nothing leaves the failure", `failed(nil, "flaky")`, /^"raises" ".*flaky/],
    ["start: nil goes on", `start(nil)`, '"other call 1 1" "completed" 1'],
    [
      "start: modified changes the input",
      `start({type = "modified", data = {input = {x = 9}}})`,
      '"other call 1 9" "completed" 1',
    ],
    ["start: cancel refuses the run", `start("closed")`, '"raises" "closed"'],
    [
      "start: skip and replace give the output without a step",
      `return hooked("BeforeWorkflowStart", "skip", function() calls = 0 local r = Workflow.sequential{name = "w", steps = steps()}:execute{x = 1} return r.output, next(r.steps), calls end)`,
      "nil nil 0",
    ],
    [
      "start: replace",
      `return hooked("BeforeWorkflowStart", {type = "replace", data = "ready"}, function() calls = 0 local r = Workflow.sequential{name = "w", steps = steps()}:execute{x = 1} return r.output, next(r.steps), calls end)`,
      '"ready" nil 0',
    ],
    [
      "start: redirect runs another workflow",
      `
      local other = Workflow.sequential{name = "elsewhere", steps = {{name = "s", type = "tool", tool = "other", input = {x = "{{input.x}}!"}}}}
      return hooked("BeforeWorkflowStart", function(c) if c.data.name == "w" then return {type = "redirect", target = "elsewhere"} end end,
        function() return Workflow.sequential{name = "w", steps = steps()}:execute{x = 1}.output end)`,
      '"other 1!"',
    ],
    ["start: retry repeats the run", `start(RETRY, "flaky")`, '"other 3" "completed" 3'],
    [
      "complete: modified changes the output",
      `complete({type = "modified", data = {output = "changed"}})`,
      '"changed" "completed" 1',
    ],
    [
      "complete: replace gives another",
      `return hooked("AfterWorkflowComplete", {type = "replace", data = "mine"}, function() return Workflow.sequential{name = "w", steps = steps()}:execute{x = 1}.output end)`,
      '"mine"',
    ],
    ["complete: cancel refuses it", `complete("secret")`, '"raises" "secret"'],
    [
      "between steps: cancel stops, all else goes on",
      `
      local texts = {}
      for i, answer in ipairs{"closed", {type = "replace", data = 1}, "skip", RETRY} do
        texts[i] = tostring((hooked("WorkflowStageTransition", answer, function() return Workflow.sequential{name = "w", steps = steps()}:execute{x = 1}.output:sub(1, 5) end)))
      end
      return table.concat(texts, " ")`,
      '"raises other other other"',
    ],
  ],
});

luaTable("a hook's answer at state", {
  setup: `${WITH}
  State.save("global", "k", "old")
  local function write(answer, value)
    State.save("global", "w", "before")
    return hooked("BeforeStateWrite", answer, function() State.save("global", "w", value or "new") end), State.load("global", "w")
  end
  local function read(answer) return hooked("BeforeStateRead", answer, function() return State.load("global", "k") end) end
  local function seen(answer) return hooked("AfterStateRead", answer, function() return State.load("global", "k") end) end`,
  cases: [
    ["read: nil goes on", `read(nil)`, '"old"'],
    ["read: cancel refuses it", `read("closed")`, '"raises" "closed"'],
    ["read: replace gives the value", `read({type = "replace", data = {mine = true}})`, "{mine=true}"],
    ["read: skip has nothing to give: it is read", `read("skip")`, '"old"'],
    ["read: retry, where nothing fails, changes nothing", `read(RETRY)`, '"old"'],
    [
      "read: cache answers later reads",
      `
      local both = hooked("BeforeStateRead", {type = "cache", key = "k", ttl_ms = 60000}, function()
        State.save("global", "c", 1) local a = State.load("global", "c") State.save("global", "c", 2) return {a, State.load("global", "c")} end)
      return both[1], both[2], State.load("global", "c")`,
      "1 1 2",
    ],
    [
      "after a read: modified changes the value",
      `seen({type = "modified", data = {value = "changed"}})`,
      '"changed"',
    ],
    ["after a read: replace gives another", `seen({type = "replace", data = "mine"})`, '"mine"'],
    ["after a read: cancel keeps it back", `seen("secret")`, '"raises" "secret"'],
    ["write: nil goes on", `write(nil)`, 'nil "new"'],
    [
      "write: modified changes the value",
      `write({type = "modified", data = {value = "other"}})`,
      'nil "other"',
    ],
    [
      "write: cancel refuses it",
      `local kind, reason = hooked("BeforeStateWrite", "closed", function() State.save("global", "x", 1) end) return kind, reason, State.load("global", "x")`,
      '"raises" "closed" nil',
    ],
    ["write: replace writes nothing", `write({type = "replace", data = "x"})`, 'nil "before"'],
    ["write: skip has nothing to give: it is written", `write("skip")`, 'nil "new"'],
    [
      "write: redirect runs a tool in its place",
      `
      local told
      Tool.register{name = "elsewhere", execute = function(p) told = true return {result = 1} end}
      local _, kept = write({type = "redirect", target = "tool:elsewhere"})
      return told, kept`,
      'true "before"',
    ],
    [
      "write: fork runs a tool beside it",
      `
      local told
      Tool.register{name = "beside", execute = function(p) told = p.x return {result = 1} end}
      local _, kept = write({type = "fork", operations = {{id = "a", operation_type = "tool:beside", parameters = {x = 4}}}})
      return told, kept`,
      '4 "new"',
    ],
    [
      "write: what the store refuses is not repeated for a hook that asks for nothing",
      `(hooked("BeforeStateWrite", nil, function() State.save("global", "", 1) end))`,
      '"raises"',
    ],
    [
      "after a write: cancel raises, and the value stays",
      `local kind = hooked("AfterStateWrite", "late", function() State.save("global", "late", 1) end) return kind, State.load("global", "late")`,
      '"raises" 1',
    ],
    [
      "around the store: cancel before it refuses, what comes after only watches",
      `local a = hooked("PreStatePersist", "closed", function() State.save("global", "p", 1) end)
       local b = hooked("PostStatePersist", "late", function() State.save("global", "q", 1) end)
       return a, State.load("global", "p"), b, State.load("global", "q")`,
      '"raises" nil nil 1',
    ],
  ],
});

luaTable("a hook's answer at a session", {
  config: SESSIONS,
  setup: `${WITH}
  local OTHERS = {"continue", "skip", {type = "modified", data = {session_name = "x"}}, {type = "replace", data = 1}, {type = "redirect", target = "tool:x"}, RETRY,
    {type = "fork", operations = {{id = "a", operation_type = "tool:uuid-generator"}}}, {type = "cache", key = "k", ttl_ms = 1000}, {type = "skipped", reason = "r"}}
  local function moves()
    local id = Session.create({name = "s"})
    Session.save(id)
    local point = Session.checkpoint and Session.checkpoint(id)
    Session.complete(id)
    return Session.get(id).status
  end`,
  cases: [
    [
      "start: cancel makes none",
      `local n = #Session.list() local kind, reason = hooked("SessionStart", "full", function() return Session.create() end) return kind, reason, #Session.list() == n`,
      '"raises" "full" true',
    ],
    [
      "end: cancel keeps it going",
      `local id = Session.create() local kind = hooked("SessionEnd", "busy", function() Session.complete(id) end) return kind, Session.get(id).status`,
      '"raises" "active"',
    ],
    [
      "save: cancel saves nothing",
      `local id = Session.create() local kind = hooked("SessionSave", "no", function() Session.save(id) end) return kind, Session.can_replay(id)`,
      '"raises" false',
    ],
    [
      "every other answer goes on",
      `
      local wrong = {}
      for i, answer in ipairs(OTHERS) do
        local status = hooked({"SessionStart", "SessionSave", "SessionCheckpoint", "SessionEnd"}, answer, moves)
        if status ~= "completed" then wrong[#wrong + 1] = i .. " " .. tostring(status) end
      end
      return table.concat(wrong, ", ")`,
      '""',
    ],
  ],
});

luaTable("a hook's answer at an event", {
  setup: `${WITH}
  local seen
  Event.on("x.*", function(e) seen[#seen + 1] = e.event_type .. " " .. tostring(e.data.n) end)
  local told
  Tool.register{name = "till", execute = function(p) told = p.event and p.event.data.n or p.n or "called" return {result = 1} end}
  local function publish(answer, point)
    seen, told = {}, nil
    hooked(point or "BeforeEventEmit", answer, function()
      for n = 1, 2 do Event.publish("x.y", {n = n}) end
      Event.flush(5000)
    end)
    Event.flush(5000)
    return table.concat(seen, ", ")
  end`,
  cases: [
    ["nil goes on", `publish(nil)`, '"x.y 1, x.y 2"'],
    ["continue goes on", `publish("continue")`, '"x.y 1, x.y 2"'],
    [
      "modified changes the data",
      `return publish(function(c) return {type = "modified", data = {event = {data = {n = c.data.event.data.n * 10}}}} end)`,
      '"x.y 10, x.y 20"',
    ],
    [
      "cancel drops it",
      `return publish(function(c) if c.data.event.data.n == 1 then return "no" end end)`,
      '"x.y 2"',
    ],
    [
      "skip drops it",
      `return publish(function(c) if c.data.event.data.n == 2 then return "skip" end end)`,
      '"x.y 1"',
    ],
    ["replace sends nothing in its place", `publish({type = "replace", data = {n = 5}})`, '""'],
    [
      "redirect calls a tool in its place",
      `publish({type = "redirect", target = "tool:till"}), told ~= nil`,
      '"" true',
    ],
    ["retry, where nothing fails, changes nothing", `publish(RETRY)`, '"x.y 1, x.y 2"'],
    [
      "fork calls a tool beside it",
      `publish({type = "fork", operations = {{id = "a", operation_type = "tool:till", parameters = {n = 7}}}}), told`,
      '"x.y 1, x.y 2" 7',
    ],
    ["cache sends the same once", `publish({type = "cache", key = "once", ttl_ms = 60000})`, '"x.y 1"'],
    ["after it: nothing takes it back", `publish("late", "AfterEventEmit")`, '"x.y 1, x.y 2"'],
  ],
});
