import type { Config } from "../config/schema.ts";
import type { FilterSettings } from "./filter.ts";
import type { OverflowPolicy } from "./service.ts";

export interface BusSettings {
  filter: FilterSettings;
  bufferSize: number;
  overflow: OverflowPolicy;
  /** Shares of a queue. */
  highWater: number;
  lowWater: number;
  /** Undefined: no limit. */
  maxPerSecond: number | undefined;
  burst: number;
  /** Events that memory keeps. */
  historySize: number;
}

export function busSettings({ events }: Config): BusSettings {
  const { filtering } = events;
  return {
    filter: {
      enabled: events.enabled,
      emitTimingEvents: events.emit_timing_events,
      emitStateEvents: events.emit_state_events,
      emitDebugEvents: events.emit_debug_events,
      includeTypes: filtering.include_types,
      excludeTypes: filtering.exclude_types,
      includeComponents: filtering.include_components,
      excludeComponents: filtering.exclude_components,
    },
    bufferSize: events.buffer_size,
    overflow: events.overflow,
    highWater: events.high_water,
    lowWater: events.low_water,
    maxPerSecond: events.max_events_per_second,
    burst: events.burst ?? 2 * (events.max_events_per_second ?? 0),
    historySize: events.history_size,
  };
}

/** Whether the configuration sends events somewhere, so that they are wanted before any script asks. */
export function sendsEvents({ events }: Config): boolean {
  const { export: to, persistence, redis } = events;
  return (
    events.enabled &&
    (to.stdout ||
      to.file !== undefined ||
      to.webhook !== undefined ||
      persistence.enabled ||
      redis.url !== undefined)
  );
}
