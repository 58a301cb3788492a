/** Events as scripts see them (spec/lua-api.md section 7). */
import type { ScriptValue } from "../../core/values.ts";
import type { SpellEvent, Subscription, Timeline } from "../../events/service.ts";

const SERIALIZATION_VERSION = "1.0";

export const EVENT =
  "{id, event_type, data, timestamp, sequence, correlation_id, language, ttl?, metadata = {correlation_id, parent_id?, " +
  "source?, target?, tags, priority, ttl?}, target_language, serialization_version, missed, replayed}";

/** @param missed events of the subscription that were dropped before this one */
export function eventTable(
  event: SpellEvent,
  missed: number,
  targetLanguage: string,
): Record<string, ScriptValue> {
  const { correlationId, source, target, tags, priority, ttlSeconds: ttl } = event.metadata;
  return {
    id: event.id,
    event_type: event.type,
    data: event.data as ScriptValue,
    timestamp: new Date(event.timestampMs).toISOString(),
    sequence: event.sequence,
    correlation_id: correlationId,
    language: event.language,
    ttl,
    metadata: {
      correlation_id: correlationId,
      parent_id: event.parentId,
      source,
      target,
      tags: [...tags],
      priority,
      ttl,
    },
    target_language: targetLanguage,
    serialization_version: SERIALIZATION_VERSION,
    missed,
    replayed: event.origin === "replay",
  };
}

export function subscriptionTable({
  id,
  pattern,
  language,
  queued,
  dropped,
}: Subscription): Record<string, ScriptValue> {
  return { id, pattern, language, queued, dropped };
}

export function timelineTable(timeline: Timeline): Record<string, ScriptValue> {
  return {
    correlation_id: timeline.correlationId,
    parent_id: timeline.parentId,
    root_id: timeline.rootId,
    created_at: new Date(timeline.createdAtMs).toISOString(),
    tags: [...timeline.tags],
    events: timeline.events.map((event) => eventTable(event, 0, "lua")),
    links: timeline.links.map(({ from, to, relationship, strength }) => ({
      from,
      to,
      relationship,
      strength,
    })),
  };
}
