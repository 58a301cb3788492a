/** `Replay`: spec/lua-api.md section 15. Its objects are plain Lua tables, so that `Session.replay` takes a configuration. */
import { Type } from "typebox";
import { compareJson } from "../core/compare-json.ts";
import type { ScriptValue } from "../core/values.ts";
import { AnyValue, type GlobalDecl, local, lua, optional, param } from "./declare.ts";

const MODES = `
local setmetatable, type, error, tostring = setmetatable, type, error, tostring
local known = {exact = true, modified = true, simulate = true, debug = true}
local mode_meta = {
  __index = {name = function(self) return self.mode end},
  __tostring = function(self) return self.mode end,
  __eq = function(a, b) return a.mode == b.mode end,
}
local function mode_value(word) return setmetatable({mode = word}, mode_meta) end
`;

const MODIFICATION = `
local modification_meta = {__index = {
  get_path = function(self) return self.path end,
  get_value = function(self) return self.value end,
  is_enabled = function(self) return self.enabled end,
  set_enabled = function(self, enabled) self.enabled = enabled and true or false end,
}}
local function modification(call, path, value, enabled)
  if type(path) ~= "string" then
    error("Cannot call " .. call .. ': "path" must be a string: ' .. type(path), 3)
  end
  return setmetatable({path = path, value = value, enabled = enabled ~= false}, modification_meta)
end
`;

const CREATE_CONFIG = `${MODES}${MODIFICATION}
local config_meta = {__index = {
  get_mode = function(self) return mode_value(self.mode) end,
  should_compare_results = function(self) return self.compare_results end,
  get_timeout_seconds = function(self) return self.timeout_seconds end,
  should_stop_on_error = function(self) return self.stop_on_error end,
  get_modifications = function(self) return self.modifications end,
  add_modification = function(self, path, value, enabled)
    self.modifications[#self.modifications + 1] = modification("config:add_modification", path, value, enabled)
    return self
  end,
}}
return function(mode)
  local word = mode
  if type(mode) == "table" then word = mode.mode end
  if word == nil then word = "exact" end
  if not known[word] then
    error('Cannot call Replay.create_config: "mode" must be one of exact, modified, simulate, debug: ' .. tostring(word), 2)
  end
  return setmetatable({
    mode = word, compare_results = true, timeout_seconds = 300, stop_on_error = false, modifications = {},
  }, config_meta)
end`;

const CREATE_MODIFICATION = `
local setmetatable, type, error = setmetatable, type, error
${MODIFICATION}
return function(path, value, enabled)
  return modification("Replay.create_modification", path, value, enabled)
end`;

const CREATE_COMPARATOR = `
local host = ...
local setmetatable = setmetatable
local meta = {__index = {compare_json = function(_, a, b) return host.compare(a, b) end}}
return function() return setmetatable({}, meta) end`;

/** The tables of modes and schedules, made when they are first asked for. */
const INDEX = `
${MODES}
local math_type = math.type
local schedule_meta = {__index = {type_name = function(self) return self.type end}}
local function seconds(call, name, value, least)
  if math_type(value) == nil or value < least then
    error("Cannot call " .. call .. ': "' .. name .. '" must be a number of seconds, at least ' .. least .. ": " .. tostring(value), 3)
  end
  return value
end
local tables = {
  modes = {
    exact = mode_value("exact"), modified = mode_value("modified"),
    simulate = mode_value("simulate"), debug = mode_value("debug"),
  },
  schedules = {
    once = function(delay)
      return setmetatable({type = "once",
        delay_seconds = seconds("Replay.schedules.once", "delay_s", delay, 0)}, schedule_meta)
    end,
    interval = function(initial, interval, max)
      if max ~= nil and (math_type(max) ~= "integer" or max < 1) then
        error('Cannot call Replay.schedules.interval: "max" must be a whole number, at least 1: ' .. tostring(max), 2)
      end
      return setmetatable({type = "interval",
        initial_seconds = seconds("Replay.schedules.interval", "initial_s", initial, 0),
        interval_seconds = seconds("Replay.schedules.interval", "interval_s", interval, 0.1),
        max_executions = max}, schedule_meta)
    end,
    cron = function(expression)
      if type(expression) ~= "string" then
        error('Cannot call Replay.schedules.cron: "expr" must be a string: ' .. type(expression), 2)
      end
      return setmetatable({type = "cron", expression = expression}, schedule_meta)
    end,
  },
}
return function(_, key) return tables[key] end`;

export const ReplayGlobal: GlobalDecl = {
  name: "Replay",
  doc:
    "Settings for replays; `Session.replay` runs them. `Replay.modes.exact`, `.modified`, `.simulate` and `.debug` are modes " +
    "with `:name()`. `Replay.schedules.once(delay_s)`, `.interval(initial_s, interval_s, max?)` and `.cron(expr)` make " +
    "schedules with `:type_name()` for `Session.schedule_replay`.",
  functions: {
    create_config: lua({
      doc:
        "A configuration for `Session.replay`, with `:get_mode()`, `:should_compare_results()`, `:get_timeout_seconds()`, " +
        "`:should_stop_on_error()`, `:get_modifications()` and `:add_modification(path, value, enabled)`.",
      params: [optional("mode", AnyValue, "A mode of `Replay.modes`, or its name; default exact")],
      returns: "{mode, compare_results, timeout_seconds, stop_on_error, modifications}",
      source: CREATE_CONFIG,
    }),
    create_modification: lua({
      doc:
        "Another value at a place in the inputs of recorded steps (`operation`, `items[1].name`, `context.data.input`), " +
        "with `:get_path()`, `:get_value()`, `:is_enabled()` and `:set_enabled(enabled)`.",
      params: [
        param("path", Type.String(), "The place"),
        optional("value", AnyValue, "The value"),
        optional("enabled", Type.Boolean(), "Default true"),
      ],
      returns: "{path, value, enabled}",
      source: CREATE_MODIFICATION,
    }),
    create_comparator: lua({
      doc:
        "An object whose `:compare_json(a, b)` gives `{identical, similarity_score, summary, differences?}`; each difference " +
        "is `{path, description}`.",
      params: [],
      returns: "comparator",
      source: CREATE_COMPARATOR,
    }),
    compare: local({
      doc: "",
      params: [optional("a", AnyValue, ""), optional("b", AnyValue, "")],
      returns: "{identical, similarity_score, summary, differences?}",
      internal: true,
      handler: (_ctx, a, b): ScriptValue => {
        const { differences, ...same } = compareJson(a, b);
        return { ...same, ...(differences.length === 0 ? {} : { differences: [...differences] as never }) };
      },
    }),
  },
  index: lua({
    doc: "The tables of modes and schedules.",
    params: [param("key", Type.String(), "`modes` or `schedules`")],
    returns: "table or nil",
    source: INDEX,
  }),
};
