/** spec/lua-api.md section 10: all 32 functions and the timer; `display` is ours. */
import { luaTable } from "./support.ts";

luaTable("Debug logging", {
  setup: `
    local function captured(act)
      Debug.clearCaptured() act() local texts = {}
      for i, entry in ipairs(Debug.getCapturedEntries()) do texts[i] = entry.message end
      return texts
    end`,
  cases: [
    [
      "has 32 functions and display",
      `local n = 0 for _, f in pairs(Debug) do assert(type(f) == "function") n = n + 1 end return n`,
      "33",
    ],
    ["starts at INFO, enabled", `Debug.getLevel(), Debug.isEnabled()`, `"INFO" true`],
    [
      "lets the level and what is above it through",
      `captured(function() Debug.trace("t") Debug.debug("d") Debug.info("i") Debug.warn("w") Debug.error("e") end)`,
      `{"i", "w", "e"}`,
    ],
    [
      "captures time, level, module and data",
      `Debug.clearCaptured() Debug.logWithData("warn", "m", {a = {1}}, "part") local e = Debug.getCapturedEntries()[1] return type(e.timestamp), e.level, e.message, e.module, e.metadata`,
      /^"(string|number)" "WARN" "m" "part" \{a=\{1\}\}$/,
    ],
    [
      "logs at a named level and drops unknown ones",
      `captured(function() Debug.log("warning", "w", "m") Debug.log("loud", "never") Debug.log("TRACE", "quiet") end)`,
      `{"w"}`,
    ],
    [
      "gives the newest entries, oldest first",
      `Debug.clearCaptured() for i = 1, 4 do Debug.info(i) end local e = Debug.getCapturedEntries(2) return #e, e[1].message, e[2].message`,
      `2 "3" "4"`,
    ],
    ...(
      [
        ["off", "OFF"],
        ["NONE", "OFF"],
        ["Error", "ERROR"],
        ["err", "ERROR"],
        ["warn", "WARN"],
        ["warning", "WARN"],
        ["info", "INFO"],
        ["debug", "DEBUG"],
        ["trace", "TRACE"],
        ["0", "OFF"],
        ["1", "ERROR"],
        ["2", "WARN"],
        ["3", "INFO"],
        ["4", "DEBUG"],
        ["5", "TRACE"],
      ] as const
    ).map(
      ([word, level]) =>
        [
          `understands level ${word}`,
          `local before = Debug.getLevel() local ok, level = Debug.setLevel("${word}"), Debug.getLevel() Debug.setLevel(before) return ok, level`,
          `true "${level}"`,
        ] as const,
    ),
    [
      "takes a digit as a number",
      `local ok, level = Debug.setLevel(4), Debug.getLevel() Debug.setLevel("info") return ok, level`,
      `true "DEBUG"`,
    ],
    [
      "keeps the level at a word it does not know",
      `Debug.setLevel("loud"), Debug.getLevel()`,
      `false "INFO"`,
    ],
    [
      "can be turned off",
      `local texts = captured(function() Debug.setEnabled(false) Debug.error("e") end) local on = Debug.isEnabled() Debug.setEnabled(true) return on, texts`,
      "false {}",
    ],
    [
      "filters modules by a pattern with stars",
      `Debug.addModuleFilter("noisy*", false) local texts = captured(function() Debug.info("a", "noisy.one") Debug.info("b", "other") end) return texts, Debug.removeModuleFilter("noisy*"), Debug.removeModuleFilter("noisy*")`,
      `{"b"} true false`,
    ],
    [
      "filters by exact, regex and hierarchical patterns",
      `local ok = {Debug.addAdvancedFilter("db", "exact", false), Debug.addAdvancedFilter("^net.*k$", "regex", false), Debug.addAdvancedFilter("app.ui", "hierarchical", false), Debug.addAdvancedFilter("w*", "wildcard", false)} local texts = captured(function() for _, m in ipairs{"db", "dbx", "network", "app.ui", "app.ui.menu", "app.uid", "web"} do Debug.info(m, m) end end) Debug.clearModuleFilters() return ok, texts`,
      `{true, true, true, true} {"dbx", "app.uid"}`,
    ],
    [
      "refuses unknown kinds and broken expressions",
      `Debug.addAdvancedFilter("x", "fuzzy", true), Debug.addAdvancedFilter("(", "regex", true)`,
      "false false",
    ],
    [
      "sums the filters up",
      `Debug.addModuleFilter("a*", false) local s = Debug.getFilterSummary() Debug.clearModuleFilters() return s, Debug.getFilterSummary().total_rules`,
      `{default_enabled=true, rules={{enabled=false, pattern="a*", pattern_type="wildcard"}}, total_rules=1} 0`,
    ],
    [
      "silences what no filter names, when told to",
      `local texts = captured(function() Debug.setDefaultFilterEnabled(false) Debug.info("x") Debug.addModuleFilter("m", true) Debug.info("y", "m") end) Debug.setDefaultFilterEnabled(true) Debug.clearModuleFilters() return texts`,
      `{"y"}`,
    ],
    [
      "wants text",
      `pcall(Debug.info), pcall(Debug.info, {}), pcall(Debug.setLevel)`,
      /^false false false ".*must be a string/,
    ],
    ["offers the other spelling", `Debug.get_level()`, `"INFO"`],
  ],
});

