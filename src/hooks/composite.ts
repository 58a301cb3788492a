/** Hooks made of hooks: spec/kernel.md section 17.4. */
import { isPlainObject } from "../core/values.ts";
import type { HookContext, HookFunction, HookResult } from "./service.ts";

export type Pattern = "sequential" | "parallel" | "first_match" | "voting";
export type TieBreak = "first_result" | "prefer_continue" | "prefer_action" | "by_priority";

export interface CompositeOptions {
  /** Voting: the share of votes that a result needs. Default 0.5. */
  threshold?: number;
  /** Voting: what counts among equals. Default `first_result`. */
  tie?: TieBreak;
  /** Voting with `by_priority`: a number for each hook, smaller first. Default: their order. */
  priorities?: readonly number[];
}

const CONTINUE: HookResult = { type: "continue" };

export function compositeHook(
  pattern: Pattern,
  hooks: readonly HookFunction[],
  options: CompositeOptions = {},
): HookFunction {
  switch (pattern) {
    case "sequential":
      return (context) => inOrder(context, hooks);
    case "parallel":
      return async (context) => merged(await askAll(context, hooks));
    case "first_match":
      return (context) => firstMatch(context, hooks);
    case "voting":
      return async (context) => vote(await askAll(context, hooks), options);
  }
}

/** Each sees the data as those before it left it; the first that says more than `modified` ends it. */
async function inOrder(context: HookContext, hooks: readonly HookFunction[]): Promise<HookResult> {
  let { data } = context;
  for (const hook of hooks) {
    const result = (await hook({ ...context, data })) ?? CONTINUE;
    if (result.type === "modified" && isPlainObject(result.data)) data = { ...data, ...result.data };
    else if (result.type !== "continue") return result;
  }
  return data === context.data ? CONTINUE : { type: "modified", data };
}

async function firstMatch(context: HookContext, hooks: readonly HookFunction[]): Promise<HookResult> {
  for (const hook of hooks) {
    const result = (await hook(context)) ?? CONTINUE;
    if (result.type !== "continue") return result;
  }
  return CONTINUE;
}

function askAll(context: HookContext, hooks: readonly HookFunction[]): Promise<HookResult[]> {
  return Promise.all(hooks.map(async (hook) => (await hook(context)) ?? CONTINUE));
}

/** All were asked about the same data: the first that says more than `modified` counts, else every change. */
function merged(results: readonly HookResult[]): HookResult {
  let changed: Record<string, unknown> | undefined;
  for (const result of results) {
    if (result.type === "modified") {
      if (isPlainObject(result.data)) changed = { ...changed, ...result.data };
    } else if (result.type !== "continue") return result;
  }
  return changed === undefined ? CONTINUE : { type: "modified", data: changed };
}

/** Results of one type are votes for the same; the first of the type that wins counts. Too few votes: continue. */
function vote(
  results: readonly HookResult[],
  { threshold = 0.5, tie = "first_result", priorities }: CompositeOptions,
): HookResult {
  const votes = new Map<HookResult["type"], { count: number; first: number; priority: number }>();
  for (const [i, { type }] of results.entries()) {
    const priority = priorities?.[i] ?? i;
    const known = votes.get(type);
    if (known === undefined) votes.set(type, { count: 1, first: i, priority });
    else {
      known.count++;
      known.priority = Math.min(known.priority, priority);
    }
  }
  const most = Math.max(0, ...[...votes.values()].map(({ count }) => count));
  if (most === 0 || most / results.length < threshold) return CONTINUE;
  const leading = [...votes].filter(([, { count }]) => count === most);
  if (leading.length > 1 && tie === "prefer_continue" && leading.some(([type]) => type === "continue"))
    return CONTINUE;
  const candidates =
    leading.length > 1 && tie === "prefer_action" ? leading.filter(([type]) => type !== "continue") : leading;
  const order = tie === "by_priority" ? "priority" : "first";
  const [, winner] = candidates.toSorted(([, a], [, b]) => a[order] - b[order])[0]!;
  return results[winner.first]!;
}
