import { nowMs } from "../core/clock.ts";
import type { LogLevel } from "../core/log.ts";
import { Ring } from "../core/ring.ts";
import { type RedactionSettings, Redactor } from "../state/redact.ts";
import { type DebugEntry, type EntryFormat, entryFields, formatEntry } from "./entry.ts";
import { type FilterSettings, ModuleFilters } from "./filters.ts";
import { type DebugLevel, passes } from "./level.ts";
import { Profiler } from "./profiler.ts";
import { textReport } from "./reports.ts";

/** What the `[debug]` configuration and the process decide for a script. Structured-cloneable. */
export interface DebugSettings {
  enabled: boolean;
  level: DebugLevel;
  stdout: boolean;
  coloured: boolean;
  /** A log file is configured. */
  file: boolean;
  format: EntryFormat;
  /** Entries kept for `getCapturedEntries`; 0 for none. */
  captureEntries: number;
  /** What counts as a secret; as for state. */
  redaction: RedactionSettings;
  /** So that equal secrets have equal marks here and in the kernel's thread. */
  redactionKey: string;
  moduleFilters: FilterSettings;
  performance: {
    enabled: boolean;
    autoReportSeconds: number;
    includeChildren: boolean;
    minDurationMs: number;
  };
  stackTrace: { on: "nothing" | "errors" | "everything"; maxDepth: number; includeSource: boolean };
}

/** An accepted entry, ready to be written. */
export interface DebugOutput {
  /** Text for standard output, where the settings want it there. */
  text?: string;
  /** The same without colours, where a log file is configured. */
  fileText?: string;
}

export type DebugWriter = (output: DebugOutput) => void;

/** The debug state of one script VM: level, filters, captured entries, timers. */
export class DebugSession {
  enabled: boolean;
  level: DebugLevel;
  readonly filters: ModuleFilters;
  readonly profiler: Profiler;
  private readonly captured: Ring<DebugEntry>;
  private redactor: Redactor | undefined;
  private lastReportMs: number;

  constructor(
    readonly settings: DebugSettings,
    private readonly writer: DebugWriter,
    clock?: () => number,
  ) {
    this.enabled = settings.enabled;
    this.level = settings.level;
    this.filters = new ModuleFilters(settings.moduleFilters);
    this.captured = new Ring(settings.captureEntries);
    this.profiler = new Profiler(clock);
    this.lastReportMs = this.profiler.now();
  }

  /** Whether an entry would be printed and captured. */
  accepts(level: LogLevel, module: string | undefined): boolean {
    if (!this.enabled || !passes(level, this.filters.levelFor(module) ?? this.level)) return false;
    return this.filters.allows(module);
  }

  /** A value as entries, dumps and traces show it: without secrets. @param name what it is called, where it is called anything */
  shown(value: unknown, name = ""): unknown {
    const { redaction, redactionKey } = this.settings;
    if (!redaction.enabled) return value;
    this.redactor ??= new Redactor(redaction, redactionKey);
    return this.redactor.redact(value, name);
  }

  /** Prints and captures an entry that `accepts` let through. */
  write(entry: DebugEntry): void {
    const { stdout, coloured, file, format } = this.settings;
    this.captured.push(entry);
    if (!stdout && !file) return;
    const plain = formatEntry(entry, format, false);
    this.writer({
      ...(stdout ? { text: coloured ? formatEntry(entry, format, true) : plain } : {}),
      ...(file ? { fileText: plain } : {}),
    });
  }

  /** The newest `limit` entries, oldest first. */
  capturedEntries(limit?: number) {
    return this.captured.last(limit).map(entryFields);
  }

  clearCaptured(): void {
    this.captured.clear();
  }

  /** Logs the performance report when `[debug.performance]` asks for one and its interval has passed. */
  reportIfDue(): void {
    const { enabled, autoReportSeconds, includeChildren, minDurationMs } = this.settings.performance;
    const steady = this.profiler.now();
    if (!enabled || autoReportSeconds === 0 || steady - this.lastReportMs < autoReportSeconds * 1000) return;
    this.lastReportMs = steady;
    if (!this.accepts("info", "performance")) return;
    const message = textReport(this.profiler, { includeChildren, minDurationMs });
    this.write({ timeMs: nowMs(), level: "info", module: "performance", message });
  }
}