luaTable("Debug timing", {
  cases: [
    [
      "measures in milliseconds, once",
      `local t = Debug.timer("work") local a = t:elapsed() local ms = t:stop() return type(t.id), ms >= a and a >= 0, t:stop(), t:elapsed()`,
      `"string" true nil nil`,
    ],
    [
      "gives a figure that can be joined",
      `("took " .. Debug.timer("x"):stop()):find("^took %d") ~= nil, type(tostring(Debug.timer("x").stop()))`,
      `true "string"`,
    ],
    [
      "notes laps while it runs",
      `local t = Debug.timer("laps") local first = t:lap("one") t:stop() return first, t:lap("two")`,
      "true false",
    ],
    [
      "records events of running timers",
      `local t = Debug.timer("e") return Debug.recordEvent(t.id, "hit", {n = 1}), Debug.recordEvent("nope", "hit")`,
      "true false",
    ],
    [
      "reports them",
      `local report = Debug.performanceReport() return report:find("work", 1, true) ~= nil`,
      "true",
    ],
    [
      "reports them as JSON",
      `local r = JSON.parse(Debug.jsonReport()) local names = {} for _, t in ipairs(r.timers) do names[t.name] = t.count end return names.work, names.x`,
      "1 2",
    ],
    [
      "folds nested timers into stacks",
      `local a = Debug.timer("outer") local b = Debug.timer("inner") b:stop() a:stop() return Debug.flameGraph():find("outer;inner %d+") ~= nil`,
      "true",
    ],
    [
      "tells real memory",
      `local m = Debug.memoryStats() return m.used_bytes > 0 and m.used_bytes <= m.allocated_bytes, m.resident_bytes > m.used_bytes, math.type(m.collections)`,
      `true true "integer"`,
    ],
    [
      "tells the growth since a timer started",
      `collectgarbage() local t = Debug.timer("grow") local keep = ("x"):rep(1000000) local s = Debug.memorySnapshot() t:stop() local g = s.tracker_memory_usage.grow return s.timestamp_secs > 1.6e9, g.end_bytes - g.start_bytes == g.delta_bytes, g.delta_bytes > #keep / 2`,
      "true true true",
    ],
    ["wants a name", `Debug.timer()`, /^raises: .*must be a string/],
  ],
});

luaTable("Debug dumps and traces", {
  setup: `
    local function deep(n) local t = {} if n > 0 then t.d = deep(n - 1) end return t end
    local function depth(text) local n = 0 for _ in text:gmatch("d = ") do n = n + 1 end return n end
    local function inner() local text = Debug.stackTrace() return text end
    local list, map = {}, {} for i = 1, 300 do list[i] = i map["k" .. i] = i end`,
  cases: [
    [
      "label what they show",
      `Debug.dumpCompact({1, 2, {3}}, "v"), Debug.dump("x", "v"):find('^v = "x"') ~= nil`,
      `"v = {1, 2, {3}}" true`,
    ],
    [
      "show any value",
      `Debug.dumpCompact(nil), Debug.dumpCompact(true), Debug.dumpCompact(1.5), Debug.dumpCompact(print)`,
      `"nil" "true" "1.5" "<function>"`,
    ],
    [
      "show types as the options say",
      `Debug.dump(1) ~= "1", Debug.dumpCompact(1), Debug.dumpWithOptions(1, {show_types = false})`,
      `true "1" "1"`,
    ],
    [
      "go 10, 3 and 20 levels deep",
      `depth(Debug.dump(deep(30))), depth(Debug.dumpCompact(deep(30))), depth(Debug.dumpVerbose(deep(30)))`,
      "10 3 20",
    ],
    [
      "cut texts at 200, 50 and 1000 bytes",
      `for _, c in ipairs{{Debug.dump, 200}, {Debug.dumpCompact, 50}, {Debug.dumpVerbose, 1000}} do local s = c[1](("x"):rep(2000)) assert(select(2, s:gsub("x", "")) == c[2], s) end return true`,
      "true",
    ],
    [
      "cut arrays at 50, 10 and 200 elements",
      `local function count(s) return select(2, s:gsub("%d+", function(n) return tonumber(n) == nil end)) end return Debug.dump(list):find("250 more") ~= nil, Debug.dumpCompact(list):find("290 more") ~= nil, Debug.dumpVerbose(list):find("100 more") ~= nil`,
      "true true true",
    ],
    [
      "cut tables at 50, 10 and 200 pairs",
      `Debug.dump(map):find("250 more") ~= nil, Debug.dumpCompact(map):find("290 more") ~= nil, Debug.dumpVerbose(map):find("100 more") ~= nil`,
      "true true true",
    ],
    [
      "show addresses in verbose only",
      `Debug.dumpVerbose({}):find("0x") ~= nil, Debug.dump({}):find("0x"), Debug.dumpCompact({}):find("0x")`,
      /^(true|false) nil nil$/,
    ],
    [
      "indent by 2 and 4",
      `Debug.dump({a = 1}):find("\\n  a = 1", 1, true) ~= nil, Debug.dumpVerbose({a = 1}):find("\\n    a = 1", 1, true) ~= nil, Debug.dumpCompact({a = 1}):find("\\n")`,
      "true true nil",
    ],
    ["end at a table within itself", `local t = {} t.t = t return #Debug.dump(t) < 200`, "true"],
    [
      "ignore options of the wrong type",
      `Debug.dumpWithOptions({a = 1}, {max_depth = "x", show_types = false, compact_mode = true})`,
      `"{a = 1}"`,
    ],
    [
      "trace the stack with files and lines",
      `local text = inner() return text`,
      /^"stack traceback:.*script\.lua:\d+: in function 'inner'/,
    ],
    [
      "trace as JSON",
      `local f = JSON.parse(Debug.stackTraceJson({max_depth = 1})).frames return #f, f[1].source, math.type(f[1].line)`,
      `1 "script.lua" "integer"`,
    ],
    [
      "trace locals and upvalues when asked",
      `local seen = 42 return Debug.stackTrace({capture_locals = true}):find("seen = 42") ~= nil, Debug.stackTrace({capture_upvalues = true}):find("upvalue list = ") ~= nil, #list`,
      "true true 300",
    ],
    [
      "trace without source when told to",
      `Debug.stackTrace({include_source = false}):find("script.lua")`,
      "nil",
    ],
  ],
});

