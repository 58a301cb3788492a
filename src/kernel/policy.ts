/** What the configuration lets a script do: spec/config.md section 2.9. */
import type { EnginePolicy } from "../engine/engine.ts";
import type { ConfigService } from "./services.ts";

/**
 * The smallest limit wins. `engines.lua.timeout_ms` counts only where somebody set it: its default of 30 s is shorter
 * than one answer of a local model, and the script limit of 300 s holds in any case.
 */
export function enginePolicy(config: ConfigService): EnginePolicy {
  const { engines, runtime } = config.current;
  const { security } = runtime;
  const level = engines.lua.security_level;
  const unlimited = level === "Unrestricted";
  const timeouts = [runtime.script_timeout_seconds * 1000, security.max_execution_time_ms];
  if (config.isExplicit("engines.lua.timeout_ms")) timeouts.push(engines.lua.timeout_ms);
  return {
    stdlib: engines.lua.stdlib,
    allowFileAccess: security.allow_file_access || level !== "Safe",
    allowProcessSpawn: security.allow_process_spawn || level !== "Safe",
    modulePaths: [],
    maxMemoryBytes: unlimited
      ? undefined
      : smallest([engines.lua.max_memory_bytes, security.max_memory_bytes]),
    timeoutMs: unlimited ? undefined : smallest(timeouts),
    maxInstructions: undefined,
  };
}

function smallest(limits: readonly (number | undefined)[]): number | undefined {
  const given = limits.filter((l) => l !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
}
