import type { DebugSettings } from "./session.ts";

/** The kernel's side of debugging scripts: what the configuration says, and the log file. */
export interface DebugService {
  settings(): DebugSettings;
  /** Appends to the configured log file. A file that cannot be written is reported once and then left alone. */
  append(text: string): void;
  dispose(): void;
}
