/** Script functions that are called for events: `Event.on`. */
import { messageOf, SpellError } from "../../core/errors.ts";
import type { ScriptFunction } from "../../core/values.ts";
import type { EventService, SubscribeOptions, Subscription } from "../../events/service.ts";
import type { RunContext } from "../../kernel/services.ts";
import type { CallContext } from "../declare.ts";
import { eventTable } from "./table.ts";

/** What waits for its function, by VM. */
const served = new WeakMap<AbortSignal, Set<Service>>();

interface Service {
  subscription: Subscription;
  /** The function is at work. */
  isBusy: boolean;
  /** Told whenever it has nothing more to do. */
  onIdle: (() => void)[];
}

/** Calls the function for every event, one at a time and in order, while a script runs in its VM. */
export function serve(
  ctx: CallContext,
  events: EventService,
  pattern: string,
  fn: ScriptFunction,
  options: SubscribeOptions,
): Subscription {
  const { vm } = ctx.run;
  const subscription = events.subscribe(pattern, { ...options, owner: vm.ended, isServed: true });
  const service: Service = { subscription, isBusy: false, onIdle: [] };
  const all = served.get(vm.ended) ?? new Set();
  served.set(vm.ended, all.add(service));
  void work(ctx, service, fn).finally(() => {
    all.delete(service);
    rest(service);
    fn.release();
  });
  return subscription;
}

async function work(ctx: CallContext, service: Service, fn: ScriptFunction): Promise<void> {
  const { subscription } = service;
  const { vm } = ctx.run;
  while (!subscription.ended.aborted) {
    const received = await subscription.receive(Number.POSITIVE_INFINITY);
    if (received === undefined) return;
    service.isBusy = true;
    await vm.running();
    if (subscription.ended.aborted) return;
    try {
      await fn.call(eventTable(received.event, received.missed, subscription.language));
    } catch (error) {
      if (vm.ended.aborted) return;
      // Interrupted: its script has ended or was stopped, which is no fault of the function.
      if (!(error instanceof SpellError && error.code === "interrupted"))
        ctx.services.log.warn("event", "a function for events failed", {
          pattern: subscription.pattern,
          event_type: received.event.type,
          reason: messageOf(error),
        });
    }
    if (subscription.queued === 0) rest(service);
  }
}

function rest(service: Service): void {
  service.isBusy = false;
  for (const tell of service.onIdle.splice(0)) tell();
}

/**
 * Waits until the functions of this VM have seen what was published so far.
 * @returns false when that takes longer
 */
export async function callbacksDone(run: RunContext, timeoutMs: number): Promise<boolean> {
  const busy = [...(served.get(run.vm.ended) ?? [])].filter(
    ({ isBusy, subscription }) => isBusy || subscription.queued > 0,
  );
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), Math.min(timeoutMs, 2 ** 31 - 1));
  const stop = () => late.reject(run.signal.reason);
  run.signal.addEventListener("abort", stop, { once: true });
  try {
    const done = Promise.all(
      busy.map((service) => new Promise<void>((resolve) => service.onIdle.push(resolve))),
    );
    return await Promise.race([done.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
    run.signal.removeEventListener("abort", stop);
  }
}
