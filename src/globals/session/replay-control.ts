/** A replay while it goes on: spec/kernel.md section 16. */
import { Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import { Handle, type ScriptValue } from "../../core/values.ts";
import {
  BREAKPOINT_TYPES,
  type ReplayBreakpoint,
  type ReplayControl,
  type StartOptions,
} from "../../sessions/replay/service.ts";
import { flag, integer, number, present, type Table, table, text } from "../agent/fields.ts";
import { AnyTable, type ClassDecl, type FunctionDecl, methodsOf, optional, param, wait } from "../declare.ts";
import { replayOptions } from "./replay-options.ts";

const { wait: method } = methodsOf<ReplayControl>();

const PROGRESS =
  "{replay_id, session_id, state, total_hooks, hooks_completed, current_hook, start_time, estimated_time_remaining, speed_multiplier, active_breakpoints, progress_percentage, stopped_at, error}";
const BREAKPOINT =
  '`{type = "hook_execution", hook}` (before each such step), `{type = "timestamp", at}` (RFC 3339), `{type = "on_error"}`, ' +
  '`{type = "session_state", key, value}` (after the step that left it), `{type = "hook_count", count}`';

/** @throws SpellError invalid_argument */
function breakpointOf(given: Table | undefined): ReplayBreakpoint {
  const wrong = (rule: string, value: unknown) =>
    new SpellError("invalid_argument", `Invalid breakpoint: ${rule}: ${String(value)}`);
  switch (given?.type) {
    case "hook_execution": {
      const hook = text(given.hook);
      if (hook === undefined) throw wrong('"hook" must be the name of a step', given.hook);
      return { type: "hook_execution", hook };
    }
    case "timestamp": {
      const atMs = Date.parse(text(given.at) ?? "");
      if (Number.isNaN(atMs)) throw wrong('"at" must be a time (RFC 3339)', given.at);
      return { type: "timestamp", atMs };
    }
    case "on_error":
      return { type: "on_error" };
    case "session_state": {
      const key = text(given.key);
      if (key === undefined) throw wrong('"key" must be a string', given.key);
      return { type: "session_state", key, value: given.value ?? null };
    }
    case "hook_count": {
      const count = integer(given.count);
      if (count === undefined || count < 1)
        throw wrong('"count" must be a whole number, at least 1', given.count);
      return { type: "hook_count", count };
    }
    default:
      throw wrong(`"type" must be one of ${BREAKPOINT_TYPES.join(", ")}`, given?.type);
  }
}

function startOptions(given: Table): StartOptions {
  const breakpoints: ScriptValue[] = Array.isArray(given.breakpoints) ? given.breakpoints : [];
  return {
    ...replayOptions(given),
    ...present<StartOptions>({
      speed: number(given.speed),
      paused: flag(given.paused),
      breakpoints: breakpoints.map((one) => breakpointOf(table(one))),
    }),
  };
}

export const startReplay: FunctionDecl = wait({
  doc: "Begins a replay that goes on beside the script and can be controlled. It ends with the script's run. At most ten go on at once.",
  params: [
    param("id", Type.String(), "Id of the session"),
    optional(
      "options",
      AnyTable,
      `As of \`replay\`, and \`speed\` (0.1 to 10 times the recorded time; nil: no waiting), \`paused\` (begins paused), \`breakpoints\`: ${BREAKPOINT}`,
    ),
  ],
  returns: "ReplayControl",
  handler: async (ctx, id, options) => {
    const { replay } = await ctx.services.sessions();
    const control = await replay.start(id, { ...startOptions(options ?? {}), signal: ctx.run.signal });
    return new Handle<ReplayControl>("ReplayControl", control);
  },
});

const changes = (doc: string, change: (replay: ReplayControl) => void): FunctionDecl =>
  method({
    doc: `${doc} Raises once the replay has ended.`,
    params: [],
    returns: "nil",
    handler: ({ self }) => {
      change(self);
      return null;
    },
  });

export const replayControlClass: ClassDecl = {
  name: "ReplayControl",
  doc: "A replay while it goes on.",
  methods: {
    pause: changes("Pauses before the next step.", (replay) => replay.pause()),
    resume: changes("Goes on.", (replay) => replay.resume()),
    step: method({
      doc: "Runs one step of a paused replay, whatever breakpoint stands before it. Raises where it is not paused.",
      params: [],
      returns: "the step, as in the result; nil where none was left",
      handler: async ({ self }) => (await self.step()) ?? null,
    }),
    stop: method({
      doc: "Ends it; `result` then holds the steps so far.",
      params: [],
      returns: "nil",
      handler: ({ self }) => {
        self.stop();
        return null;
      },
    }),
    set_speed: method({
      doc: "How fast the recorded time passes, 0.1 to 10; nil waits for nothing. Raises once the replay has ended.",
      params: [optional("speed", Type.Number(), "Times the recorded speed")],
      returns: "nil",
      handler: ({ self }, speed) => {
        self.setSpeed(speed ?? undefined);
        return null;
      },
    }),
    faster: method({
      doc: "Half a unit faster, at most 10.",
      params: [],
      returns: "the new speed",
      handler: ({ self }) => self.changeSpeed(1),
    }),
    slower: method({
      doc: "Half a unit slower, at least 0.1.",
      params: [],
      returns: "the new speed",
      handler: ({ self }) => self.changeSpeed(-1),
    }),
    add_breakpoint: method({
      doc: "Pauses there from now on.",
      params: [param("breakpoint", AnyTable, BREAKPOINT)],
      returns: "id of the breakpoint",
      handler: ({ self }, given) => self.addBreakpoint(breakpointOf(given)),
    }),
    remove_breakpoint: method({
      doc: "Takes a breakpoint away.",
      params: [param("id", Type.String(), "Id of the breakpoint")],
      returns: "boolean: false where there is none",
      handler: ({ self }, id) => self.removeBreakpoint(id),
    }),
    progress: method({
      doc: "How it gets on. `state` is `running`, `paused`, `completed`, `failed` or `cancelled`; `estimated_time_remaining` is seconds.",
      params: [],
      returns: PROGRESS,
      handler: ({ self }) => self.progress(),
    }),
    wait: method({
      doc: "Waits until it is paused or has ended.",
      params: [optional("timeout_ms", Type.Number(), "The longest wait, in milliseconds")],
      returns: PROGRESS,
      handler: async ({ self }, timeoutMs) => {
        await self.settled(timeoutMs ?? undefined);
        return self.progress();
      },
    }),
    result: method({
      doc: "Waits for the end. Raises while it is paused, and what made it fail.",
      params: [],
      returns: "as of `Session.replay`",
      handler: ({ self }) => self.result(),
    }),
  },
};
