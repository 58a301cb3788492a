/** Structured log lines for people who run the program. They go to stderr or a file, never to stdout. */
import { currentCorrelation } from "./correlation.ts";

export const LOG_LEVELS = ["error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const SEVERITY: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3, trace: 4 };

/** The tracing categories of spec/kernel.md section 12.3. */
export type LogCategory =
  | "kernel"
  | "script"
  | "agent"
  | "tool"
  | "model"
  | "config"
  | "security"
  | "cli"
  | "event"
  | "session"
  | "hook"
  | "workflow";

export interface LogRecord {
  timeMs: number;
  level: LogLevel;
  category: LogCategory;
  message: string;
  /** Correlation id, from the request to the tool call. */
  correlationId?: string;
  fields?: Record<string, unknown>;
}

export type LogSink = (record: LogRecord) => void;

export class Log {
  private readonly threshold: { readonly level: LogLevel };

  constructor(
    private readonly sink: LogSink,
    /** The least severe level written; in an object where it may change. */
    level: LogLevel | { readonly level: LogLevel },
    private readonly correlationId?: string,
  ) {
    this.threshold = typeof level === "string" ? { level } : level;
  }

  enabled(level: LogLevel): boolean {
    return SEVERITY[level] <= SEVERITY[this.threshold.level];
  }

  write(level: LogLevel, category: LogCategory, message: string, fields?: Record<string, unknown>): void {
    if (!this.enabled(level)) return;
    const correlationId = this.correlationId ?? currentCorrelation();
    this.sink({
      timeMs: Date.now(),
      level,
      category,
      message,
      ...(correlationId === undefined ? {} : { correlationId }),
      ...(fields === undefined ? {} : { fields }),
    });
  }

  warn(category: LogCategory, message: string, fields?: Record<string, unknown>): void {
    this.write("warn", category, message, fields);
  }

  info(category: LogCategory, message: string, fields?: Record<string, unknown>): void {
    this.write("info", category, message, fields);
  }

  debug(category: LogCategory, message: string, fields?: Record<string, unknown>): void {
    this.write("debug", category, message, fields);
  }

  withCorrelation(correlationId: string): Log {
    return new Log(this.sink, this.threshold, correlationId);
  }
}

export const silentLog = new Log(() => {}, "error");
