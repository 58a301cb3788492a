/** Replays of sessions: spec/lua-api.md section 5, agents-workflows-rag.md section 10.2. */
import { Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import type { ReplaySchedule } from "../../sessions/replay/service.ts";
import { number, present, type Table, text } from "../agent/fields.ts";
import { AnyTable, type FunctionDecl, optional, param, wait } from "../declare.ts";
import { replayAnalysis } from "./replay-analysis.ts";
import { startReplay } from "./replay-control.ts";
import { positive, replayOptions } from "./replay-options.ts";

const ID = param("id", Type.String(), "Id of the session");
const OPTIONS = optional(
  "options",
  AnyTable,
  '`mode` (`exact`, `modified`, `simulate`, `debug`), `run` (kinds that run again whatever the mode: `"all"`, or a list of `tool`, `model`, `hook`, `event`), `compare_results` (true), `timeout_seconds` (300), ' +
    "`stop_on_error` (false), `metadata`, `from_step`, `to_step`, `target_timestamp` (the last moment that counts, RFC 3339), `modifications` (`{path, value, enabled, step}` each); " +
    "or a configuration of `Replay.create_config`",
);

/** A schedule of `Replay.schedules`. @throws SpellError invalid_argument */
function scheduleOf(given: Table): ReplaySchedule {
  const seconds = (field: string, least: number): number => {
    const value = number(given[field]);
    if (value !== undefined && value >= least) return value;
    throw new SpellError(
      "invalid_argument",
      `Invalid schedule: "${field}" must be a number of seconds, at least ${least}: ${String(given[field])}`,
    );
  };
  switch (given.type) {
    case "once":
      return { type: "once", delaySeconds: seconds("delay_seconds", 0) };
    case "interval":
      return present<Extract<ReplaySchedule, { type: "interval" }>>({
        type: "interval",
        initialSeconds: seconds("initial_seconds", 0),
        intervalSeconds: seconds("interval_seconds", 0.1),
        most: positive(given.max_executions),
      });
    case "cron":
      return { type: "cron", expression: text(given.expression) ?? "" };
    default:
      throw new SpellError(
        "invalid_argument",
        `Invalid schedule: "type" must be once, interval or cron: ${String(given.type)}`,
        { hint: "Make it with Replay.schedules" },
      );
  }
}

export const replays: Record<string, FunctionDecl> = {
  can_replay: wait({
    doc: "Whether the session has been saved and has recorded something.",
    params: [ID],
    returns: "boolean",
    handler: async (ctx, id) => (await ctx.services.sessions()).replay.canReplay(id),
  }),
  replay: wait({
    doc:
      "Does what the session recorded once more. Tools that only compute run again, all else is told from the recording; " +
      "with `run` every tool, model, hook or event does (a model is asked again, a hook's function is called, an event is " +
      "delivered once more), and in `modified` mode every step of these kinds whose input a modification changed. Raises " +
      "`No hook executions found for session` where nothing was recorded.",
    params: [ID, OPTIONS],
    returns:
      "{session_id, correlation_id, start_time, total_duration, hooks_replayed, successful_replays, failed_replays, metadata, mode, steps_run, mismatches, steps}",
    handler: async (ctx, id, options) =>
      (await ctx.services.sessions()).replay.replay(id, {
        ...replayOptions(options ?? {}),
        signal: ctx.run.signal,
      }),
  }),
  start_replay: startReplay,
  get_replay_metadata: wait({
    doc: "What the session has recorded, in figures. Durations are seconds.",
    params: [ID],
    returns:
      "{session_id, correlation_id, total_hooks, first_hook_timestamp, last_hook_timestamp, total_duration, can_replay}",
    handler: async (ctx, id) => (await ctx.services.sessions()).replay.metadata(id),
  }),
  list_replayable: wait({
    doc: "The sessions that can be replayed.",
    params: [],
    returns: "array of ids",
    handler: async (ctx) => (await ctx.services.sessions()).replay.replayable(),
  }),
  get_replay_status: wait({
    doc: "How the last replay of the session got on; nil where this process had none.",
    params: [ID],
    returns: "{session_id, state, start_time, hooks_processed, total_hooks, current_hook, error} or nil",
    handler: async (ctx, id) => (await ctx.services.sessions()).replay.status(id) ?? null,
  }),
  schedule_replay: wait({
    doc: "Replays the session at times to come, while this process lives.",
    params: [ID, param("schedule", AnyTable, "A schedule of `Replay.schedules`"), OPTIONS],
    returns: "id of the schedule",
    handler: async (ctx, id, schedule, options) =>
      (await ctx.services.sessions()).replay.schedule(id, scheduleOf(schedule), replayOptions(options ?? {})),
  }),
  list_scheduled_replays: wait({
    doc: "The schedules of this process, and how their last replays ended.",
    params: [],
    returns: "array of {id, session_id, type, next_run, runs, last}",
    handler: async (ctx) => (await ctx.services.sessions()).replay.scheduled(),
  }),
  cancel_replay: wait({
    doc: "Takes a schedule away.",
    params: [param("schedule_id", Type.String(), "Id of the schedule")],
    returns: "boolean: false where there is none",
    handler: async (ctx, id) => (await ctx.services.sessions()).replay.cancel(id),
  }),
  ...replayAnalysis,
};
