/** Tools that a script defines with `Tool.register`. */
import { SpellError } from "../../core/errors.ts";
import { runAsTask } from "../../core/task.ts";
import { isPlainObject, isScriptFunction, type ScriptFunction, type ScriptValue } from "../../core/values.ts";
import { outcomeOf, plainPrimary } from "../../tools/outcome.ts";
import type { ToolService } from "../../tools/service.ts";
import type { ToolDefinition } from "../../tools/tool.ts";
import { readSchema } from "./schema.ts";

/** Which function of a script stands behind a definition. */
const functions = new WeakMap<ToolDefinition, ScriptFunction>();

/** @throws SpellError invalid_argument */
export function readScriptTool(first: ScriptValue, second: ScriptValue): ToolDefinition {
  const spec: Record<string, unknown> = isPlainObject(first) ? first : { name: first, execute: second };
  const { name, description, category, version, parameters, execute, timeout_ms: timeoutMs } = spec;
  if (typeof name !== "string") throw refuse("name", "must be a string");
  if (!isScriptFunction(execute)) throw refuse(isPlainObject(first) ? "execute" : "fn", "must be a function");
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs > 0))
    throw refuse("timeout_ms", "must be a positive number");
  const definition: ToolDefinition = {
    name,
    aliases: [],
    description: typeof description === "string" ? description : `${name}, a tool of the script`,
    category: typeof category === "string" ? category.toLowerCase() : "utility",
    level: "safe",
    version: typeof version === "string" ? version : "1.0.0",
    parameters: readSchema(parameters),
    resultDoc: "",
    style: "text",
    needs: [],
    limits: { memoryBytes: 100_000_000 },
    examples: [],
    primary: plainPrimary,
    ...(typeof timeoutMs === "number" ? { timeoutMs } : {}),
    execute: async (params, { signal }) => {
      const call = () => callScript(execute, params as ScriptValue);
      return outcomeOf(await runAsTask(`tool "${name}"`, call, signal));
    },
  };
  functions.set(definition, execute);
  return definition;
}

/**
 * Adds the tool. One that a script registered before under the same name is replaced: a cell of a notebook may run twice.
 * @throws SpellError already_exists, invalid_argument
 */
export function registerScriptTool(tools: ToolService, definition: ToolDefinition): void {
  const old = tools.find(definition.name);
  const replaced = old === undefined ? undefined : functions.get(old);
  if (old !== undefined && replaced !== undefined && old.name === definition.name) tools.unregister(old.name);
  tools.register(definition);
  replaced?.release();
}

async function callScript(execute: ScriptFunction, params: ScriptValue): Promise<ScriptValue> {
  try {
    return await execute.call(params);
  } catch (error) {
    if (!(error instanceof SpellError) || error.code !== "script") throw error;
    throw new SpellError("tool_failed", error.message, { data: error.data });
  }
}

function refuse(argument: string, rule: string): SpellError {
  return new SpellError("invalid_argument", `Cannot call Tool.register: "${argument}" ${rule}`, {
    data: { argument },
    hint: 'Use Tool.register("name", function(params) … end) or Tool.register{name = …, execute = …}',
  });
}
