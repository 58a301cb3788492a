/** Methods of a workflow. */
import { Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import type { ScriptFunction, ScriptValue } from "../../core/values.ts";
import { isScriptFunction } from "../../core/values.ts";
import type { Workflow } from "../../workflows/service.ts";
import {
  AnyTable,
  AnyValue,
  type CallContext,
  type ClassDecl,
  type FunctionDecl,
  LuaFunction,
  methodsOf,
  optional,
  param,
} from "../declare.ts";
import { refuseObjects } from "./input.ts";
import { progressTable } from "./progress.ts";
import { workflowTable } from "./result.ts";
import { executeWorkflow, startInBackground } from "./run.ts";

const { wait } = methodsOf<Workflow>();

const Input = optional(
  "input",
  AnyValue,
  "A table: `text` (or `input`) is the run's text, every field is there as `{{input.FIELD}}`; or a string: the text",
);
const Options = optional(
  "options",
  AnyTable,
  "`{run_id?, durable?, on_progress? = function(progress)}`: with a run id the run is durable, and one that stopped goes on",
);
const Step = param("step", Type.String(), "The step's name");

const callback = (
  doc: string,
  argument: string,
  take: (workflow: Workflow, fn: ScriptFunction) => void,
): FunctionDecl =>
  wait({
    doc: `${doc} Functions set before stay.`,
    params: [param("fn", LuaFunction, argument)],
    returns: "{message, workflow_id, hook_type}",
    handler: ({ self }, fn) => {
      take(self, fn);
      return { message: "Callback registered", workflow_id: self.id, hook_type: argument.split(":")[0]! };
    },
  });

async function state({ services }: CallContext<Workflow>) {
  return services.state();
}

const scopeOf = ({ self }: CallContext<Workflow>): string => `workflow:${self.id}`;

export const workflowClass: ClassDecl = {
  name: "WorkflowObject",
  doc: "A workflow. Fields: `id`, `name`, `type`.",
  fields: ({ id, definition }: Workflow) => ({ id, name: definition.name, type: definition.type }),
  methods: {
    execute: wait({
      doc: "Runs it and gives the result. Raises `Workflow execution error: …` when it fails; with the error strategy `continue`, failed steps are told in the result.",
      params: [Input, Options],
      returns:
        "{success, status, text, output, error?, outputs, steps, agent_outputs, execution_id, workflow_type, workflow_name, execution_time_ms, run_id?, metadata = {execution_time_ms, extra}}",
      aliases: ["run"],
      handler: (ctx, input, options) => executeWorkflow(ctx, ctx.self, input as ScriptValue, options),
    }),
    execute_async: wait({
      doc: "Begins a run in the background. The function gets the result when it has ended, `{success = false, error}` where it failed. The end of the script ends the run.",
      params: [Input, optional("callback", AnyValue, "`function(result)`"), Options],
      returns: "WorkflowRun",
      handler: (ctx, input, fn, options) => {
        if (fn !== undefined && fn !== null && !isScriptFunction(fn))
          throw new SpellError(
            "invalid_argument",
            'Cannot call WorkflowObject:execute_async: "callback" must be a function',
          );
        const called = isScriptFunction(fn) ? fn : undefined;
        return startInBackground(ctx, ctx.self, input as ScriptValue, called, options);
      },
    }),
    get_info: wait({
      doc: "What it is.",
      params: [],
      returns: "{id, name, type, description}",
      handler: ({ self: { id, definition } }) => {
        const { name, type, description } = definition;
        return { id, name, type, description };
      },
    }),
    set_shared_data: wait({
      doc: "Sets a value that conditions and placeholders of this workflow can name, and those of workflows within it.",
      params: [param("key", Type.String(), "Its name"), optional("value", AnyValue, "The value")],
      returns: "nil",
      handler: async ({ self }, key, value) => {
        refuseObjects(value, key);
        await self.share(key, value ?? null);
        return null;
      },
    }),
    get_shared_data: wait({
      doc: "A value that `set_shared_data` has set, or nil.",
      params: [param("key", Type.String(), "Its name")],
      returns: "any",
      handler: ({ self }, key) => self.shared.get(key) ?? null,
    }),
    get_state: wait({
      doc: "A value that the workflow keeps in the state, or nil.",
      params: [param("key", Type.String(), "Its name")],
      returns: "any",
      handler: async (ctx, key) => (await (await state(ctx)).load(scopeOf(ctx), key)) ?? null,
    }),
    set_state: wait({
      doc: "Keeps a value in the state, under `workflow:ID:KEY`.",
      params: [param("key", Type.String(), "Its name"), optional("value", AnyValue, "The value")],
      returns: "true",
      handler: async (ctx, key, value) => {
        await (await state(ctx)).save(scopeOf(ctx), key, value ?? null, { correlationId: ctx.run.id });
        return true;
      },
    }),
    on_before_execute: callback(
      "Called with the input before a run; what it raises refuses the run.",
      "before_execute: function(input)",
      (workflow, fn) => workflow.on("before", (input) => fn.call(input as ScriptValue)),
    ),
    on_after_execute: callback(
      "Called with the result after a run that did not fail.",
      "after_execute: function(result)",
      (workflow, fn) => workflow.on("after", (result) => fn.call(workflowTable(result))),
    ),
    on_error: callback(
      "Called with the message when a run fails.",
      "error: function(message)",
      (workflow, fn) => workflow.on("error", (message) => fn.call(message)),
    ),
    on_progress: callback(
      "Called for what happens during a run, in order: `{type = workflow_started | step_started | step_completed | step_failed | step_skipped | step_restored | iteration_started | branch_selected | workflow_completed | workflow_failed, workflow, execution_id, step?, path?, index?, retry_attempt?, duration_ms?, output?, error?}`.",
      "progress: function(progress)",
      (workflow, fn) => workflow.on("progress", (progress) => fn.call(progressTable(progress))),
    ),
    get_output: wait({
      doc: "What a step of the last run gave, or nil. Raises before a run.",
      params: [Step],
      returns: "any",
      handler: ({ self }, step) => self.outputs().get(step) ?? null,
    }),
    get_all_outputs: wait({
      doc: "What the steps of the last run gave, by name. Raises before a run.",
      params: [],
      returns: "map of step to output",
      handler: ({ self }) => Object.fromEntries(self.outputs()),
    }),
    list_outputs: wait({
      doc: "The steps of the last run that gave something, sorted. Raises before a run.",
      params: [],
      returns: "string[]",
      handler: ({ self }) => [...self.outputs().keys()].sort(),
    }),
    clear_outputs: wait({
      doc: "Forgets what the steps of the last run gave.",
      params: [],
      returns: "{deleted}",
      handler: ({ self }) => ({ deleted: self.clearOutputs() }),
    }),
    get_execution_id: wait({
      doc: "The id of the last run. Raises before one.",
      params: [],
      returns: "string",
      handler: ({ self }) => self.executionId,
    }),
    emit: wait({
      doc: "Publishes an event about the workflow.",
      params: [param("event", Type.String(), "The event's type"), optional("data", AnyValue, "Its data")],
      returns: "{success, workflow_id, event_name}",
      handler: async ({ self, services, run }, event, data) => {
        const { id, definition } = self;
        const outcome = (await services.events()).publish({
          type: event,
          data: { workflow_id: id, workflow_name: definition.name, data: data ?? null },
          language: "lua",
          source: "workflow",
          correlationId: run.id,
        });
        return { success: outcome === "accepted", workflow_id: id, event_name: event };
      },
    }),
    debug: wait({
      doc: "What is known of it, for people.",
      params: [],
      returns: "{workflow_id, name, type, status, runtime = {created_at, state_keys}}",
      handler: async (ctx) => {
        const { id, definition, createdAtMs, status } = ctx.self;
        const { enabled } = ctx.services.config.current.runtime.state_persistence;
        const keys = enabled ? await (await state(ctx)).keys(scopeOf(ctx)) : [];
        const runtime = { created_at: new Date(createdAtMs).toISOString(), state_keys: keys };
        return { workflow_id: id, name: definition.name, type: definition.type, status, runtime };
      },
    }),
    validate: wait({
      doc: "What would hinder a run now, nested workflows included: tools, agents, workflows and steps that are not there, a workflow that is a step of itself.",
      params: [],
      returns: "{valid, workflow_id, warnings, errors}",
      handler: async ({ self }) => {
        const { errors, warnings } = await self.problems();
        return { valid: errors.length === 0, workflow_id: self.id, warnings, errors };
      },
    }),
    get_metrics: wait({
      doc: "Counts and times of its runs.",
      params: [],
      returns:
        "{workflow_id, execution = {total_executions, successful_executions, failed_executions, average_duration_ms, last_execution_time?}}",
      handler: ({ self }) => {
        const { total, successful, failed, averageDurationMs, lastExecutionMs } = self.metrics;
        const execution = {
          total_executions: total,
          successful_executions: successful,
          failed_executions: failed,
          average_duration_ms: averageDurationMs,
          last_execution_time: lastExecutionMs === undefined ? null : new Date(lastExecutionMs).toISOString(),
        };
        return { workflow_id: self.id, execution };
      },
    }),
    get_status: wait({
      doc: "How its last run stands.",
      params: [],
      returns:
        "{state = pending | running | completed | partially_completed | failed | cancelled | interrupted}",
      handler: ({ self }) => ({ state: self.status, workflow_id: self.id }),
    }),
  },
};
