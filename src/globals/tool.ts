/** `Tool`: spec/lua-api.md section 2. */
import { Type } from "typebox";
import { SpellError } from "../core/errors.ts";
import { Handle, isPlainObject, isScriptFunction, type ScriptValue } from "../core/values.ts";
import type { ToolFilter } from "../tools/service.ts";
import type { ToolDefinition } from "../tools/tool.ts";
import {
  AnyTable,
  AnyValue,
  type CallContext,
  type GlobalDecl,
  methodsOf,
  optional,
  param,
  wait,
} from "./declare.ts";
import { raised, raisedTable, resultTable } from "./tool/result.ts";
import { describeSchema } from "./tool/schema.ts";
import { readScriptTool, registerScriptTool } from "./tool/script-tool.ts";

const PARALLEL_CALLS = 4;

const RESULT =
  "{success, operation, result?, text, output?, message?, error?, metadata, _raw_text?}; `error` is a table that also works as text";

const nameParam = param("name", Type.String(), "Name or alias; `_` counts as `-`");
const paramsParam = optional("params", AnyTable, "The tool's parameters; `{}` when missing");

const toolMethods = methodsOf<ToolDefinition>();

export const ToolGlobal: GlobalDecl = {
  name: "Tool",
  doc: 'Built-in tools and tools of the script. `Tool.calculator` and `Tool["uuid-generator"]` are tool objects as `Tool.get` gives them.',
  functions: {
    list: wait({
      doc: "All tools, sorted by name.",
      params: [],
      returns: "{name, description, version, category, security_level}[]",
      handler: async (ctx) => discovered(ctx, {}),
    }),
    get: wait({
      doc: "A tool by name, or nil.",
      params: [nameParam],
      returns: "ToolObject?",
      aliases: ["get_info"],
      handler: handleOf,
    }),
    get_schema: wait({
      doc: "The parameters of a tool, or nil for an unknown one.",
      params: [nameParam],
      returns: "{name, description, parameters = {name, type, description, required, default?}[]}?",
      handler: async (ctx, name) => {
        const tool = (await ctx.services.tools()).find(name);
        return tool === undefined ? null : describeSchema(tool);
      },
    }),
    execute: wait({
      doc: "Runs a tool. Raises when the tool is unknown, a parameter is missing or wrong, access is refused or the tool fails; some tools give failures back with `success = false` instead.",
      params: [nameParam, paramsParam],
      returns: RESULT,
      aliases: ["invoke"],
      handler: async (ctx, name, params) => callTool(ctx, name, params ?? {}),
    }),
    batch: wait({
      doc: "Runs several tools, up to 4 at a time. A call that raises has `success = false` and `error` in its place.",
      params: [param("calls", Type.Array(AnyTable), "`{name, params?}` each")],
      returns: `array of ${RESULT}, in the order of the calls`,
      handler: async (ctx, calls) => runBatch(ctx, calls),
    }),
    exists: wait({
      doc: "Whether there is such a tool.",
      params: [nameParam],
      returns: "boolean",
      aliases: ["is_available"],
      handler: async (ctx, name) => (await ctx.services.tools()).find(name) !== undefined,
    }),
    categories: wait({
      doc: "The categories of the tools there are, sorted.",
      params: [],
      returns: "string[]",
      handler: async (ctx) => {
        const tools = (await ctx.services.tools()).list();
        return [...new Set(tools.map((tool) => tool.category))].sort();
      },
    }),
    discover: wait({
      doc: "Tools that fit all given conditions.",
      params: [
        optional(
          "filter",
          Type.Object({
            category: Type.Optional(Type.String({ description: "Exact category, without case" })),
            tag: Type.Optional(Type.String({ description: "Part of the description" })),
            capabilities: Type.Optional(
              Type.Array(Type.String(), { description: "Words that all occur in the name or description" }),
            ),
          }),
          "`{category?, tag?, capabilities?}`",
        ),
      ],
      returns: "{name, description, category, version, security_level}[]",
      handler: async (ctx, filter) => discovered(ctx, filter ?? {}),
    }),
    register: wait({
      doc: "Adds a tool that runs a function of the script; agents can use it too. The function gets the parameters and returns text or a table. `Tool.register(name, fn)` or `Tool.register{name, description, parameters, execute, category?, version?, timeout_ms?}`, where `parameters` is JSON Schema, a list of descriptors or a table from names to types.",
      params: [
        param("tool", AnyValue, "Name, or the whole definition"),
        optional("fn", AnyValue, "The function, where the first argument is a name"),
      ],
      returns: "ToolObject",
      handler: async (ctx, first, second) => {
        const definition = readScriptTool(first, second);
        registerScriptTool(await ctx.services.tools(), definition);
        return new Handle("ToolObject", definition);
      },
    }),
  },
  index: wait({
    doc: "A tool by name, or nil.",
    params: [nameParam],
    returns: "ToolObject?",
    handler: handleOf,
  }),
  classes: [
    {
      name: "ToolObject",
      doc: "A tool. Fields: `name`, `description`, `version`, `category`, `security_level`, `schema`.",
      fields: (tool: ToolDefinition) => ({ ...entryOf(tool), schema: describeSchema(tool) }),
      methods: {
        execute: toolMethods.wait({
          doc: "Runs the tool, as `Tool.execute` does.",
          params: [paramsParam],
          returns: RESULT,
          aliases: ["invoke"],
          handler: async (ctx, params) => callTool(ctx, ctx.self.name, params ?? {}),
        }),
        getSchema: toolMethods.wait({
          doc: "The parameters of the tool.",
          params: [],
          returns: "{name, description, parameters}",
          aliases: ["get_schema"],
          handler: (ctx) => describeSchema(ctx.self),
        }),
      },
    },
  ],
};

