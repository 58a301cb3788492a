import { Log, type LogRecord } from "../../../src/core/log.ts";
import { EventBus } from "../../../src/events/bus.ts";
import type { BusSettings } from "../../../src/events/settings.ts";

export const DEFAULTS: BusSettings = {
  filter: {
    enabled: true,
    emitTimingEvents: true,
    emitStateEvents: false,
    emitDebugEvents: false,
    includeTypes: ["*"],
    excludeTypes: [],
    includeComponents: ["*"],
    excludeComponents: [],
  },
  bufferSize: 10_000,
  overflow: "DropOldest",
  highWater: 0.8,
  lowWater: 0.2,
  maxPerSecond: undefined,
  burst: 0,
  historySize: 10_000,
};

/** A bus and what it logs. */
export function testBus(settings: Partial<BusSettings> = {}) {
  const logged: LogRecord[] = [];
  const log = new Log((record) => logged.push(record), "info");
  return { bus: new EventBus({ ...DEFAULTS, ...settings }, log), log, logged };
}
