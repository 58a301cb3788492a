/** One operation between its hooks: every result of theirs has its effect here. */
import { randomId, steadyMs } from "../core/clock.ts";
import { currentCorrelation } from "../core/correlation.ts";
import { messageOf, SpellError } from "../core/errors.ts";
import type { ChainInput, Decision, Folded } from "./chain.ts";
import { onBehalfOf } from "./executor.ts";
import type { Hook } from "./registry.ts";
import type { ResultCache } from "./result-cache.ts";
import type { Failure, ForkResult, HookedOperation, HookResult } from "./service.ts";
import type { Target, Targets } from "./targets.ts";

export interface AroundOptions {
  /** Undefined where no hook stands there. */
  fold(input: ChainInput): Folded | Promise<Folded> | undefined;
  cache: ResultCache;
  targets: Targets;
  /** Told when it has ended; undefined where nobody wants to know how long it took. */
  ended(): ((hooks: readonly Hook[], operationMs: number) => void) | undefined;
}

type Retry = Extract<HookResult, { type: "retry" }>;
type Cache = Extract<HookResult, { type: "cache" }>;
type Data = Record<string, unknown>;
/** A result that no work was done for. Hooks after an operation that was skipped do not run. */
type Given<T> = { value: T; isSkipped?: boolean };
type After<T> = { folded: Folded | undefined; result: T };
type Next<T> = { value: T } | { retry: Retry };
type Settled<T> = { value: T } | { error: unknown };

export class Around<T> {
  private data: Data;
  private readonly metadata: Record<string, string>;
  private readonly correlationId: string;
  private retry: Retry | undefined;
  private cacheKey: string | undefined;
  private keep: { ttlMs: number; minMs: number } | undefined;
  private forked: Promise<Record<string, ForkResult>> | undefined;
  private readonly ran: Hook[] = [];
  private attempt = 1;

  constructor(
    private readonly operation: HookedOperation<T>,
    private readonly work: (data: Data) => Promise<T> | T,
    private readonly options: AroundOptions,
  ) {
    this.data = operation.data;
    this.metadata = { ...operation.metadata };
    // all its points and attempts are told the same
    this.correlationId = operation.correlationId ?? currentCorrelation() ?? randomId();
  }

  async run(): Promise<T> {
    const ended = this.options.ended();
    const startMs = ended === undefined ? 0 : steadyMs();
    try {
      const before = this.before();
      const given = before instanceof Promise ? await before : before;
      if (given === undefined) return await this.perform();
      if (given.isSkipped) return given.value;
      return (await this.after(given.value, 0)).result;
    } finally {
      ended?.(this.ran, steadyMs() - startMs);
    }
  }

  /** @returns the result where a hook before the operation has given it */
  private before(): Given<T> | undefined | Promise<Given<T> | undefined> {
    const folded = this.fold(this.operation.before, this.data);
    return folded instanceof Promise
      ? folded.then((later) => this.heedBefore(later))
      : this.heedBefore(folded);
  }

  private heedBefore(folded: Folded | undefined): undefined | Promise<Given<T> | undefined> {
    if (folded === undefined) return undefined;
    this.data = folded.data;
    this.retry = folded.retry;
    if (folded.forks.length > 0) this.forked = this.fork(folded.forks);
    return folded.decision === undefined && folded.cache === undefined ? undefined : this.givenBy(folded);
  }

  private async givenBy(folded: Folded): Promise<Given<T> | undefined> {
    if (folded.decision !== undefined) {
      const value = await this.decide(folded.decision);
      if (value !== undefined) return value;
    }
    if (folded.cache === undefined) return undefined;
    const { cache, hook } = folded.cache;
    this.toBeKept(cache);
    if (cache.storeOnly && cache.orCancel === undefined) return undefined;
    const kept = this.options.cache.get(this.cacheKey!);
    if (kept === undefined) {
      if (cache.orCancel !== undefined) throw cancelled(this.operation, cache.orCancel, hook);
      return undefined;
    }
    this.mark({ cache_hit: "true", cached_at: new Date(kept.cachedAtMs).toISOString() });
    this.cacheKey = undefined;
    return { value: kept.value as T };
  }

