/** Functions of the Workflow global. */
import { Type } from "typebox";
import { messageOf, SpellError } from "../../core/errors.ts";
import { Handle, isPlainObject, type ScriptValue } from "../../core/values.ts";
import type { WorkflowType } from "../../workflows/model.ts";
import type { Workflow, WorkflowService } from "../../workflows/service.ts";
import type { Table } from "../agent/fields.ts";
import {
  AnyTable,
  AnyValue,
  type CallContext,
  type FunctionDecl,
  LuaFunction,
  local,
  optional,
  param,
  wait,
} from "../declare.ts";
import { callTool } from "../tool.ts";
import { BUILDER } from "./builder.ts";
import { executeWorkflow } from "./run.ts";

export const workflowHandle = (workflow: Workflow): Handle<Workflow> =>
  new Handle("WorkflowObject", workflow);

const TYPES: Readonly<Record<WorkflowType, { description: string; features: string[] }>> = {
  sequential: { description: "Steps one after another", features: ["error_strategy", "retry", "timeout"] },
  conditional: {
    description: "Steps, then the branch whose condition holds",
    features: ["branches", "conditions"],
  },
  loop: {
    description: "A body over a range, a list or as long as a condition holds",
    features: ["range", "collection", "while", "break_conditions"],
  },
  parallel: { description: "Branches side by side", features: ["max_concurrency", "fail_fast"] },
};

const Name = param("id", Type.String(), "A workflow's id, or its name: the newest of that name");

const constructorOf = (type: WorkflowType, fields: string): FunctionDecl =>
  local({
    doc: `Makes a ${type} workflow of a table; without one, a builder. Raises for whatever is wrong, naming the place.`,
    params: [optional("config", AnyTable, fields)],
    returns: `WorkflowObject, or ${BUILDER}`,
    handler: (ctx, config) =>
      config === undefined
        ? ctx.create(BUILDER, { type })
        : ctx.wait("Workflow", "create", { ...config, type }),
  });

const COMMON = "error_strategy?, timeout_ms?, budget?, durable?, run_id?";

async function create(ctx: CallContext, config: Table): Promise<Handle<Workflow>> {
  return workflowHandle(await make(ctx, config));
}

/** A workflow lives as long as the VM in which it was made. */
async function make({ services, run }: CallContext, config: Table): Promise<Workflow> {
  const workflows = await services.workflows();
  const workflow = workflows.create(config);
  idsOf(run.vm.ended, workflows).add(workflow.id);
  return workflow;
}

/** Ids only: what a script has removed is not held. */
function idsOf(ended: AbortSignal, workflows: WorkflowService): Set<string> {
  const known = made.get(ended);
  if (known !== undefined) return known;
  const ids = new Set<string>();
  made.set(ended, ids);
  ended.addEventListener(
    "abort",
    () => {
      for (const id of ids) workflows.remove(id);
    },
    { once: true },
  );
  return ids;
}

/** By the VM that made them. */
const made = new WeakMap<AbortSignal, Set<string>>();

