/** The hook points of the event bus. The bus is as fast as without them where no hook stands there. */
import { messageOf, SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { isPlainObject } from "../core/values.ts";
import type { EventInput, EventService } from "../events/service.ts";
import { EXECUTOR, isInHook } from "./executor.ts";
import type { HookService } from "./service.ts";

type Publish = EventService["publish"];

/** The events that wait for hooks: those behind them wait too, so that order is kept. */
export class EventHooks {
  private queue: Promise<void> | undefined;
  /** From now on events are sent without asking. */
  private isOver = false;
  private unasked = 0;

  constructor(
    private readonly active: () => HookService | undefined,
    private readonly log: Log,
  ) {}

  /** The same bus, which asks hooks before and after each event, and tells them of subscribers that fail. */
  around<B extends EventService>(bus: B): B {
    const publish = bus.publish.bind(bus);
    const listen = bus.listen.bind(bus);
    const flush = bus.flush.bind(bus);
    const dispose = bus.dispose.bind(bus);
    bus.publish = (input) => this.publish(input, publish);
    bus.listen = (pattern, onEvent) =>
      listen(pattern, (event) => {
        try {
          onEvent(event);
        } catch (error) {
          this.handlerFailed(event, error);
          throw error;
        }
      });
    bus.flush = async () => {
      // a hook cannot wait for itself
      if (!isInHook()) await this.queue;
      await flush();
    };
    bus.dispose = async () => {
      await this.drain();
      await dispose();
    };
    return bus;
  }

  /**
   * Before the scripts end whose functions the hooks are: waits until all events so far have been through their hooks, but
   * not for ever. What then still waits is sent without, and the log tells how many.
   */
  async end(limitMs: number): Promise<void> {
    if (this.queue !== undefined) {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, limitMs);
      await Promise.race([this.queue, late]);
      clearTimeout(timer);
    }
    this.isOver = true;
  }

  private async drain(): Promise<void> {
    while (this.queue !== undefined) await this.queue;
    if (this.unasked === 0) return;
    this.log.warn("event", "events were sent without their hooks, whose scripts had ended", {
      events: this.unasked,
    });
    this.unasked = 0;
  }

  private publish(input: EventInput, publish: Publish): ReturnType<Publish> {
    const hooks = this.active();
    const isOwn = input.source === EXECUTOR;
    const isHooked =
      hooks !== undefined &&
      !isOwn &&
      !this.isOver &&
      (hooks.has("BeforeEventEmit") || hooks.has("AfterEventEmit"));
    if (isOwn || (!isHooked && this.queue === undefined)) return publish(input);
    const before = this.queue ?? Promise.resolve();
    const mine = before.then(async () => {
      if (isHooked && !this.isOver) await emit(hooks, input, publish);
      else {
        if (isHooked) this.unasked++;
        publish(input);
      }
    });
    this.queue = mine;
    void mine.then(() => {
      if (this.queue === mine) this.queue = undefined;
    });
    return "accepted";
  }

  private handlerFailed(
    { type, data, metadata }: { type: string; data: unknown; metadata: { correlationId: string } },
    error: unknown,
  ): void {
    const hooks = this.active();
    if (!hooks?.has("EventHandlerError")) return;
    void hooks.run({
      point: "EventHandlerError",
      component: { type: "System", name: "events" },
      data: { event: { event_type: type, data }, error: messageOf(error) },
      correlationId: metadata.correlationId,
    });
  }
}

/** An event that a hook cancels is not sent. */
async function emit(hooks: HookService, input: EventInput, publish: Publish): Promise<void> {
  const { type, data = null, language = "native", source = null } = input;
  try {
    await hooks.around<void>(
      {
        before: "BeforeEventEmit",
        after: "AfterEventEmit",
        component: { type: "System", name: "events" },
        data: { event: { event_type: type, data, language, source } },
        ...(input.correlationId === undefined ? {} : { correlationId: input.correlationId }),
        describe: () => ({}),
        adopt: () => undefined,
        skipped: () => undefined,
      },
      ({ event }) => {
        const changed = isPlainObject(event) && "data" in event ? { data: event.data } : {};
        publish({ ...input, ...changed });
      },
    );
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
  }
}