async function handleOf(ctx: CallContext, name: string) {
  const tool = (await ctx.services.tools()).find(name);
  return tool === undefined ? null : new Handle("ToolObject", tool);
}

async function discovered(ctx: CallContext, filter: ToolFilter) {
  return (await (await ctx.services.tools()).discover(filter)).map(entryOf);
}

function entryOf({ name, description, version, category, level }: ToolDefinition) {
  return { name, description, version, category, security_level: level };
}

export async function callTool(
  ctx: CallContext<unknown>,
  name: string,
  params: Record<string, ScriptValue>,
): Promise<ScriptValue> {
  const tools = await ctx.services.tools();
  const tool = tools.find(name);
  const plain = plainParams(params);
  const call = { signal: ctx.run.signal, correlationId: ctx.run.id };
  try {
    const result = await tools.execute(name, plain, call);
    return resultTable(tool?.style ?? "envelope", result);
  } catch (error) {
    throw tool === undefined ? error : raised(tool.name, error);
  }
}

async function runBatch(ctx: CallContext, calls: Record<string, ScriptValue>[]): Promise<ScriptValue[]> {
  const planned = calls.map(({ name, params }, i) => {
    if (typeof name !== "string") throw invalidCall(i, "name", "must be a string");
    if (params !== undefined && params !== null && !isPlainObject(params))
      throw invalidCall(i, "params", "must be a table");
    return { name, params: params ?? {} };
  });
  const results: ScriptValue[] = [];
  const pending = planned.entries();
  const worker = async () => {
    for (const [i, { name, params }] of pending) {
      results[i] = await callTool(ctx, name, params as Record<string, ScriptValue>).catch(
        (error: unknown) => {
          if (!(error instanceof SpellError) || error.code === "interrupted") throw error;
          return raisedTable(name, error);
        },
      );
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_CALLS }, worker));
  return results;
}

function invalidCall(index: number, field: string, rule: string): SpellError {
  return new SpellError("invalid_argument", `Cannot call Tool.batch: "calls[${index + 1}].${field}" ${rule}`);
}

/** Functions and objects at the top are left out; deeper down they are an error (spec/tools.md section 2.2). */
function plainParams(params: Record<string, ScriptValue>): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(params)) {
    if (isScriptFunction(value)) value.release();
    else if (!(value instanceof Handle)) {
      refuseFunctions(value, key);
      plain[key] = value;
    }
  }
  return plain;
}

function refuseFunctions(value: ScriptValue, path: string): void {
  if (isScriptFunction(value) || value instanceof Handle) {
    throw new SpellError(
      "invalid_argument",
      `Cannot call a tool: "${path}" must not be ${isScriptFunction(value) ? "a function" : "an object"}`,
    );
  }
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) refuseFunctions(item, `${path}[${i + 1}]`);
  } else if (isPlainObject(value)) {
    for (const [key, item] of Object.entries(value)) refuseFunctions(item as ScriptValue, `${path}.${key}`);
  }
}
