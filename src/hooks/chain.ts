/** Runs the hooks of a point one after another and folds what they say. */
import { randomUUID } from "node:crypto";
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
  forks: { operation: ForkedOperation; hook: Hook }[];
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
  const folded: Folded = { data: input.data, changed: {}, forks: [], ran: [] };
  const context = makeContext(input);
  executor.tellBatch(context, hooks.length, undefined);
  const end = (): Folded => {
    executor.tellBatch(context, hooks.length, folded.ran.length);
    return folded;
  };
  /** Built-in hooks answer at once: only where one does not is there anything to wait for. */
  const from = (first: number): Folded | Promise<Folded> => {
    for (let i = first; i < hooks.length; i++) {
      const hook = hooks[i]!;
      context.data = folded.data;
      if (!executor.admits(hook, context)) continue;
      folded.ran.push(hook);
      const result = executor.run(hook, context, input.signal);
      if (result instanceof Promise)
        return result.then((later) => (take(folded, later, hook) ? end() : from(i + 1)));
      if (take(folded, result, hook)) break;
    }
    return end();
  };
  return from(0);
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
      for (const operation of result.operations) folded.forks.push({ operation, hook });
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
  return Object.keys(changed).length > 0 ? { type: "modified", data } : { type: "continue" };
}

function makeContext(input: ChainInput) {
  const { point, component, data, metadata = {}, identity = () => "" } = input;
  return {
    point,
    component,
    data,
    metadata,
    correlationId: input.correlationId ?? currentCorrelation() ?? randomUUID(),
    timestampMs: Date.now(),
    identity,
  } satisfies HookContext as { -readonly [K in keyof HookContext]: HookContext[K] };
}
