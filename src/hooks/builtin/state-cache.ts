import { PRIORITIES } from "../priority.ts";
import type { HookContext, HookResult } from "../service.ts";
import type { Builtin, BuiltinOptions, BuiltinParts } from "./index.ts";

/**
 * Answers reads of state from the reads before, until anything of state changes in this process. What others write is
 * seen when the time of a value is over.
 */
export function stateCacheHook(
  { ttl_secs, max_entries }: BuiltinOptions<"state_cache">,
  { cache }: BuiltinParts,
): Builtin {
  cache.maxEntries = Math.max(cache.maxEntries, max_entries);
  /** A record may be known by several keys: any change ends what was kept of all. */
  let generation = 0;
  const counts = { hits: 0, misses: 0 };
  const run = ({ point, data, metadata }: HookContext): HookResult | undefined => {
    switch (point) {
      case "BeforeStateRead":
        return {
          type: "cache",
          key: `${generation} ${data.exact === true} ${data.scope}:${data.key}`,
          ttlMs: ttl_secs * 1000,
        };
      case "AfterStateRead":
        counts[metadata.cache_hit === "true" ? "hits" : "misses"]++;
        return undefined;
      default:
        generation++;
        return undefined;
    }
  };
  return {
    description: "Answers reads of state from the reads before",
    spec: {
      points: ["BeforeStateRead", "AfterStateRead", "PostStateChange", "StateError"],
      run,
      priority: PRIORITIES.normal,
      immediate: true,
    },
    report: () => ({ ...counts, generation }),
  };
}
