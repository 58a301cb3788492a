import type { Config } from "../config/schema.ts";
import { nowMs } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import type { ConfigService } from "../kernel/services.ts";

const MOST_KEPT = 10;

interface Snapshot {
  /** Milliseconds since 1970; raised by one where two fall into one millisecond. */
  timestampMs: number;
  config: Config;
}

/** Kept as long as the configuration they belong to. */
const kept = new WeakMap<ConfigService, Snapshot[]>();

/** Remembers the configuration as it is; the oldest of more than ten is forgotten. */
export function takeSnapshot(service: ConfigService): number {
  const snapshots = kept.get(service) ?? [];
  const timestampMs = Math.max(nowMs(), (snapshots.at(-1)?.timestampMs ?? 0) + 1);
  snapshots.push({ timestampMs, config: structuredClone(service.current) });
  kept.set(service, snapshots.slice(-MOST_KEPT));
  return timestampMs;
}

/** @throws not_found */
export function restoreSnapshot(service: ConfigService, timestampMs: number): void {
  const snapshots = kept.get(service) ?? [];
  const found = snapshots.find((snapshot) => snapshot.timestampMs === timestampMs);
  if (found === undefined) {
    throw new SpellError(
      "not_found",
      `Cannot restore the configuration: no snapshot has this timestamp: ${timestampMs}`,
      {
        data: { timestamp: timestampMs, known: snapshots.map((snapshot) => snapshot.timestampMs) },
        hint: `Config.snapshot() returns the timestamp; the last ${MOST_KEPT} are kept`,
      },
    );
  }
  const config = structuredClone(found.config) as unknown as Record<string, unknown>;
  service.update((draft) => {
    const target = draft as unknown as Record<string, unknown>;
    for (const key of Object.keys(target)) if (!(key in config)) delete target[key];
    Object.assign(target, config);
  });
}
