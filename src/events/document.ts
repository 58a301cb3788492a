/** Events as documents of spec/kernel.md section 18.1: for exports, for the store and for other machines. */
import { documentValue, parseJson } from "../core/json.ts";
import type { BusEvent } from "./event.ts";
import type { EventInput, SpellEvent } from "./service.ts";

export const SCHEMA_VERSION = "1.0";

/** @throws SpellError invalid_argument for a payload that JSON cannot say */
export function eventDocument(event: SpellEvent): Record<string, unknown> {
  const { metadata } = event;
  return {
    id: event.id,
    event_type: event.type,
    data: documentValue(event.data),
    language: event.language,
    timestamp: new Date(event.timestampMs).toISOString(),
    sequence: event.sequence,
    metadata: {
      correlation_id: metadata.correlationId,
      parent_id: event.parentId ?? null,
      source: metadata.source ?? null,
      target: metadata.target ?? null,
      tags: metadata.tags,
      priority: metadata.priority,
      ttl: metadata.ttlSeconds ?? null,
    },
    schema_version: SCHEMA_VERSION,
  };
}

/** The rest of an event beside the columns it is found by, as text. */
export function payloadText(event: BusEvent): string {
  const { target, tags } = event.metadata;
  return JSON.stringify({
    data: documentValue(event.data),
    ...(target === undefined ? {} : { target }),
    ...(tags.length === 0 ? {} : { tags }),
  });
}

/** @throws SpellError invalid_argument for text that is not such a payload */
export function readPayload(text: string): Pick<EventInput, "data" | "target" | "tags"> {
  const { data, target, tags } = parseJson(text) as { data: unknown; target?: string; tags?: string[] };
  return { data, target, ...(tags === undefined ? {} : { tags }) };
}
