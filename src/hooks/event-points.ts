/** The hook points of the event bus. The bus is as fast as without them where no hook stands there. */
import { messageOf, SpellError } from "../core/errors.ts";
import { isPlainObject } from "../core/values.ts";
import type { EventInput, EventService } from "../events/service.ts";
import { EXECUTOR } from "./executor.ts";
import type { HookService } from "./service.ts";

/** The same bus, which asks hooks before and after each event, and tells them of subscribers that fail. */
export function withEventHooks<B extends EventService>(bus: B, active: () => HookService | undefined): B {
  const publish = bus.publish.bind(bus);
  const listen = bus.listen.bind(bus);
  /** The events that wait for hooks: those behind them wait too, so that order is kept. */
  let queue: Promise<void> | undefined;

  bus.publish = (input) => {
    const hooks = active();
    const isOwn = input.source === EXECUTOR;
    const isHooked =
      hooks !== undefined && !isOwn && (hooks.has("BeforeEventEmit") || hooks.has("AfterEventEmit"));
    if (isOwn || (!isHooked && queue === undefined)) return publish(input);
    const before = queue ?? Promise.resolve();
    const mine = before.then(() => (isHooked ? emit(hooks, input, publish) : void publish(input)));
    queue = mine;
    void mine.then(() => {
      if (queue === mine) queue = undefined;
    });
    return "accepted";
  };
  bus.listen = (pattern, onEvent) =>
    listen(pattern, (event) => {
      try {
        onEvent(event);
      } catch (error) {
        const hooks = active();
        if (hooks?.has("EventHandlerError"))
          void hooks.run({
            point: "EventHandlerError",
            component: { type: "System", name: "events" },
            data: { event: { event_type: event.type, data: event.data }, error: messageOf(error) },
            correlationId: event.metadata.correlationId,
          });
        throw error;
      }
    });
  return bus;
}

/** An event that a hook cancels is not sent. */
async function emit(
  hooks: HookService,
  input: EventInput,
  publish: (input: EventInput) => unknown,
): Promise<void> {
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
