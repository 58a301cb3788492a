import { type Static, Type } from "typebox";
import { nowMs } from "../../core/clock.ts";
import type { LogLevel } from "../../core/log.ts";
import type { ScriptValue } from "../../core/values.ts";
import { parseLevel } from "../../debug/level.ts";
import { loggable } from "../../debug/loggable.ts";
import { PATTERN_TYPES } from "../../debug/pattern-types.ts";
import type { DebugOutput } from "../../debug/session.ts";
import {
  AnyTable,
  AnyValue,
  BytesOrText,
  type FunctionDecl,
  type LocalContext,
  local,
  optional,
  param,
  post,
  wait,
} from "../declare.ts";
import { sessionOf } from "./session.ts";
import { traceText } from "./trace.ts";

const message = param(
  "message",
  BytesOrText,
  "The text; bytes that are not UTF-8 are shown as replacement characters",
);
const module_ = optional("module", Type.String(), "Which part of the script logs, for filters");
const level = param(
  "level",
  Type.String(),
  "`error`, `warn`, `info`, `debug` or `trace`, or a digit from 1 to 5",
);
const pattern = param(
  "pattern",
  Type.String({ minLength: 1 }),
  "A module name in which `*` stands for any run of characters",
);

const decoder = new TextDecoder();

function log(
  ctx: LocalContext,
  at: LogLevel,
  text: Static<typeof BytesOrText>,
  module: string | undefined,
  metadata?: ScriptValue,
): void {
  const session = sessionOf(ctx);
  if (!session.accepts(at, module)) return;
  const shown = session.shown(typeof text === "string" ? text : decoder.decode(text));
  const { stackTrace } = session.settings;
  const traced = stackTrace.on === "everything" || (stackTrace.on === "errors" && at === "error");
  const trace = traced ? `\n${traceText(ctx, stackTrace)}` : "";
  session.write({
    timeMs: nowMs(),
    level: at,
    message: shown + trace,
    ...(module === undefined ? {} : { module }),
    ...(metadata === undefined || metadata === null ? {} : { metadata: session.shown(loggable(metadata)) }),
  });
}

function logAtWord(
  ctx: LocalContext,
  word: string,
  text: Static<typeof BytesOrText>,
  module: string | undefined,
  metadata?: ScriptValue,
): void {
  const at = parseLevel(word);
  if (at !== undefined && at !== "off") log(ctx, at, text, module, metadata);
}

const logAt = (at: LogLevel): FunctionDecl =>
  local({
    doc: `Logs a message at level ${at}. Printed and captured only when level and module filters let it through.`,
    params: [message, module_],
    returns: "nil",
    handler: (ctx, text, module) => log(ctx, at, text, module),
  });

