import { Type } from "typebox";
import type { ScriptValue } from "../../core/values.ts";
import { AnyValue, BytesOrText, type FunctionDecl, local, lua, optional, param } from "../declare.ts";
import { RENDER } from "./render.lua.ts";
import { sessionOf } from "./session.ts";

const DEFAULTS = {
  dump: {
    max_depth: 10,
    indent_size: 2,
    max_string_length: 200,
    max_array_elements: 50,
    max_table_pairs: 50,
    show_types: true,
    show_addresses: false,
    compact_mode: false,
  },
  dumpCompact: {
    max_depth: 3,
    indent_size: 0,
    max_string_length: 50,
    max_array_elements: 10,
    max_table_pairs: 10,
    show_types: false,
    show_addresses: false,
    compact_mode: true,
  },
  dumpVerbose: {
    max_depth: 20,
    indent_size: 4,
    max_string_length: 1000,
    max_array_elements: 200,
    max_table_pairs: 200,
    show_types: true,
    show_addresses: true,
    compact_mode: false,
  },
};

function luaTable(preset: Record<string, number | boolean>): string {
  return `{ ${Object.entries(preset)
    .map(([key, value]) => `${key} = ${value}`)
    .join(", ")} }`;
}

const value = optional("value", AnyValue, "Any value");
const label = optional("label", Type.String(), "A name shown before it");

const fixed = (name: keyof typeof DEFAULTS, doc: string): FunctionDecl =>
  lua({
    doc,
    params: [value, label],
    returns: "string",
    source: `${RENDER}
local defaults = ${luaTable(DEFAULTS[name])}
return function(value, label) return render(value, defaults, label) end`,
  });

export const dumps: Record<string, FunctionDecl> = {
  shown: local({
    doc: "A text without secrets.",
    params: [param("name", Type.String(), "What it is called"), param("text", BytesOrText, "The text")],
    returns: "string",
    internal: true,
    handler: (ctx, name, text) =>
      (typeof text === "string" || name !== "" ? sessionOf(ctx).shown(text, name) : text) as ScriptValue,
  }),
  dump: fixed(
    "dump",
    "A value as readable Lua text, with its types as comments. Cycles, metatables and functions are named; what is secret by " +
      "its name or its look is `[REDACTED]`, by the same rules as in state (`runtime.state_persistence.redaction`).",
  ),
  dumpCompact: fixed("dumpCompact", "A value on one line, cut short early."),
  dumpVerbose: fixed("dumpVerbose", "A value in full detail, addresses included."),
  dumpWithOptions: lua({
    doc:
      "A value under your own limits. Options and their defaults: " +
      `${Object.entries(DEFAULTS.dump)
        .map(([key, preset]) => `\`${key}\` ${preset}`)
        .join(", ")}.`,
    params: [value, optional("options", Type.Object({}), "The options"), label],
    returns: "string",
    source: `${RENDER}
local defaults = ${luaTable(DEFAULTS.dump)}
return function(value, options, label)
  local chosen = {}
  for key, default in next, defaults do
    local given = type(options) == "table" and rawget(options, key) or nil
    if type(options) == "table" and rawget(options, key) == false then given = false end
    if type(given) ~= type(default) then given = default end
    chosen[key] = given
  end
  return render(value, chosen, label)
end`,
  }),
};
