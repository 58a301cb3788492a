/** A bus whose scripts' events are traced and recorded for replays. What the kernel tells of itself follows from other steps. */
import { currentCorrelation } from "../core/correlation.ts";
import { currentCall, type Recorder, type RecorderSource } from "../core/recording.ts";
import { isTraced, span } from "../core/span.ts";
import type { EventInput, EventService, PublishOutcome } from "./service.ts";

/** A recorder that is there tells at once which session is the current one: a script may choose another in the same turn. */
type SoonRecorder = () => Recorder | ReturnType<RecorderSource>;

/** The same bus. */
export function watchedEvents<B extends EventService>(bus: B, recorder: SoonRecorder): B {
  const publish = bus.publish.bind(bus);
  bus.publish = (input) => {
    if (input.language === undefined || input.language === "native") return publish(input);
    const found = recorder();
    if (found === undefined) return isTraced() ? traced(input, publish) : publish(input);
    const startedMs = Date.now();
    const start = performance.now();
    const outcome = traced(input, publish);
    const call = {
      kind: "event",
      name: input.type,
      input: recordedEvent(input),
      output: { outcome },
      startedMs,
      durationMs: performance.now() - start,
      correlationId: input.correlationId ?? currentCorrelation(),
      within: currentCall(),
    } as const;
    if (!(found instanceof Promise)) found.record(call);
    else void found.then((known) => known?.record(call)).catch(() => undefined); // told to those who use sessions
    return outcome;
  };
  return bus;
}

function traced(input: EventInput, publish: (input: EventInput) => PublishOutcome): PublishOutcome {
  const { type, source } = input;
  const attributes = { "llmspell.event.type": type, "llmspell.event.source": source };
  return span({ category: "event", operation: "publish", attributes }, (watched) => {
    const outcome = publish(input);
    watched.set({ "llmspell.event.outcome": outcome });
    return outcome;
  });
}

const recordedEvent = ({
  data = null,
  language,
  source,
  target,
  tags,
  priority,
  parentId,
  ttlSeconds,
}: EventInput) => ({
  data,
  language,
  ...(source === undefined ? {} : { source }),
  ...(target === undefined ? {} : { target }),
  ...(tags === undefined || tags.length === 0 ? {} : { tags }),
  ...(priority === undefined || priority === 0 ? {} : { priority }),
  ...(parentId === undefined ? {} : { parent_id: parentId }),
  ...(ttlSeconds === undefined ? {} : { ttl_seconds: ttlSeconds }),
});

/** What `recordedEvent` has kept, as it stands after changes: fields of another type are left out. */
export function eventOf(type: string, input: Record<string, unknown>): EventInput {
  const { data = null, language, source, target, tags, priority, parent_id, ttl_seconds } = input;
  return {
    type,
    data,
    ...(typeof language === "string" ? { language } : {}),
    ...(typeof source === "string" ? { source } : {}),
    ...(typeof target === "string" ? { target } : {}),
    ...(Array.isArray(tags) ? { tags: tags.map(String) } : {}),
    ...(typeof priority === "number" ? { priority } : {}),
    ...(typeof parent_id === "string" ? { parentId: parent_id } : {}),
    ...(typeof ttl_seconds === "number" ? { ttlSeconds: ttl_seconds } : {}),
  };
}