export const logging: Record<string, FunctionDecl> = {
  log: local({
    doc: "Logs a message at the named level; an unknown level drops it.",
    params: [level, message, module_],
    returns: "nil",
    handler: (ctx, word, text, module) => logAtWord(ctx, word, text, module),
  }),
  trace: logAt("trace"),
  debug: logAt("debug"),
  info: logAt("info"),
  warn: logAt("warn"),
  error: logAt("error"),
  logWithData: local({
    doc: "Logs a message with a value beside it: JSON behind the text, `metadata` of the captured entry.",
    params: [level, message, optional("data", AnyValue, "The value"), module_],
    returns: "nil",
    handler: (ctx, word, text, data, module) => logAtWord(ctx, word, text, module, data),
  }),
  setLevel: local({
    doc: "Sets the least important level that is still logged: `off`, `error`, `warn`, `info`, `debug`, `trace` or 0–5.",
    params: [
      param(
        "level",
        Type.String(),
        "The level, in any case; `none`, `err` and `warning` mean the same as `off`, `error` and `warn`",
      ),
    ],
    returns: "boolean: false when the level is not understood",
    handler: (ctx, word) => {
      const parsed = parseLevel(word);
      if (parsed !== undefined) sessionOf(ctx).level = parsed;
      return parsed !== undefined;
    },
  }),
  getLevel: local({
    doc: "The current level in upper case.",
    params: [],
    returns: "string",
    handler: (ctx) => sessionOf(ctx).level.toUpperCase(),
  }),
  setEnabled: local({
    doc: "Turns all logging of this script on or off.",
    params: [param("enabled", Type.Boolean(), "Whether to log")],
    returns: "nil",
    handler: (ctx, enabled) => {
      sessionOf(ctx).enabled = enabled;
    },
  }),
  isEnabled: local({
    doc: "Whether logging is on.",
    params: [],
    returns: "boolean",
    handler: (ctx) => sessionOf(ctx).enabled,
  }),
  addModuleFilter: local({
    doc: "Lets the modules that match log, or silences them. The rule added last that matches decides.",
    params: [pattern, param("enabled", Type.Boolean(), "Whether those modules log")],
    returns: "nil",
    handler: (ctx, text, enabled) => sessionOf(ctx).filters.add(text, "wildcard", enabled),
  }),
  addAdvancedFilter: local({
    doc:
      "Adds a module filter of a kind: `exact`, `wildcard` (`*`), `regex` (RE2 syntax, found anywhere in the name) or " +
      "`hierarchical` (`a.b` covers `a.b` and `a.b.c`).",
    params: [
      param("pattern", Type.String({ minLength: 1 }), "The pattern"),
      param("kind", Type.String(), PATTERN_TYPES.map((kind) => `\`${kind}\``).join(", ")),
      param("enabled", Type.Boolean(), "Whether those modules log"),
    ],
    returns: "boolean: false for an unknown kind or a regular expression that does not compile",
    handler: (ctx, text, kind, enabled) => {
      const known = PATTERN_TYPES.find((type) => type === kind.toLowerCase());
      return known !== undefined && sessionOf(ctx).filters.tryAdd(text, known, enabled);
    },
  }),
  removeModuleFilter: local({
    doc: "Removes the filter with this pattern.",
    params: [param("pattern", Type.String(), "The pattern as it was added")],
    returns: "boolean: whether there was one",
    handler: (ctx, text) => sessionOf(ctx).filters.remove(text),
  }),
  clearModuleFilters: local({
    doc: "Removes all filters.",
    params: [],
    returns: "nil",
    handler: (ctx) => sessionOf(ctx).filters.clear(),
  }),
  setDefaultFilterEnabled: local({
    doc: "Whether modules that no filter matches, and messages without a module, are logged.",
    params: [param("enabled", Type.Boolean(), "Whether they are")],
    returns: "nil",
    handler: (ctx, enabled) => {
      sessionOf(ctx).filters.defaultEnabled = enabled;
    },
  }),
  getFilterSummary: local({
    doc: "The module filters in effect, in the order they were added.",
    params: [],
    returns: "{default_enabled, total_rules, rules = {pattern, pattern_type, enabled}[]}",
    handler: (ctx) => {
      const { filters } = sessionOf(ctx);
      const rules = filters
        .list()
        .map((rule) => ({ pattern: rule.pattern, pattern_type: rule.patternType, enabled: rule.enabled }));
      return { default_enabled: filters.defaultEnabled, total_rules: rules.length, rules };
    },
  }),
  getCapturedEntries: local({
    doc: "The newest entries that were logged, oldest first; as many as `debug.output.buffer.max_entries` are kept.",
    params: [optional("limit", Type.Integer({ minimum: 0 }), "At most so many")],
    returns: "{timestamp, level, message, module?, metadata?}[]",
    handler: (ctx, limit) => sessionOf(ctx).capturedEntries(limit),
  }),
  clearCaptured: local({
    doc: "Forgets the captured entries.",
    params: [],
    returns: "nil",
    handler: (ctx) => sessionOf(ctx).clearCaptured(),
  }),
  settings: wait({
    doc: "What the configuration says about debugging.",
    params: [],
    returns: "table",
    internal: true,
    handler: async (ctx) => (await ctx.services.debug()).settings(),
  }),
  write: post({
    doc: "Prints an entry and appends it to the log file.",
    params: [param("output", AnyTable, "`text` for standard output, `fileText` for the log file")],
    returns: "nil",
    internal: true,
    // Printing must not wait for the service: later output of the script would overtake it.
    handler: (ctx, output) => {
      const { text, fileText } = output as DebugOutput;
      if (text !== undefined) ctx.run.emit({ type: "stream", stream: "stdout", text });
      if (fileText === undefined) return undefined;
      return ctx.services.debug().then((service) => service.append(fileText));
    },
  }),
};
