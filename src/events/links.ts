/** How the events of one correlation belong together (spec/kernel.md section 18.4). */
import type { BusEvent } from "./event.ts";
import type { EventLink, Relationship } from "./service.ts";

/** Events further apart are linked only where the publisher says so. */
const LINK_WINDOW_MS = 60_000;
/** Events of different components so near to each other happen at the same time. */
const CONCURRENCY_WINDOW_MS = 100;
const MIN_STRENGTH = 0.5;

const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  completed: ["started"],
  failed: ["started"],
  complete: ["start"],
  execute_reply: ["execute_request"],
};

/**
 * - `CausedBy`, strength 1: the publisher named the cause.
 * - `ResponseTo`: `x.completed` or `x.failed` to the last open `x.started`.
 * - `PartOf`: what begins while something else of the same component is open.
 * - `ConcurrentWith`: another component within 100 ms.
 * - `FollowsFrom`: the event before, within 60 s; weaker the longer ago.
 * - `RelatedTo`: the same target or a common tag, within 60 s.
 * @param events of one correlation, oldest first
 * @param causes by id: events that any of them names as its cause
 */
export function linksOf(events: readonly BusEvent[], causes: ReadonlyMap<string, BusEvent>): EventLink[] {
  const links: EventLink[] = [];
  /** Events that began something which has not ended, by what it is. */
  const open = new Map<string, BusEvent>();
  const link = (from: BusEvent, to: BusEvent, relationship: Relationship, strength: number) => {
    if (strength >= MIN_STRENGTH) links.push({ from: from.id, to: to.id, relationship, strength });
  };
  let before: BusEvent | undefined;
  for (const event of events) {
    const cause = event.parentId === undefined ? undefined : causes.get(event.parentId);
    if (cause !== undefined) link(event, cause, "CausedBy", 1);
    const { subject, act } = partsOf(event.type);
    const answered = (ANSWERS[act] ?? []).map((opening) => open.get(`${subject}.${opening}`)).find(Boolean);
    if (answered !== undefined) {
      open.delete(answered.type);
      link(event, answered, "ResponseTo", near(event, answered, 0.9));
    }
    const [outer] = [...open.values()].reverse();
    if (outer !== undefined && answered === undefined) link(event, outer, "PartOf", near(event, outer, 0.8));
    if (act === "started" || act === "start" || act === "execute_request") {
      open.delete(event.type);
      open.set(event.type, event);
    }
    if (before !== undefined && before !== cause && before !== answered)
      linkToEventBefore(event, before, link);
    before = event;
  }
  return links;
}

function linkToEventBefore(
  event: BusEvent,
  before: BusEvent,
  link: (from: BusEvent, to: BusEvent, relationship: Relationship, strength: number) => void,
): void {
  const isOther = event.source !== before.source;
  if (isOther && event.timestampMs - before.timestampMs <= CONCURRENCY_WINDOW_MS)
    link(event, before, "ConcurrentWith", 0.7);
  else link(event, before, "FollowsFrom", near(event, before, 1));
  const { target, tags } = event.metadata;
  const isRelated =
    (target !== undefined && target === before.metadata.target) ||
    tags.some((tag) => before.metadata.tags.includes(tag));
  if (isRelated) link(event, before, "RelatedTo", near(event, before, 0.8));
}

/** Full strength at once, half of it at the end of the window, nothing after. */
function near(event: BusEvent, other: BusEvent, strength: number): number {
  const apartMs = event.timestampMs - other.timestampMs;
  return apartMs > LINK_WINDOW_MS ? 0 : strength * (1 - apartMs / (2 * LINK_WINDOW_MS));
}

function partsOf(type: string): { subject: string; act: string } {
  const dot = type.lastIndexOf(".");
  return { subject: type.slice(0, Math.max(dot, 0)), act: type.slice(dot + 1) };
}