  private async perform(): Promise<T> {
    while (true) {
      const startMs = steadyMs();
      let settled: Settled<T>;
      try {
        settled = { value: await this.work(this.data) };
      } catch (error) {
        settled = { error };
      }
      const durationMs = steadyMs() - startMs;
      const failure = this.failureOf(settled);
      const next =
        failure === undefined
          ? this.succeeded((settled as { value: T }).value, durationMs)
          : this.failed(settled, failure, durationMs);
      const again = next instanceof Promise ? await next : next;
      if ("value" in again) return again.value;
      await this.pause(again.retry.delayMs);
      this.attempt++;
    }
  }

  private failureOf(settled: Settled<T>): Failure | undefined {
    if ("value" in settled) return this.operation.failureOf?.(settled.value);
    const { error } = settled;
    return { message: messageOf(error), code: error instanceof SpellError ? error.code : "internal" };
  }

  private async failed(settled: Settled<T>, failure: Failure, durationMs: number): Promise<Next<T>> {
    const { signal, error: point } = this.operation;
    const data = {
      ...this.data,
      ...this.operation.errorData,
      error: failure.message,
      error_code: failure.code ?? null,
      ...("error" in settled ? statusOf(settled.error) : {}),
      duration_ms: durationMs,
      attempt: this.attempt,
    };
    const folded = await this.fold(point, data);
    if (folded?.decision !== undefined) {
      const value = await this.decide(folded.decision);
      if (value !== undefined) return value;
    }
    const retry = folded?.retry ?? this.retry;
    if (retry !== undefined && this.attempt < retry.maxAttempts && !signal?.aborted) return { retry };
    if ("error" in settled) throw settled.error;
    return { value: await this.withForked(settled.value) };
  }

  private succeeded(value: T, durationMs: number): Next<T> | Promise<Next<T>> {
    const after = this.after(value, durationMs);
    return after instanceof Promise
      ? after.then((later) => this.repeatOrKeep(value, durationMs, later))
      : this.repeatOrKeep(value, durationMs, after);
  }

  private repeatOrKeep(value: T, durationMs: number, { folded, result }: After<T>): Next<T> {
    const retry = folded?.retry;
    if (retry !== undefined && this.attempt < retry.maxAttempts && !this.operation.signal?.aborted)
      return { retry };
    if (this.cacheKey !== undefined && durationMs >= this.keep!.minMs)
      this.options.cache.set(this.cacheKey, value, this.keep!.ttlMs);
    return { value: result };
  }

  /** Hooks after an operation see a result that no work was done for all the same. */
  private after(value: T, durationMs: number): After<T> | Promise<After<T>> {
    if (this.forked !== undefined) return this.afterForks(value, durationMs, this.forked);
    return this.heedAfter(value, durationMs, undefined);
  }

  private async afterForks(
    value: T,
    durationMs: number,
    forked: Promise<Record<string, ForkResult>>,
  ): Promise<After<T>> {
    const results = await forked;
    const result = this.operation.attach?.(value, results) ?? value;
    return this.heedAfter(result, durationMs, { fork_results: results });
  }

  private heedAfter(result: T, durationMs: number, more: Data | undefined): After<T> | Promise<After<T>> {
    const { after, resultKey = "result", describe } = this.operation;
    if (after === undefined) return { folded: undefined, result };
    const data = { ...this.data };
    if (describe === undefined) data[resultKey] = result;
    else Object.assign(data, describe(result));
    if (more !== undefined) Object.assign(data, more);
    data.duration_ms = durationMs;
    data.attempt = this.attempt;
    const folded = this.fold(after, data);
    if (folded instanceof Promise) return folded.then((later) => this.changedBy(later, result));
    return this.changedBy(folded, result);
  }

  private changedBy(folded: Folded | undefined, before: T): After<T> | Promise<After<T>> {
    if (folded === undefined) return { folded, result: before };
    const { resultKey = "result" } = this.operation;
    const isChanged = Object.hasOwn(folded.changed, resultKey);
    const result = isChanged ? this.adopt(folded.changed[resultKey], before) : before;
    if (folded.cache !== undefined && this.metadata.cache_hit === undefined)
      this.toBeKept(folded.cache.cache);
    return folded.forks.length === 0 && folded.decision === undefined
      ? { folded, result }
      : this.decidedAfter(folded, result);
  }

  private async decidedAfter(folded: Folded, before: T): Promise<After<T>> {
    let result = before;
    if (folded.forks.length > 0) {
      const results = await this.fork(folded.forks);
      result = this.operation.attach?.(result, results) ?? result;
    }
    const decided = folded.decision === undefined ? undefined : await this.decide(folded.decision);
    return { folded, result: decided === undefined ? result : decided.value };
  }

