/** Globals that exercise every way a call can cross. */

import { Type } from "typebox";
import { SpellError } from "../../../src/core/errors.ts";
import { currentTasks, runAsTask } from "../../../src/core/task.ts";
import { Handle, type ScriptFunction, ScriptTable, type ScriptValue } from "../../../src/core/values.ts";
import {
  AnyTable,
  AnyValue,
  type ClassDecl,
  type GlobalDecl,
  LuaFunction,
  local,
  lua,
  methodsOf,
  optional,
  param,
  post,
  wait,
} from "../../../src/globals/declare.ts";

export class Counter {
  count = 0;
  constructor(readonly name: string) {}
}

const counterMethods = methodsOf<Counter>();
const counterClass: ClassDecl = {
  name: "Counter",
  doc: "A kernel object.",
  fields: (object: Counter) => ({ name: object.name }),
  methods: {
    add: counterMethods.wait({
      doc: "Adds and gives the sum.",
      params: [param("n", Type.Number(), "how much")],
      returns: "number",
      aliases: ["increase", "add_more"],
      handler: (ctx, n) => {
        ctx.self.count += n;
        return ctx.self.count;
      },
    }),
  },
};

interface ListState {
  items: ScriptValue[];
}
const listMethods = methodsOf<ListState>();
const listClass: ClassDecl = {
  name: "List",
  doc: "A builder in the script thread.",
  local: true,
  methods: {
    put: listMethods.local({
      doc: "Appends.",
      params: [param("value", AnyValue, "what")],
      returns: "List",
      handler: (ctx, value) => {
        ctx.self.items.push(value);
        return ctx.self;
      },
    }),
    send: listMethods.local({
      doc: "Sends all to the kernel and gives what it answers.",
      params: [],
      returns: "any",
      handler: (ctx) => ctx.wait("Host", "echo", ctx.self.items),
    }),
  },
};

const counters = new Map<string, Counter>();
const fails = (message: string): never => {
  throw new SpellError("tool_failed", message, { data: { answer: 42 }, hint: "Try again" });
};

export const globals: readonly GlobalDecl[] = [
  {
    name: "Host",
    doc: "The test's kernel.",
    classes: [counterClass, listClass],
    bothSpellings: true,
    functions: {
      echo: wait({
        doc: "Gives its argument back.",
        params: [optional("value", AnyValue, "any")],
        returns: "any",
        handler: (_ctx, value) => value,
      }),
      slowly: wait({
        doc: "Gives its argument back in a later turn.",
        params: [optional("value", AnyValue, "any")],
        returns: "any",
        handler: async (_ctx, value) => {
          await new Promise((resolve) => setImmediate(resolve));
          return value;
        },
      }),
      never: wait({
        doc: "Never answers.",
        params: [],
        returns: "nil",
        handler: () => new Promise(() => {}),
      }),
      fail: wait({
        doc: "Fails.",
        params: [param("message", Type.String(), "text")],
        returns: "nil",
        handler: (_ctx, message) => fails(message),
      }),
      describe: wait({
        doc: "Tells how a value arrived.",
        params: [optional("value", AnyValue, "any")],
        returns: "string",
        handler: (_ctx, value) => describe(value),
      }),
      apply: wait({
        doc: "Calls a function of the script.",
        params: [
          param("fn", LuaFunction, "function"),
          { ...optional("args", AnyValue, "arguments"), rest: true },
        ],
        returns: "any",
        handler: (_ctx, fn: ScriptFunction, args: unknown) => fn.call(...((args ?? []) as ScriptValue[])),
      }),
      apply_many: wait({
        doc: "Calls a function many times at once and counts the results.",
        params: [param("fn", LuaFunction, "function"), param("times", Type.Integer(), "how often")],
        returns: "number",
        handler: async (_ctx, fn, times) => {
          const results = await Promise.all(Array.from({ length: times }, (_, i) => fn.call(i)));
          return results.filter((r) => r !== null).length;
        },
      }),
      in_task: wait({
        doc: "Calls a function of the script from a task of that name.",
        params: [param("label", Type.String(), "name"), param("fn", LuaFunction, "function")],
        returns: "any",
        handler: (_ctx, label, fn) => runAsTask(label, () => fn.call()),
      }),
      tasks: wait({
        doc: "The tasks on whose behalf this call is made.",
        params: [],
        returns: "string[]",
        handler: () => currentTasks().map((task) => task.label),
      }),
      counter: wait({
        doc: "The counter of that name.",
        params: [param("name", Type.String(), "name")],
        returns: "Counter",
        handler: (_ctx, name) => {
          const known = counters.get(name) ?? new Counter(name);
          counters.set(name, known);
          return new Handle("Counter", known);
        },
      }),
      table: wait({
        doc: "A table with everything.",
        params: [],
        returns: "table",
        handler: () =>
          new ScriptTable({
            array: [1, 2],
            fields: { name: "n" },
            text: "all of it",
            fallback: { hidden: true },
          }),
      }),
      note: post({
        doc: "Sends without waiting.",
        params: [param("value", AnyValue, "any")],
        returns: "nil",
        handler: (_ctx, value) => notes.push(value as ScriptValue),
      }),
      notes: wait({ doc: "What was noted.", params: [], returns: "any[]", handler: () => notes.splice(0) }),
      double: local({
        doc: "Runs in the script thread.",
        params: [param("n", Type.Number(), "number")],
        returns: "number",
        handler: (_ctx, n) => n * 2,
      }),
      list: local({
        doc: "A builder.",
        params: [],
        returns: "List",
        handler: (ctx) => ctx.create("List", { items: [] }),
      }),
      options: local({
        doc: "Reads a table.",
        params: [param("t", AnyTable, "table")],
        returns: "number",
        handler: (_ctx, t) => Object.keys(t).length,
      }),
      triple: lua({
        doc: "Written in Lua.",
        params: [],
        returns: "number",
        source: "return function(n) return n * 3 end",
      }),
    },
  },
  {
    name: "Names",
    doc: "Answers any key.",
    functions: {},
    index: wait({
      doc: "The key itself.",
      params: [param("key", Type.String(), "key")],
      returns: "string",
      handler: (_ctx, key) => (key === "absent" ? null : `<${key}>`),
    }),
  },
];

const notes: ScriptValue[] = [];

export function describe(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (value instanceof Uint8Array) return `bytes:${Buffer.from(value).toString("hex")}`;
  if (typeof value === "bigint") return `bigint:${value}`;
  if (Array.isArray(value)) return `[${value.map(describe).join(",")}]`;
  if (typeof value === "object") {
    if ((value as { kind?: unknown }).kind === "function") return "function";
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${k}=${describe(v)}`).join(",")}}`;
  }
  return `${typeof value}:${String(value)}`;
}
