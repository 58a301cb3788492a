import { stringifyJson } from "../../core/json.ts";
import { PRIORITIES } from "../priority.ts";
import { withoutSecrets } from "../sensitive.ts";
import type { HookContext } from "../service.ts";
import type { Builtin, BuiltinOptions, BuiltinParts } from "./index.ts";
import { pointsOrAll } from "./quiet-points.ts";
import { isoTime } from "./timestamp.ts";

/** One log line for each point that fires. */
export function loggingHook(options: BuiltinOptions<"logging">, { log }: BuiltinParts): Builtin {
  const { level, max_data_bytes, points } = options;
  let lines = 0;
  const run = ({ point, component, data, metadata, correlationId, timestampMs }: HookContext) => {
    metadata.logged_at = isoTime(timestampMs);
    if (!log.enabled(level)) return undefined;
    lines++;
    log.withCorrelation(correlationId).write(level, "hook", point, {
      component_type: component.type,
      component: component.name,
      data: cut(stringifyJson(withoutSecrets(data)), max_data_bytes),
    });
    return undefined;
  };
  return {
    description: "Logs what happens at hook points",
    spec: { points: pointsOrAll(points), run, priority: PRIORITIES.low, immediate: true },
    report: () => ({ level, lines }),
  };
}

/** At most so many bytes of UTF-8, with a sign where something is missing. */
export function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return `${bytes.toString("utf8", 0, end)}…`;
}