  /** @returns nothing where the operation goes on as if nothing had been said */
  private async decide({ result, hook }: { result: Decision; hook: Hook }): Promise<Given<T> | undefined> {
    const { operation } = this;
    switch (result.type) {
      case "cancel":
        throw cancelled(operation, result.reason, hook);
      case "skipped":
        return operation.skipped === undefined
          ? undefined
          : { value: operation.skipped(result.reason), isSkipped: true };
      case "replace":
        this.mark({ replaced_by: hook.name });
        return { value: this.adopt(result.data) };
      case "redirect":
        this.mark({ redirected_to: result.target });
        return { value: await onBehalfOf(hook, () => this.redirect(result.target), operation.signal) };
    }
  }

  private async redirect(target: string): Promise<T> {
    const { redirect, component, signal } = this.operation;
    const own = redirect?.(target, this.data);
    if (own !== undefined) return own;
    return this.adopt(await this.options.targets.run(targetOf(target, component.type), this.data, signal));
  }

  private async fork(forks: Folded["forks"]): Promise<Record<string, ForkResult>> {
    const { signal } = this.operation;
    const results: Record<string, ForkResult> = {};
    await Promise.all(
      forks.map(async ({ operation: { id, operationType, parameters }, hook }) => {
        try {
          const run = async () => this.options.targets.fork(operationType, parameters, signal);
          results[id] = { success: true, result: await onBehalfOf(hook, run, signal) };
        } catch (error) {
          results[id] = { success: false, error: messageOf(error) };
        }
      }),
    );
    return results;
  }

  private async withForked(value: T): Promise<T> {
    const { attach } = this.operation;
    if (this.forked === undefined || attach === undefined) return value;
    return attach(value, await this.forked);
  }

  private adopt(data: unknown, before?: T): T {
    return this.operation.adopt === undefined ? (data as T) : this.operation.adopt(data, before);
  }

  /** A key counts for one component and one kind of operation. */
  private toBeKept({ key, ttlMs, minMs = 0 }: Cache): void {
    const { component, before } = this.operation;
    this.cacheKey = [component.type, component.name, before, key].join("\0");
    this.keep = { ttlMs, minMs };
  }

  private mark(metadata: Record<string, string>): void {
    Object.assign(this.metadata, metadata);
  }

  private fold(point: string | undefined, data: Data): Folded | undefined | Promise<Folded | undefined> {
    if (point === undefined) return undefined;
    const { component, signal, identity } = this.operation;
    const { metadata, correlationId } = this;
    const input = { point, component, data, metadata, correlationId, signal, identity };
    const folded = this.options.fold(input);
    return folded instanceof Promise ? folded.then((later) => this.note(later)) : this.note(folded);
  }

  private note(folded: Folded | undefined): Folded | undefined {
    if (folded !== undefined) for (const hook of folded.ran) this.ran.push(hook);
    return folded;
  }

  /** @throws the reason of the operation's signal */
  private async pause(delayMs: number): Promise<void> {
    const { signal } = this.operation;
    signal?.throwIfAborted();
    if (delayMs <= 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.min(delayMs, LONGEST_TIMER_MS));
    const stop = () => reject(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    }
  }
}

/** The HTTP status of a provider's failure. */
function statusOf(error: unknown): { error_status?: number } {
  const status = error instanceof SpellError ? error.data.statusCode : undefined;
  return typeof status === "number" ? { error_status: status } : {};
}

/** Beyond it a timer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function targetOf(target: string, type: string): Target {
  const [, kind, name] = /^(tool|agent|workflow):(.+)$/s.exec(target) ?? [];
  if (name !== undefined) return { kind: kind as Target["kind"], name };
  const own = type.toLowerCase();
  return { kind: own === "agent" || own === "workflow" ? own : "tool", name: target };
}

function cancelled<T>({ component }: HookedOperation<T>, reason: string, hook: Hook): SpellError {
  const { type, name } = component;
  return new SpellError(
    "permission_denied",
    `Cannot run ${type.toLowerCase()} "${name}": a hook cancelled it: ${reason}`,
    { data: { hook: hook.name, reason }, hint: "Hook.list() shows the hooks there are" },
  );
}
