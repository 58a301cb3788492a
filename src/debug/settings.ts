import type { Config } from "../config/schema.ts";
import type { ConfigService } from "../kernel/services.ts";
import { HASH_KEY } from "../state/redact.ts";
import type { LogFileOptions } from "./log-file.ts";
import type { DebugSettings } from "./session.ts";

/**
 * The `[debug]` section as a script's Debug global takes it. `debug.enabled` is off by default for the program, but a
 * script's own logging is on (spec/lua-api.md section 10.1), so it counts only where somebody set it.
 */
export function debugSettings(config: ConfigService, terminal: boolean): DebugSettings {
  const { enabled, level, output, module_filters, performance, stack_trace } = config.current.debug;
  return {
    enabled: enabled || !config.isExplicit("debug.enabled"),
    level,
    stdout: output.stdout,
    coloured: output.colored && output.format === "text" && terminal,
    file: output.file !== undefined,
    format: output.format,
    captureEntries: output.buffer.enabled ? output.buffer.max_entries : 0,
    redaction: config.current.runtime.state_persistence.redaction,
    redactionKey: HASH_KEY,
    moduleFilters: {
      enabled: module_filters.enabled,
      disabled: module_filters.disabled,
      levels: module_filters.levels,
    },
    performance: {
      enabled: performance.enabled,
      autoReportSeconds: performance.auto_report_interval,
      includeChildren: performance.include_children,
      minDurationMs: performance.min_duration_ms,
    },
    stackTrace: {
      on: !stack_trace.enabled ? "nothing" : stack_trace.on_error ? "errors" : "everything",
      maxDepth: stack_trace.max_depth,
      includeSource: stack_trace.include_source,
    },
  };
}

/** Where and how the log file is written; undefined where none is configured. */
export function logFileOptions(config: Config): LogFileOptions | undefined {
  const file = config.debug.output.file;
  if (file === undefined) return undefined;
  return { path: file.path, append: file.append, maxBytes: file.max_size, maxFiles: file.max_files };
}