luaTable("Debug and secrets", {
  config: `[runtime.state_persistence.redaction]\nhash_redacted = false\nfield_names = ["pin"]\npatterns = ["CARD-[0-9]+"]\n`,
  setup: `
  local sk = "sk-" .. ("a1"):rep(24)
  local t = {api_key = "hunter2-long", nested = {githubToken = 42, password = {a = 1}, author = "Ann"}, pin = 1234, text = "paid with CARD-123 today", list = {sk}}
  local plain = {show_types = false, compact_mode = true}`,
  cases: [
    [
      "a dump marks what is secret by its name or its look, and nothing else",
      `Debug.dumpWithOptions(t, plain)`,
      `"{api_key = "[REDACTED]", list = {"[REDACTED]"}, nested = {author = "Ann", githubToken = "[REDACTED]", password = "[REDACTED]"}, pin = "[REDACTED]", text = "paid with [REDACTED] today"}"`,
    ],
    ["by its label too", `Debug.dumpWithOptions("hunter2", plain, "password")`, `"password = "[REDACTED]""`],
    [
      "every dump does",
      `for _, f in ipairs{"dump", "dumpCompact", "dumpVerbose"} do local s = Debug[f](t) assert(not s:find("hunter2") and not s:find("a1a1") and not s:find("1234"), s) end return true`,
      "true",
    ],
    [
      "bytes that are no text are left as they are",
      `Debug.dumpWithOptions({["\\xff"] = "\\xfe", token = "\\xfe"}, plain)`,
      `"{token = "[REDACTED]", ["\\92xFF"] = "\\92xFE"}"`,
    ],
    [
      "entries, captured ones too, with their data",
      `Debug.clearCaptured() Debug.logWithData("info", "key is " .. sk, {api_key = "x", n = 1}) local e = Debug.getCapturedEntries()[1] return e.message, e.metadata`,
      `"key is [REDACTED]" {api_key="[REDACTED]", n=1}`,
    ],
    [
      "stacks with variables",
      `local password, n = "hunter2", 7 local s = Debug.stackTrace({capture_locals = true}) return s:find("hunter2") == nil, s:find("local password = [REDACTED]", 1, true) ~= nil, s:find("local n = 7", 1, true) ~= nil, Debug.stackTraceJson({capture_locals = true}):find("hunter2")`,
      "true true true nil",
    ],
  ],
});

luaTable("Debug where redaction is off", {
  config: "[runtime.state_persistence.redaction]\nenabled = false\n",
  cases: [["shows all", `Debug.dumpCompact({password = "hunter2"})`, `"{password = "hunter2"}"`]],
});

luaTable("Debug and the marks of secrets", {
  cases: [
    [
      "are the same for the same secret, in one dump and the next, and others for others",
      `local function mark(v) return Debug.dumpCompact({password = v}):match("%[REDACTED%]_%x+") end
       return mark("a") == mark("a"), mark("a") ~= mark("b"), mark(1) ~= mark(2), mark({}) ~= nil`,
      "true true true true",
    ],
  ],
});
