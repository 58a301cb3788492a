import { type Static, Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import type { EventQuery } from "../../events/service.ts";
import { type FunctionDecl, optional, param, wait } from "../declare.ts";
import { openBus } from "./session.ts";
import { EVENT, eventTable, timelineTable } from "./table.ts";

const Time = Type.Union([Type.Number(), Type.String()]);

const Query = Type.Object({
  pattern: Type.Optional(Type.String({ minLength: 1, description: "As for `Event.subscribe`" })),
  since: Type.Optional(Time),
  until: Type.Optional(Time),
  correlation_id: Type.Optional(Type.String({ description: "Only what belongs to this" })),
  limit: Type.Optional(Type.Integer({ minimum: 1, description: "The newest so many" })),
});

const QUERY =
  "`{pattern?, since?, until?, correlation_id?, limit?}`; times as `event.timestamp` or in seconds since 1970";

/** @throws SpellError invalid_argument for a time that is none */
function queryOf({ pattern, since, until, correlation_id, limit }: Static<typeof Query> = {}): EventQuery {
  return {
    pattern,
    sinceMs: timeMs("since", since),
    untilMs: timeMs("until", until),
    correlationId: correlation_id,
    limit,
  };
}

function timeMs(name: string, time: number | string | undefined): number | undefined {
  if (time === undefined) return undefined;
  // Numbers come as text too, where a text is accepted.
  const ms = typeof time === "number" ? time * 1000 : Date.parse(time);
  if (Number.isFinite(ms)) return ms;
  throw new SpellError("invalid_argument", `Cannot read past events: "${name}" must be a time: ${time}`, {
    hint: "A number of seconds since 1970, or text such as 2026-01-31T12:00:00Z",
  });
}

export const past: Record<string, FunctionDecl> = {
  history: wait({
    doc: "Past events, oldest first: the stored ones where `events.persistence` is on, else those that memory holds (`events.history_size`).",
    params: [optional("query", Query, `${QUERY}; limit 100 when missing`)],
    returns: `${EVENT}[]`,
    handler: async (ctx, query) => {
      const events = await (await openBus(ctx.services)).history(queryOf(query));
      return events.map((event) => eventTable(event, 0, "lua"));
    },
  }),
  replay: wait({
    doc: "Delivers past events once more, to one subscription or to all that match. They keep their ids and times and have `replayed = true`; they are not stored, exported or sent to other machines again.",
    params: [
      optional("query", Query, `${QUERY}; limit 10000 when missing`),
      optional("subscription_id", Type.String(), "Only to this subscription, whatever its pattern"),
    ],
    returns: "integer: how many",
    handler: async (ctx, query, id) => {
      const bus = await openBus(ctx.services);
      const to = id === undefined ? undefined : bus.subscription(id);
      if (id !== undefined && to === undefined)
        throw new SpellError("not_found", `Subscription not found: ${id}`);
      return bus.replay(queryOf(query), to);
    },
  }),
  timeline: wait({
    doc: "What memory holds of a correlation: its events in order and what links them. `relationship` is `CausedBy`, `PartOf`, `RelatedTo`, `ResponseTo`, `FollowsFrom` or `ConcurrentWith`.",
    params: [param("correlation_id", Type.String(), "`event.correlation_id`")],
    returns:
      "{correlation_id, parent_id?, root_id, created_at, tags, events, links = {from, to, relationship, strength}[]} or nil",
    handler: async (ctx, id) => {
      const timeline = (await openBus(ctx.services)).timeline(id);
      return timeline && timelineTable(timeline);
    },
  }),
  get_stats: wait({
    doc: "Counts of the bus.",
    params: [],
    returns:
      "{event_bus_stats = {events_processed, rate_limit_violations, buffer_size, events_dropped, events_filtered, " +
      "events_rejected, events_expired, handler_errors, remembered, correlations, outlets}, " +
      "bridge_stats = {active_subscriptions, subscriptions_by_language}}; `buffer_size` is how many events wait now",
    handler: async (ctx) => {
      const bus = await openBus(ctx.services);
      const stats = bus.stats();
      const all = bus.subscriptions();
      const byLanguage: Record<string, number> = {};
      for (const { language } of all) byLanguage[language] = (byLanguage[language] ?? 0) + 1;
      return {
        event_bus_stats: {
          events_processed: stats.processed,
          rate_limit_violations: stats.rateLimited,
          buffer_size: stats.queued,
          events_dropped: stats.dropped,
          events_filtered: stats.filtered,
          events_rejected: stats.rejected,
          events_expired: stats.expired,
          handler_errors: stats.handlerErrors,
          remembered: stats.remembered,
          correlations: stats.correlations,
          outlets: stats.outlets,
        },
        bridge_stats: { active_subscriptions: all.length, subscriptions_by_language: byLanguage },
      };
    },
  }),
};
