/** spec/lua-api.md sections 5, 14 and 15; agents-workflows-rag.md section 12, row 15. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { Sandbox } from "../../support/cli.ts";
import { luaTable, scripted } from "./support.ts";

const UNKNOWN = "11111111-1111-4111-8111-111111111111";
const ENABLED = "[runtime.sessions]\nenabled = true\n[tools.file_operations]\nallowed_paths = ['.']\n";

luaTable("Session", {
  config: ENABLED,
  setup: `
    local function keys(t) local list = {} for k in pairs(t) do list[#list + 1] = k end table.sort(list) return table.concat(list, " ") end
    local function status(id) return Session.get(id).status end`,
  cases: [
    [
      "gives ids",
      `local id = Session.create() return type(id), #id, Session.get(id).id == id`,
      `"string" 36 true`,
    ],
    [
      "shows what it is",
      `local s = Session.get(Session.create{name = "n", description = "d", tags = {"a", "b"}, metadata = {x = {1, 2}}, created_by = "me"})
       return s.name, s.description, s.tags, s.status, s.custom_metadata, s.created_by, s.artifact_count, s.created_at:match("^%d+%-%d+%-%d+T") ~= nil`,
      `"n" "d" {"a", "b"} "active" {x={1, 2}} "me" 0 true`,
    ],
    [
      "has every field of the specification that is set",
      `return keys(Session.get(Session.create{name = "n", description = "d", parent_session_id = Session.create()}))`,
      `"artifact_count created_at custom_metadata description id name operation_count parent_session_id started_at status tags total_artifact_size updated_at"`,
    ],
    [
      "is built step by step, by colon and by dot",
      `local a = Session.builder():name("b"):description("d"):tag("x"):tag("y"):build()
       local b = Session.builder().tags({"z"}).tag("w").name("c").build()
       return Session.get(a).tags, Session.get(b).tags, Session.get(b).name`,
      `{"x", "y"} {"z", "w"} "c"`,
    ],
    [
      "suspends, resumes and completes",
      `local id = Session.create() local seen = {}
       for _, move in ipairs{"suspend", "resume", "complete"} do seen[#seen + 1] = Session[move](id) == nil and status(id) end
       return seen`,
      `{"suspended", "active", "completed"}`,
    ],
    [
      "refuses an illegal move",
      `local id = Session.create() Session.complete(id) return Session.suspend(id)`,
      "raises: Invalid session state transition from Completed to Suspended",
    ],
    ["names an unknown id", `Session.get("${UNKNOWN}")`, `raises: Session not found: ${UNKNOWN}`],
    ["names what is no id", `Session.save("abc")`, "raises: Invalid session ID: abc"],
    [
      "refuses a table for an id",
      `Session.save({})`,
      /^raises: Cannot call Session\.save: "id" must be a string: table/,
    ],
    [
      "lists by status, tags and limit, ended ones included",
      `local a = Session.create{name = "l1", tags = {"t", "u"}} local b = Session.create{name = "l2", tags = {"t"}} Session.complete(b)
       local function names(q) local l = {} for _, s in ipairs(Session.list(q)) do l[#l + 1] = s.name end return l end
       return names{tags = {"t"}, sort_by = "name"}, names{tags = {"t"}, status = "completed"}, #names{tags = {"t"}, limit = 1}, names{tags = {"t", "u"}}`,
      `{"l1", "l2"} {"l2"} 1 {"l1"}`,
    ],
    [
      "refuses an unknown status",
      `Session.list{status = "gone"}`,
      /^raises: Invalid query: "status" must be one of active/,
    ],
    [
      "has a current one",
      `local before = Session.get_current() local id = Session.create() Session.set_current(id)
       local now = Session.get_current() == id Session.set_current(nil) return before, now, Session.getCurrent()`,
      "nil true nil",
    ],
    [
      "offers the other spellings",
      `Session.canReplay == Session.can_replay, type(Session.getReplayMetadata), type(Session.listReplayable), type(Session.setCurrent)`,
      /^(true|false) "function" "function" "function"$/,
    ],
    [
      "keeps values, and forgets a nil",
      `local id = Session.create() Session.set_state(id, "k", {1, {a = "é"}}) local kept = Session.get_state(id, "k")
       Session.set_state(id, "k", nil) return kept, Session.get_state(id, "k")`,
      `{1, {a="é"}} nil`,
    ],
    [
      "refuses a function as a value",
      `Session.set_state(Session.create(), "k", print)`,
      /^raises: Cannot write JSON/,
    ],
    [
      "goes back to a checkpoint",
      `local id = Session.create() Session.set_state(id, "k", 1) local c = Session.checkpoint(id, "here")
       Session.set_state(id, "k", 2) Session.restore(id, c) return Session.get_state(id, "k"), Session.list_checkpoints(id)[1].name`,
      `1 "here"`,
    ],
    [
      "gives tables with methods that iteration does not see",
      `local s = Session.get(Session.create{name = "m"}) s:add_tag("x") s:store_value("k", 5) s:suspend()
       return s:get_name(), s.tags, s:get_value("k"), s.status, keys(s):find("get_name") == nil, Session.list{tags = {"x"}}[1]:get_status()`,
      `"m" {"x"} 5 "suspended" true "suspended"`,
    ],
    ["loads", `local id = Session.create() Session.save(id) return Session.load(id) == id`, "true"],
    [
      "is gone when deleted",
      `local id = Session.create() Session.delete(id) return pcall(Session.get, id)`,
      /^false "Session not found: /,
    ],
  ],
});

luaTable("Artifact", {
  config: ENABLED,
  files: { "notes.txt": "from a file" },
  setup: `local S = Session.create() Session.set_current(S)
    local function put(name, content, kind, metadata) return Artifact.store(S, kind or "tool_result", name, content, metadata) end`,
  cases: [
    [
      "gives an id with the BLAKE3 of the content",
      `local id = put("abc", "abc") return id.content_hash, id.session_id == S, id.sequence`,
      `"6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85" true 1`,
    ],
    [
      "gives back more than 10 KB as it was",
      `local big = ("line of text\\n"):rep(5000) local got = Artifact.get(S, put("big", big))
       return got.content == big, got.metadata.is_compressed, got.metadata.size, got.metadata.original_size`,
      "true true 65000 65000",
    ],
    [
      "gives back any bytes, and none",
      `local all = {} for i = 0, 255 do all[#all + 1] = string.char(i) end local bytes = table.concat(all)
       return Artifact.get(S, put("bytes", bytes)).content == bytes, Artifact.get(S, put("none", "")).content`,
      `true ""`,
    ],
    ["takes a number as its text", `Artifact.get(S, put("number", 42)).content`, `"42"`],
    [
      "refuses a table",
      `put("t", {})`,
      /^raises: Cannot call Artifact\.store: "content" must be a string: table/,
    ],
    ["refuses an empty type", `put("t", "x", "")`, "raises: Invalid artifact type: it must not be empty"],
    [
      "spells types",
      `Artifact.get(S, put("s1", "x", "agent_output")).metadata.artifact_type, Artifact.get(S, put("s2", "x", "markdown")).metadata.artifact_type`,
      `"AgentOutput" "Custom("markdown")"`,
    ],
    [
      "lifts mime_type and tags out of its metadata",
      `local m = Artifact.get(S, put("m", "x", nil, {mime_type = "text/plain", tags = {"a"}, other = 1})).metadata
       return m.mime_type, m.tags, m.custom, m.name`,
      `"text/plain" {"a"} {other=1} "m"`,
    ],
    [
      "counts versions of a name",
      `local a = put("v", "one") local b = put("v", "two") local m = Artifact.get(S, b).metadata
       return a.sequence, b.sequence, m.version.version, m.version.previous_hash == a.content_hash`,
      "1 2 2 true",
    ],
    [
      "lists the current session's for an empty id",
      `local s = Session.create() Session.set_current(s) Artifact.store("", "note", "n", "x") local list = Artifact.list("")
       Session.set_current(S) return #list, list[1].name, list[1].id.sequence, list[1].session_id == s`,
      `1 "n" 1 true`,
    ],
    [
      "is found by pattern, type, tag and size",
      `local s = Session.create() Artifact.store(s, "chart", "a.png", "1234", {tags = {"q"}}) Artifact.store(s, "note", "b.txt", "1")
       local function n(q) q.session_id = s return #Artifact.query(q) end
       return n{}, n{name_pattern = "*.png"}, n{type = "note"}, n{tags = {"q"}}, n{min_size = 2}, n{created_before = "2000-01-01T00:00:00Z"}, n{limit = 1}`,
      "2 1 1 1 1 0 1",
    ],
    [
      "names a bad time",
      `Artifact.query{created_after = "yesterday"}`,
      /^raises: Invalid query: "created_after" must be an RFC 3339 time/,
    ],
    [
      "takes a file that tools may read, and no other",
      `local id = Artifact.store_file(S, "notes.txt", "user_input") local got = Artifact.get(S, id)
       return got.content, got.metadata.name, got.metadata.mime_type, (pcall(Artifact.store_file, S, "/etc/passwd", "user_input"))`,
      `"from a file" "notes.txt" "text/plain" false`,
    ],
    [
      "is gone when deleted",
      `local id = put("gone", "x") Artifact.delete(S, id) return pcall(Artifact.get, S, id)`,
      /^false "Artifact not found: /,
    ],
    [
      "names a bad id",
      `Artifact.get(S, {content_hash = "x"})`,
      "raises: Invalid artifact ID: it must have content_hash, session_id and sequence",
    ],
    [
      "belongs to its session until it grants access",
      `local other = Session.create() local id = put("mine", "secret") local denied = select(2, pcall(Artifact.get, other, id))
       Artifact.grant(S, id, other, "read") return tostring(denied):match("^Access denied"), Artifact.get(other, id).content`,
      `"Access denied" "secret"`,
    ],
    [
      "needs an active session",
      `local s = Session.create() Session.complete(s) return Artifact.store(s, "note", "n", "x")`,
      "raises: Invalid operation: Cannot store artifacts in completed session",
    ],
  ],
});

luaTable("Replay", {
  config: ENABLED,
  setup: `
    local id = Session.create() Session.set_current(id)
    Tool.execute("calculator", {operation = "evaluate", input = "6*7"}) Tool.execute("uuid-generator", {})
    Session.set_current(nil)`,
  cases: [
    [
      "has modes with names",
      `Replay.modes.exact:name(), Replay.modes.modified:name(), Replay.modes.simulate:name(), Replay.modes.debug:name(), Replay.nothing`,
      `"exact" "modified" "simulate" "debug" nil`,
    ],
    [
      "has configurations",
      `local c = Replay.create_config() c:add_modification("a.b", 1) c:add_modification("c", "x", false) local m = c:get_modifications()
       return c:get_mode():name(), c:should_compare_results(), c:get_timeout_seconds(), c:should_stop_on_error(), #m, m[1]:get_path(), m[2]:get_value(), m[2]:is_enabled()`,
      `"exact" true 300 false 2 "a.b" "x" false`,
    ],
    [
      "has modifications",
      `local m = Replay.create_modification("p", {1}) m:set_enabled(false) return m:get_path(), m:get_value(), m:is_enabled()`,
      `"p" {1} false`,
    ],
    [
      "refuses an unknown mode",
      `Replay.create_config("fast")`,
      /must be one of exact, modified, simulate, debug: fast$/,
    ],
    [
      "has schedules",
      `Replay.schedules.once(1):type_name(), Replay.schedules.interval(0, 5, 2):type_name(), Replay.schedules.cron("* * * * *"):type_name()`,
      `"once" "interval" "cron"`,
    ],
    [
      "refuses a schedule in the past",
      `Replay.schedules.once(-1)`,
      /"delay_s" must be a number of seconds, at least 0: -1$/,
    ],
    [
      "compares",
      `local c = Replay.create_comparator() local same, other = c:compare_json({a = {1, 2}}, {a = {1, 2}}), c:compare_json({a = 1, b = 2}, {a = 1, b = 3})
       return same.identical, same.similarity_score, same.differences, other.identical, other.similarity_score, other.differences`,
      `true 1 nil false 0.5 {{description="changed: 2 → 3", path="$.b"}}`,
    ],
    [
      "needs a saved session",
      `Session.can_replay(id), pcall(Session.replay, id)`,
      /^false false "Cannot replay session: it was never saved/,
    ],
    [
      "runs calculations again and tells the rest from the recording",
      `Session.save(id) local r = Session.replay(id) local s = r.steps
       return Session.can_replay(id), r.hooks_replayed, r.successful_replays, r.failed_replays, r.mismatches, s[1].source, s[2].source, r.session_id == id`,
      `true 2 2 0 0 "run" "recorded" true`,
    ],
    [
      "takes a configuration with modifications",
      `local c = Replay.create_config(Replay.modes.modified) c:add_modification("context.data.input", "1+1")
       local r = Session.replay(id, c) return r.mode, r.mismatches, r.steps[1].applied_modifications`,
      `"modified" 1 {"context.data.input"}`,
    ],
    [
      "tells what was recorded",
      `local m = Session.get_replay_metadata(id) return m.total_hooks, m.can_replay, m.first_hook_timestamp ~= nil, math.type(m.total_duration) ~= nil, Session.list_replayable()[1] == id`,
      "2 true true true true",
    ],
    [
      "of nothing is refused",
      `Session.replay(Session.create())`,
      /^raises: No hook executions found for session: /,
    ],
    [
      "refuses an unknown mode of a replay",
      `Session.replay(id, {mode = "fast"})`,
      /^raises: Invalid replay options: "mode" must be one of/,
    ],
    [
      "is scheduled, and cancelled",
      `local s = Session.schedule_replay(id, Replay.schedules.once(3600)) local list = Session.list_scheduled_replays()
       return #list, list[1].type, list[1].session_id == id, Session.cancel_replay(s), Session.cancel_replay(s)`,
      `1 "once" true true false`,
    ],
  ],
});

luaTable("What is recorded", {
  config: `${ENABLED}${scripted(
    `[[providers.ci.responses]]
after_tool = "calculator"
text = "it is 42"
[[providers.ci.responses]]
tool_calls = [{ name = "calculator", arguments = { operation = "evaluate", input = "6*7" } }]`,
  )}`,
  setup: `
    local id = Session.create() Session.set_current(id)
    local agent = Agent.builder():name("counter"):model("ci/scripted"):allow_tool("calculator"):build()
    agent:execute{text = "How much?"}
    pcall(Tool.execute, "calculator", {operation = "evaluate", input = "1/"})
    Session.set_current(nil)
    Tool.execute("calculator", {operation = "evaluate", input = "1"})
    Session.save(id)
    local steps = Session.replay(id, {mode = "debug"}).steps
    local function shown(s) return s.kind .. " " .. s.hook_name .. " " .. s.source .. " " .. tostring(s.success) end`,
  cases: [
    [
      "are the calls of models and tools and the turns of agents, as they end, while the session is current",
      `local l = {} for i, s in ipairs(steps) do l[i] = shown(s) end return l`,
      `{"model ci/scripted recorded true", "tool calculator run true", "model ci/scripted recorded true", "agent counter recorded true", "tool calculator run true"}`,
    ],
    [
      "with inputs and outputs",
      `local m, t, a = steps[3], steps[2], steps[4] return m.output.text, t.input.input, t.output.result.result, a.input.text, a.output.text`,
      `"it is 42" "6*7" 42 "How much?" "it is 42"`,
    ],
    [
      "and failures, which fail again",
      `steps[5].output.success, steps[5].comparison.identical`,
      "false true",
    ],
  ],
});

luaTable("A replay under control", {
  config: ENABLED,
  setup: `
    local id = Session.create() Session.set_current(id)
    Tool.execute("calculator", {operation = "evaluate", input = "6*7"})
    State.save("global", "n", 5)
    Tool.execute("calculator", {operation = "evaluate", input = "1+1"})
    Session.save(id)
    local function refused(fn, ...) local ok, err = pcall(fn, ...) return tostring(err) end`,
  cases: [
    [
      "pauses at a breakpoint, steps and goes on",
      `local r = Session.start_replay(id, {breakpoints = {{type = "session_state", key = "global:n", value = 5}}})
       local p = r:wait()
       local step = r:step()
       return p.state, p.hooks_completed, p.stopped_at.type, step.hook_name, r:result().hooks_replayed, r:progress().state`,
      `"paused" 2 "session_state" "calculator" 3 "completed"`,
    ],
    [
      "tells what is wrong with a call",
      `local r = Session.start_replay(id, {paused = true})
       return refused(r.add_breakpoint, r, {type = "never"}), refused(r.set_speed, r, 11), refused(r.result, r)`,
      `"Invalid breakpoint: "type" must be one of hook_execution, timestamp, on_error, session_state, hook_count: never" ` +
        `"Invalid replay speed: it must be between 0.1 and 10: 11" "Cannot wait for the replay: it is paused"`,
    ],
    [
      "changes its speed",
      `local r = Session.start_replay(id, {paused = true, speed = 1})
       return r:faster(), r:slower(), r:slower(), r:progress().speed_multiplier, r:stop(), r:wait().state`,
      `1.5 1 0.5 0.5 nil "cancelled"`,
    ],
    [
      "tells of the recording without one",
      `local t = Session.replay_timeline(id)
       return #t, t[2].kind, Session.state_at(id, 1), Session.state_at(id, t[3].timestamp), Session.compare_states(id, 1, 2).identical,
         Session.compare_steps(id, 1, 3).identical, Session.analyze_errors(id).total_errors, #JSON.parse(Session.export_replay(id)), Session.export_replay(id, "csv"):match("^[^\\r]+")`,
      `3 "state" {} {global:n=5} false false 0 3 "step,timestamp,offset_ms,kind,hook_name,duration_ms,success,error,correlation_id"`,
    ],
  ],
});

luaTable("Hooks and changes of state are recorded", {
  config: ENABLED,
  setup: `
    local id = Session.create() Session.set_current(id)
    Hook.register("BeforeToolExecution", function(c) return nil end)
    Tool.execute("calculator", {operation = "evaluate", input = "6*7"})
    State.save("global", "api_key", "hunter2") State.save("global", "n", 5) State.delete("global", "n")
    Session.save(id)
    local steps = Session.replay(id, {mode = "debug"}).steps`,
  cases: [
    [
      "in their order, without the secrets",
      `local l = {} for i, s in ipairs(steps) do l[i] = s.kind .. " " .. s.hook_name:gsub("^lua_.*", "lua") end
       return l, steps[1].input.data.params.input, (steps[3].input.value:gsub("_%x+$", "")), steps[4].input.value, steps[5].input.operation`,
      `{"hook lua", "tool calculator", "state global:api_key", "state global:n", "state global:n"} "6*7" "[REDACTED]" 5 "delete"`,
    ],
    [
      "and what a replay does is not",
      `Session.save(id) return Session.get_replay_metadata(id).total_hooks`,
      "5",
    ],
  ],
});

test("A script that uses no session leaves no trace, tools included", async () => {
  using box = new Sandbox();
  box.write("c.toml", ENABLED.replace("enabled = true", 'enabled = true\nstorage_backend = "sqlite"'));
  const done = await box.lua(
    `print(Session ~= nil, Tool.execute("calculator", {operation = "evaluate", input = "1+1"}).output)`,
    { args: ["-c", "c.toml"] },
  );
  expect([done.stdout, done.stderr]).toEqual(["true\t2\n", ""]);
  expect(readdirSync(box.home)).toEqual([]);
});

describe("Where sessions are off", () => {
  const globals = "print(Session, Artifact, type(Replay))";

  test.each([
    ["by default", ""],
    ["with sessions alone off", "[runtime.sessions]\nenabled = false\n"],
    ["with state off", `${ENABLED}[runtime.state_persistence]\nenabled = false\n`],
  ])("%s, Session and Artifact are nil and Replay is there", async (_, config) => {
    using box = new Sandbox();
    box.write("c.toml", config);
    const done = await box.lua(globals, { args: ["-c", "c.toml"] });
    expect([done.stdout, done.stderr]).toEqual(["nil\tnil\ttable\n", ""]);
  });
});
