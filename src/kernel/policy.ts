/** What the configuration lets a script do: spec/config.md section 2.9. */
import type { Config } from "../config/schema.ts";
import type { EnginePolicy } from "../engine/engine.ts";
import type { Feature } from "../globals/declare.ts";
import type { ConfigService } from "./services.ts";

/** A limit and the setting it comes from, for the message when it is reached. */
interface Limit {
  value: number | undefined;
  setting: string;
}

/** What holds for a script, and which settings say so. */
export interface ScriptPolicy {
  engine: EnginePolicy;
  /** By `data.limit` of a `limit` error: the setting to raise. */
  settings: { time: string; memory: string };
}

/**
 * The smallest limit wins. `engines.lua.timeout_ms` counts only where somebody set it: its default of 30 s is shorter
 * than one answer of a local model, and the script limit of 300 s holds in any case.
 */
export function scriptPolicy(config: ConfigService): ScriptPolicy {
  const { engines, runtime } = config.current;
  const { security } = runtime;
  const level = engines.lua.security_level;
  const unlimited = level === "Unrestricted";
  const time = smallest([
    { value: runtime.script_timeout_seconds * 1000, setting: "runtime.script_timeout_seconds" },
    { value: security.max_execution_time_ms, setting: "runtime.security.max_execution_time_ms" },
    {
      value: config.isExplicit("engines.lua.timeout_ms") ? engines.lua.timeout_ms : undefined,
      setting: "engines.lua.timeout_ms",
    },
  ]);
  const memory = smallest([
    { value: engines.lua.max_memory_bytes, setting: "engines.lua.max_memory_bytes" },
    { value: security.max_memory_bytes, setting: "runtime.security.max_memory_bytes" },
  ]);
  return {
    engine: {
      features: featuresOf(config.current),
      stdlib: engines.lua.stdlib,
      allowFileAccess: security.allow_file_access || level !== "Safe",
      allowProcessSpawn: security.allow_process_spawn || level !== "Safe",
      modulePaths: engines.lua.module_paths,
      maxMemoryBytes: unlimited ? undefined : memory.value,
      timeoutMs: unlimited ? undefined : time.value,
      maxInstructions: undefined,
    },
    settings: { time: time.setting, memory: memory.setting },
  };
}

function featuresOf({ runtime, rag }: Config): Feature[] {
  const { state_persistence: state, sessions } = runtime;
  if (!state.enabled) return [];
  return [
    "state",
    ...(state.migration_enabled ? (["state_migration"] as const) : []),
    ...(state.backup_enabled ? (["state_backup"] as const) : []),
    // documents of a session need one: RAG brings them with it
    ...(sessions.enabled || rag.enabled ? (["sessions"] as const) : []),
  ];
}

/** The smallest; of equal ones all settings are named. */
function smallest(limits: readonly Limit[]): Limit {
  const value = Math.min(...limits.map((l) => l.value ?? Number.POSITIVE_INFINITY));
  const deciding = limits.filter((l) => l.value === value);
  return { value: deciding[0]?.value, setting: deciding.map((l) => l.setting).join(" and ") };
}
