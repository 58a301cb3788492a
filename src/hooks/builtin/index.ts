/** The built-in hooks by name (spec/kernel.md section 17.7), and how their options are read. */
import { decode } from "../../config/decode.ts";
import { nodeAt } from "../../config/node.ts";
import type { Config } from "../../config/schema.ts";
import { SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { ResultCache } from "../result-cache.ts";
import type { HookSpec } from "../service.ts";
import { artifactCollectorHook } from "./artifact-collector.ts";
import { cachingHook } from "./caching.ts";
import { costTrackingHook } from "./cost-tracking.ts";
import { debuggingHook } from "./debugging.ts";
import { loggingHook } from "./logging.ts";
import { metricsHook } from "./metrics.ts";
import { rateLimitHook } from "./rate-limit.ts";
import { retryHook } from "./retry.ts";
import { securityHook } from "./security.ts";
import { sessionPolicyHook } from "./session-policy.ts";
import { stateAuditHook } from "./state-audit.ts";
import { stateCacheHook } from "./state-cache.ts";
import { stateValidationHook } from "./state-validation.ts";

export interface Builtin {
  description: string;
  spec: HookSpec;
  /** What it has gathered. */
  report(): Record<string, unknown>;
}

/** What built-in hooks need of sessions. */
export interface BuiltinSession {
  /** Id of the session for which this process works; null for none. */
  current(): Promise<string | null>;
  /** Keeps an artifact. */
  store(
    id: string,
    artifact: { type: string; name: string; content: Uint8Array; metadata: Record<string, unknown> },
  ): Promise<void>;
  /** Publishes `session.custom.NAME`. */
  announce(id: string, name: string, data: Record<string, unknown>): Promise<void>;
}

export interface BuiltinParts {
  log: Log;
  /** The results that hooks keep. */
  cache: ResultCache;
  /** Absent where there are no sessions. */
  session?: BuiltinSession;
  /** How long a hook may wait. */
  timeoutMs: () => number;
  /** Milliseconds of a steady clock. */
  now?: () => number;
}

type Sections = Config["hooks"]["builtin"];
/** The options of one built-in hook, defaults applied. */
export type BuiltinOptions<N extends keyof Sections> = NonNullable<Sections[N]>;

type Make = (options: never, parts: BuiltinParts) => Builtin;

const MAKERS = {
  logging: loggingHook,
  metrics: metricsHook,
  debugging: debuggingHook,
  security: securityHook,
  caching: cachingHook,
  rate_limit: rateLimitHook,
  retry: retryHook,
  cost_tracking: costTrackingHook,
  artifact_collector: artifactCollectorHook,
  session_policy: sessionPolicyHook,
  state_validation: stateValidationHook,
  state_audit: stateAuditHook,
  state_cache: stateCacheHook,
} satisfies { [N in keyof Sections]-?: (options: BuiltinOptions<N>, parts: BuiltinParts) => Builtin };

export const BUILTINS: Readonly<Record<string, Make>> = MAKERS;

/** Options as the configuration would take them, defaults filled in. @throws SpellError config */
export function builtinOptions(name: string, given: Record<string, unknown>): never {
  const keys = ["hooks", "builtin", name];
  const problem = (path: string, reason: string) => {
    throw new SpellError("config", `Configuration validation failed in field '${path}': ${reason}`, {
      data: { path },
    });
  };
  return decode(nodeAt(keys)!, given, keys, {
    set: () => {},
    problem,
    unknown: (path, _key, known) => problem(path, `is no option: options are ${known.join(", ")}`),
    expand: (text) => text,
  }) as never;
}
