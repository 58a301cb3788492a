import { createHash } from "node:crypto";
import { withTextForBytes } from "../../core/bytes-as-text.ts";
import { stringifyJson } from "../../core/json.ts";
import { PRIORITIES } from "../priority.ts";
import type { HookContext } from "../service.ts";
import type { Builtin, BuiltinOptions, BuiltinParts } from "./index.ts";

/** What must run each time, whatever the configuration says. */
const NEVER = new Set(["SecurityViolation", "BeforeStateWrite", "AfterStateWrite", "custom:state_change"]);

/**
 * Asks for the result of the same call before: same point, component, data and conversation. Of tools only those of level
 * `safe`, which reach nothing outside, and none of scripts, whose functions may do anything.
 */
export function cachingHook(options: BuiltinOptions<"caching">, { cache }: BuiltinParts): Builtin {
  const { max_entries, ttl_secs, min_duration_ms, points } = options;
  cache.maxEntries = max_entries;
  const condition = ({ point, component, metadata }: HookContext) =>
    !NEVER.has(point) &&
    (component.type !== "Tool" || (metadata.security_level === "safe" && metadata.tool_origin === "builtin"));
  const run = ({ point, component, data, identity }: HookContext) => {
    const text = stringifyJson([point, component.type, component.name, withTextForBytes(data), identity()]);
    return {
      type: "cache" as const,
      key: createHash("sha256").update(text).digest("hex"),
      ttlMs: ttl_secs * 1000,
      minMs: min_duration_ms,
    };
  };
  return {
    description: "Answers calls from the results of the same calls before",
    spec: { points, run, condition, priority: PRIORITIES.normal, immediate: true },
    report: () => ({ entries: cache.size, max_entries, hits: cache.hits, misses: cache.misses }),
  };
}
