import { PRIORITIES } from "../priority.ts";
import { withoutSecrets } from "../sensitive.ts";
import type { HookContext } from "../service.ts";
import type { Builtin, BuiltinOptions } from "./index.ts";
import { pointsOrAll } from "./quiet-points.ts";
import { isoTime } from "./timestamp.ts";

/** Keeps what happened, for somebody to look at. */
export function debuggingHook(options: BuiltinOptions<"debugging">): Builtin {
  const { max_traces, stack_traces, include_context, points } = options;
  const traces: Record<string, unknown>[] = [];
  const run = ({ point, component, data, metadata, correlationId, timestampMs }: HookContext) => {
    const at = isoTime(timestampMs);
    metadata.debug_traced_at = at;
    traces.push({
      point,
      component_type: component.type,
      component: component.name,
      correlation_id: correlationId,
      timestamp: at,
      ...(include_context ? { data: withoutSecrets(data), metadata: { ...metadata } } : {}),
      ...(stack_traces ? { stack: stack() } : {}),
    });
    if (traces.length > max_traces) traces.shift();
    return undefined;
  };
  return {
    description: "Keeps traces of what happens at hook points",
    spec: { points: pointsOrAll(points), run, priority: PRIORITIES.lowest, immediate: true },
    report: () => ({ traces: [...traces] }),
  };
}

/** The kernel's own calls, innermost first. */
function stack(): string[] {
  return (new Error().stack ?? "")
    .split("\n")
    .slice(3)
    .map((line) => line.trim());
}
