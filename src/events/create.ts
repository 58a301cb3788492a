/** The event bus of one kernel. */
import { randomUUID } from "node:crypto";
import { currentCorrelation } from "../core/correlation.ts";
import type { EventInput, EventService, SpellEvent } from "./service.ts";

export function createEventService(): EventService {
  return new EventBus();
}

interface Listener {
  matches(type: string): boolean;
  onEvent(event: SpellEvent): void;
}

class EventBus implements EventService {
  private readonly listeners = new Set<Listener>();
  private sequence = 0;

  publish(input: EventInput): void {
    this.sequence++;
    const heard = [...this.listeners].filter((listener) => listener.matches(input.type));
    if (heard.length === 0) return;
    const event: SpellEvent = {
      id: randomUUID(),
      type: input.type,
      data: input.data ?? null,
      language: input.language ?? "native",
      timestampMs: Date.now(),
      sequence: this.sequence,
      metadata: {
        correlationId: input.correlationId ?? currentCorrelation() ?? randomUUID(),
        source: input.source,
        target: input.target,
        tags: input.tags ?? [],
        priority: input.priority ?? 0,
        ttlSeconds: input.ttlSeconds,
      },
    };
    for (const listener of heard) listener.onEvent(event);
  }

  listen(pattern: string, onEvent: (event: SpellEvent) => void): Disposable {
    const glob = new Bun.Glob(pattern);
    const listener: Listener = { matches: (type) => glob.match(type), onEvent };
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => void this.listeners.delete(listener) };
  }
}
