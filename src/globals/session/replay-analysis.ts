/** What a recording tells without being replayed: spec/kernel.md section 16. */
import { Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import type { RecordedStep } from "../../sessions/replay/service.ts";
import { AnyValue, type CallContext, type FunctionDecl, optional, param, wait } from "../declare.ts";

const ID = param("id", Type.String(), "Id of the session");
const moment = (name: string) => param(name, AnyValue, "The number of a step, or a time (RFC 3339)");

async function stepsOf(ctx: CallContext, id: string): Promise<RecordedStep[]> {
  return (await ctx.services.sessions()).replay.steps(id);
}

const analysis = () => import("../../sessions/replay/analysis.ts");

/** @throws SpellError invalid_argument */
function momentOf(call: string, value: unknown): { step: number } | { atMs: number } {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return { step: value };
  const atMs = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (!Number.isNaN(atMs)) return { atMs };
  throw new SpellError(
    "invalid_argument",
    `Cannot call ${call}: a moment must be the number of a step or a time (RFC 3339): ${String(value)}`,
  );
}

export const replayAnalysis: Record<string, FunctionDecl> = {
  replay_timeline: wait({
    doc: "What the session recorded, in its order, without inputs and outputs.",
    params: [ID],
    returns:
      "array of {step, timestamp, offset_ms, kind, hook_name, duration_ms, success, error, correlation_id}",
    handler: async (ctx, id) => (await analysis()).timelineOf(await stepsOf(ctx, id)),
  }),
  state_at: wait({
    doc: "The values that the recorded changes had left at a moment, by key: `session:KEY` of the session, `SCOPE:KEY` of State; secrets are hidden.",
    params: [ID, moment("moment")],
    returns: "table by key",
    handler: async (ctx, id, value) => {
      const until = momentOf("Session.state_at", value);
      return (await analysis()).stateAt(await stepsOf(ctx, id), until);
    },
  }),
  compare_states: wait({
    doc: "How the values at two moments differ.",
    params: [ID, moment("a"), moment("b")],
    returns: "{identical, similarity_score, summary, differences}",
    handler: async (ctx, id, a, b) => {
      const [from, to] = [a, b].map((value) => momentOf("Session.compare_states", value));
      const { stateAt } = await analysis();
      const { compareJson } = await import("../../core/compare-json.ts");
      const steps = await stepsOf(ctx, id);
      return compareJson(stateAt(steps, from!), stateAt(steps, to!));
    },
  }),
  compare_steps: wait({
    doc: "How the recorded results of two steps differ.",
    params: [ID, param("a", Type.Integer(), "A step"), param("b", Type.Integer(), "Another step")],
    returns: "{identical, similarity_score, summary, differences}",
    handler: async (ctx, id, a, b) => (await analysis()).compareSteps(await stepsOf(ctx, id), a, b),
  }),
  analyze_errors: wait({
    doc: "Which recorded steps failed, counted.",
    params: [ID],
    returns: "{total_steps, total_errors, error_rate, by_hook, by_kind, by_error, first, last}",
    handler: async (ctx, id) => (await analysis()).errorsOf(await stepsOf(ctx, id)),
  }),
  export_replay: wait({
    doc: "The recording as a text: `json` with inputs and outputs, `csv` the timeline alone.",
    params: [
      ID,
      optional("format", Type.Union([Type.Literal("json"), Type.Literal("csv")]), "Default `json`"),
    ],
    returns: "string",
    handler: async (ctx, id, format) =>
      (await analysis()).exportSteps(await stepsOf(ctx, id), format ?? "json"),
  }),
};
