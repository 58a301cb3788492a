import { Type } from "typebox";
import { nowMs } from "../../core/clock.ts";
import { loggable } from "../../debug/loggable.ts";
import type { Timer } from "../../debug/profiler.ts";
import { foldedStacks, jsonReport, memorySnapshot, textReport } from "../../debug/reports.ts";
import {
  AnyValue,
  type ClassDecl,
  type FunctionDecl,
  local,
  lua,
  methodsOf,
  optional,
  param,
} from "../declare.ts";
import { sessionOf } from "./session.ts";

/** A collection cycle is counted by a value that is collected in it and leaves another behind. */
const MEMORY_STATS = `
local host = ...
local collections = 0
local sentinel = {}
sentinel.__gc = function()
  collections = collections + 1
  setmetatable({}, sentinel)
end
setmetatable({}, sentinel)

return function()
  return host.memoryFigures(collections)
end`;

export const timing: Record<string, FunctionDecl> = {
  timer: local({
    doc: "Starts a timer. One that starts while another runs counts as inside it in reports.",
    params: [param("name", Type.String(), "What is timed")],
    returns: "DebugTimer",
    handler: (ctx, name) => {
      const timer = sessionOf(ctx).profiler.start(name, ctx.vm.memory().usedBytes);
      return ctx.create("DebugTimer", timer);
    },
  }),
  recordEvent: local({
    doc: "Notes an event in the report of a running timer.",
    params: [
      param("timer_id", Type.String(), "The timer's `id`"),
      param("name", Type.String(), "What happened"),
      optional("metadata", AnyValue, "A value to show with it"),
    ],
    returns: "boolean: false when no such timer runs",
    handler: (ctx, id, name, metadata) => {
      const { profiler } = sessionOf(ctx);
      return profiler.note(profiler.find(id), "event", name, loggable(metadata ?? undefined));
    },
  }),
  performanceReport: local({
    doc: "A table of all timers for people: counts, totals and percentiles in milliseconds, then events.",
    params: [],
    returns: "string",
    handler: (ctx) => textReport(sessionOf(ctx).profiler),
  }),
  jsonReport: local({
    doc:
      "The same as JSON text: `{timers: [{name, path, count, total_ms, self_ms, mean_ms, min_ms, max_ms, p50_ms, p95_ms, " +
      "p99_ms}], running: [{id, name, elapsed_ms}], events: [{timer_id, timer, kind, name, elapsed_ms, metadata?}]}`.",
    params: [],
    returns: "string",
    handler: (ctx) => jsonReport(sessionOf(ctx).profiler),
  }),
  flameGraph: local({
    doc: "Folded stacks for flame graph programs: one `outer;inner microseconds` line for each nesting of timers.",
    params: [],
    returns: "string",
    handler: (ctx) => foldedStacks(sessionOf(ctx).profiler),
  }),
  memoryStats: lua({
    doc:
      "Memory in bytes: used on the script's heap, held by the script's VM, resident in the whole process; and the " +
      "garbage collection cycles since the first call.",
    params: [],
    returns: "{used_bytes, allocated_bytes, resident_bytes, collections}",
    source: MEMORY_STATS,
  }),
  memoryFigures: local({
    doc: "The figures of memoryStats.",
    params: [param("collections", Type.Integer(), "Cycles counted")],
    returns: "table",
    internal: true,
    handler: (ctx, collections) => {
      const { usedBytes, allocatedBytes } = ctx.vm.memory();
      return {
        used_bytes: usedBytes,
        allocated_bytes: allocatedBytes,
        resident_bytes: process.memoryUsage.rss(),
        collections,
      };
    },
  }),
  memorySnapshot: local({
    doc: "By how much the script's heap has grown since each running timer started.",
    params: [],
    returns:
      "{timestamp_secs, active_trackers, total_memory_delta_bytes?, tracker_memory_usage? = name → {start_bytes, end_bytes, delta_bytes}}",
    handler: (ctx) => memorySnapshot(sessionOf(ctx).profiler.running(), ctx.vm.memory().usedBytes, nowMs()),
  }),
};

const method = methodsOf<Timer>();

export const timerClass: ClassDecl = {
  name: "DebugTimer",
  doc: "A stopwatch. `id` names it for Debug.recordEvent.",
  local: true,
  fields: (timer: Timer) => ({ id: timer.id }),
  methods: {
    stop: method.local({
      doc: "Stops the timer.",
      params: [],
      returns: "number of milliseconds it ran; nil when it was stopped before",
      handler: (ctx) => {
        const ms = ctx.self.stop();
        if (ms !== undefined) sessionOf(ctx).reportIfDue();
        return ms;
      },
    }),
    lap: method.local({
      doc: "Notes the time so far under a name, for the reports.",
      params: [param("name", Type.String(), "The lap's name")],
      returns: "boolean: false when the timer is stopped",
      handler: (ctx, name) => ctx.self.lap(name),
    }),
    elapsed: method.local({
      doc: "Milliseconds since the start.",
      params: [],
      returns: "number; nil when the timer is stopped",
      handler: (ctx) => ctx.self.elapsed(),
    }),
  },
};