export const statics: Record<string, FunctionDecl> = {
  builder: local({
    doc: 'Starts a workflow\'s description: `Workflow.builder():name("w"):sequential():add_step{…}:build()`.',
    params: [],
    returns: BUILDER,
    handler: (ctx) => ctx.create(BUILDER, {}),
  }),
  sequential: constructorOf("sequential", `\`{name, steps, ${COMMON}}\``),
  parallel: constructorOf(
    "parallel",
    `\`{name, branches = {name, steps, optional?, timeout_ms?}[], max_concurrency?, fail_fast?, merge_strategy?, ${COMMON}}\`; a step in place of a branch is one`,
  ),
  conditional: constructorOf(
    "conditional",
    `\`{name, steps?, branches = {name, condition, steps}[], default_branch? = {name?, steps}, execute_all_matching?, ${COMMON}}\``,
  ),
  loop: constructorOf(
    "loop",
    `\`{name, iterator = {range = {start, ["end"], step}} | {collection} | {while_condition, max_iterations?}, body, break_conditions?, continue_on_error?, aggregation?, ${COMMON}}\``,
  ),
  create: wait({
    doc: "Makes a workflow of a table that names its type; `steps` may be `{id, action = {tool = …}}` too. Raises for whatever is wrong, naming the place.",
    params: [param("config", AnyTable, "`{type, name, …}` with the fields of that type's constructor")],
    returns: "WorkflowObject",
    handler: create,
  }),
  from_yaml: wait({
    doc: "Makes a workflow of YAML text with the fields of `Workflow.create`; a `workflow` of a step may be written out in place.",
    params: [param("text", Type.String(), "The text")],
    returns: "WorkflowObject",
    handler: (ctx, text) => create(ctx, yamlTable(text, "text")),
  }),
  from_file: wait({
    doc: "Makes a workflow of a YAML or JSON file, read with the rights of the file-operations tool.",
    params: [param("path", Type.String(), "The file's path")],
    returns: "WorkflowObject",
    handler: async (ctx, path) => {
      const read = (await callTool(ctx, "file-operations", { operation: "read", path })) as Table;
      return create(ctx, yamlTable(String(read.text), path));
    },
  }),
  register: wait({
    doc: "Makes a workflow and returns its id.",
    params: [
      param("type", AnyValue, "sequential, parallel, conditional or loop; or a table that names it"),
      optional("params", AnyTable, "The fields of that type's constructor"),
    ],
    returns: "string",
    handler: async (ctx, type, params) => {
      const config = isPlainObject(type) ? (type as Table) : { ...params, type };
      return (await make(ctx, config)).id;
    },
  }),
  execute: wait({
    doc: "`workflow:execute(input)`.",
    params: [
      param("workflow", AnyValue, "A workflow, its id or its name"),
      optional("input", AnyValue, "As for `execute` of the workflow"),
      optional("options", AnyTable, "As for `execute` of the workflow"),
    ],
    returns: "as `WorkflowObject:execute`",
    handler: async (ctx, given, input, options) =>
      executeWorkflow(ctx, await workflowOf(ctx, given), input as ScriptValue, options),
  }),
  types: wait({
    doc: "The types of workflows.",
    params: [],
    returns: '{"sequential", "conditional", "loop", "parallel"}',
    handler: () => Object.keys(TYPES),
  }),
  discover_types: wait({
    doc: "The types of workflows with what they are.",
    params: [],
    returns: "{type, description}[]",
    handler: () => Object.entries(TYPES).map(([type, { description }]) => ({ type, description })),
  }),
  list: wait({
    doc: "The workflows there are; where none was made, the types.",
    params: [],
    returns: '{id, name, type = "instance", workflow_type}[], or {id, type, description, features}[]',
    handler: async ({ services }) => {
      const all = (await services.workflows()).list();
      if (all.length === 0)
        return Object.entries(TYPES).map(([type, about]) => ({ id: type, type, ...about }));
      return all.map(({ id, definition: { name, type } }) => ({
        id,
        name,
        type: "instance",
        workflow_type: type,
      }));
    },
  }),
  get: wait({
    doc: "A workflow by id or name, or one that was saved under this name; nil where there is none.",
    params: [Name],
    returns: "WorkflowObject?",
    handler: async ({ services }, id) => {
      const workflows = await services.workflows();
      const found = workflows.get(id) ?? (await workflows.load(id));
      return found === undefined ? null : workflowHandle(found);
    },
  }),
  remove: wait({
    doc: "Forgets a workflow; those who hold it can still run it.",
    params: [Name],
    returns: "boolean: false where there is none",
    handler: async ({ services }, id) => (await services.workflows()).remove(id),
  }),
  clear: wait({
    doc: "Forgets all workflows.",
    params: [],
    returns: "nil",
    handler: async ({ services }) => {
      (await services.workflows()).clear();
      return null;
    },
  }),
  save: wait({
    doc: "Keeps what a workflow is made of, for later runs and other processes: `Workflow.get(name)`. Agents are kept by name. Raises where a part of it is a function, and where state is switched off.",
    params: [
      param("name", Type.String(), "The name to find it under"),
      param("workflow", AnyValue, "The workflow"),
    ],
    returns: "nil",
    handler: async (ctx, name, given) => {
      await (await ctx.services.workflows()).save(name, await workflowOf(ctx, given));
      return null;
    },
  }),
  delete: wait({
    doc: "Removes a workflow that was saved.",
    params: [param("name", Type.String(), "The name it was saved under")],
    returns: "boolean: false where there is none",
    handler: async ({ services }, name) => (await services.workflows()).forget(name),
  }),
  setDefaultErrorHandler: wait({
    doc: "A function that is called with the message when any workflow fails, in place of the one before.",
    params: [param("fn", LuaFunction, "Called with the message")],
    returns: "nil",
    handler: async ({ services }, fn) => {
      (await services.workflows()).setErrorHandler((message) => fn.call(message));
      return null;
    },
  }),
  enableDebug: wait({
    doc: "True: what workflows do is logged at the level `info`.",
    params: [param("enabled", Type.Boolean(), "Whether to")],
    returns: "nil",
    handler: async ({ services }, enabled) => {
      (await services.workflows()).debug = enabled;
      return null;
    },
  }),
  isDebugEnabled: wait({
    doc: "Whether debugging is on.",
    params: [],
    returns: "boolean",
    handler: async ({ services }) => (await services.workflows()).debug,
  }),
};

async function workflowOf({ services }: CallContext, given: ScriptValue): Promise<Workflow> {
  if (given instanceof Handle && given.className === "WorkflowObject") return given.object as Workflow;
  const workflows = await services.workflows();
  const found =
    typeof given === "string" ? (workflows.get(given) ?? (await workflows.load(given))) : undefined;
  if (found !== undefined) return found;
  if (typeof given === "string") throw new SpellError("not_found", `No such workflow: ${given}`);
  throw new SpellError(
    "invalid_argument",
    "Cannot use the workflow: it must be a workflow, its id or its name",
    {
      hint: "Call build() on a builder first",
    },
  );
}

/** @throws SpellError invalid_argument */
function yamlTable(text: string, source: string): Table {
  let value: unknown;
  try {
    value = Bun.YAML.parse(text);
  } catch (error) {
    throw new SpellError("invalid_argument", `Cannot read the workflow: ${messageOf(error)}: ${source}`);
  }
  if (isPlainObject(value)) return value as Table;
  throw new SpellError(
    "invalid_argument",
    `Cannot read the workflow: it must be a mapping with name, type and steps: ${source}`,
  );
}
