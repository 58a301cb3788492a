/** Runs the hooks of a point one after another and folds what they say. */
import { nowMs, randomId } from "../core/clock.ts";
import { currentCorrelation } from "../core/correlation.ts";
import { isPlainObject } from "../core/values.ts";
import type { Executor } from "./executor.ts";
import type { Hook } from "./registry.ts";
import type { ForkedOperation, HookComponent, HookContext, HookResult } from "./service.ts";

type Of<T extends HookResult["type"]> = Extract<HookResult, { type: T }>;

export interface ChainInput {
  point: string;
  component: HookComponent;
  data: Record<string, unknown>;
  /** Built-in hooks leave notes in it, for the hooks after them. */
  metadata?: Record<string, string> | undefined;
  correlationId?: string | undefined;
  signal?: AbortSignal | undefined;
  identity?: (() => string) | undefined;
}

/** What settles an operation: no further hook is asked. */
export type Decision = Of<"cancel" | "replace" | "redirect" | "skipped">;

/** What the hooks of a point said together. */
export interface Folded {
  /** The operation's data as they left it. */
  data: Record<string, unknown>;
  /** The fields that they changed. */
  changed: Record<string, unknown>;
  decision?: { result: Decision; hook: Hook };
  /** The last one asked for. */
  retry?: Of<"retry">;
  cache?: { cache: Of<"cache">; hook: Hook };
  forks: readonly { operation: ForkedOperation; hook: Hook }[];
  /** Those that ran. */
  ran: Hook[];
}

/**
 * Modified data goes to the next hook: a table's fields take the place of the operation's, the others stay. A decision
 * ends the chain. Retry, fork and cache are kept and the chain goes on.
 */
export function runChain(
  hooks: readonly Hook[],
  input: ChainInput,
  executor: Executor,
): Folded | Promise<Folded> {
  const context = makeContext(input);
  executor.tellBatch(context, hooks.length, undefined);
  const folded: Folded = { data: input.data, changed: UNCHANGED, forks: NO_FORKS, ran: [] };
  return runFrom(0, { hooks, context, folded, signal: input.signal, executor });
}

const UNCHANGED: Record<string, unknown> = Object.freeze({});
const NO_FORKS: Folded["forks"] = [];

interface Run {
  hooks: readonly Hook[];
  context: Context;
  folded: Folded;
  signal: AbortSignal | undefined;
  executor: Executor;
}

/** Built-in hooks answer at once: only where one does not is there anything to wait for. */
function runFrom(first: number, run: Run): Folded | Promise<Folded> {
  const { hooks, context, folded, executor } = run;
  let startMs: number | undefined;
  for (let i = first; i < hooks.length; i++) {
    const hook = hooks[i]!;
    context.data = folded.data;
    if (!executor.admits(hook, context)) continue;
    folded.ran.push(hook);
    const result = executor.run(hook, context, run.signal, startMs);
    if (result instanceof Promise)
      return result.then((later) => (take(folded, later, hook) ? end(run) : runFrom(i + 1, run)));
    startMs = executor.endedMs;
    if (take(folded, result, hook)) break;
  }
  return end(run);
}

function end({ hooks, context, folded, executor }: Run): Folded {
  executor.tellBatch(context, hooks.length, folded.ran.length);
  return folded;
}

/** @returns whether the chain ends here */
function take(folded: Folded, result: HookResult, hook: Hook): boolean {
  switch (result.type) {
    case "continue":
      return false;
    case "modified":
      if (!isPlainObject(result.data)) return false;
      folded.changed = { ...folded.changed, ...result.data };
      folded.data = { ...folded.data, ...result.data };
      return false;
    case "retry":
      folded.retry = result;
      return false;
    case "cache":
      folded.cache = { cache: result, hook };
      return false;
    case "fork":
      folded.forks = [...folded.forks, ...result.operations.map((operation) => ({ operation, hook }))];
      return false;
    default:
      folded.decision = { result, hook };
      return true;
  }
}

/** The one result that stands for what the hooks of a point said. */
export function asResult({ decision, changed, data, retry, forks, cache }: Folded): HookResult {
  if (decision !== undefined) return decision.result;
  if (retry !== undefined) return retry;
  if (forks.length > 0) return { type: "fork", operations: forks.map(({ operation }) => operation) };
  if (cache !== undefined) return cache.cache;
  return changed !== UNCHANGED && Object.keys(changed).length > 0
    ? { type: "modified", data }
    : { type: "continue" };
}

type Context = { -readonly [K in keyof HookContext]: HookContext[K] };

const noIdentity = () => "";

export function makeContext(input: ChainInput): Context {
  const { point, component, data, metadata = {}, identity = noIdentity } = input;
  const correlationId = input.correlationId ?? currentCorrelation() ?? randomId();
  return { point, component, data, metadata, correlationId, timestampMs: nowMs(), identity };
}
