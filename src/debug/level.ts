import type { LogLevel } from "../core/log.ts";

/** From silent to everything; the index is the number scripts may use for it. */
export const DEBUG_LEVELS = ["off", "error", "warn", "info", "debug", "trace"] as const;
export type DebugLevel = (typeof DEBUG_LEVELS)[number];

const WORDS: Record<string, DebugLevel> = {
  none: "off",
  err: "error",
  warning: "warn",
  ...Object.fromEntries(DEBUG_LEVELS.map((level) => [level, level])),
  ...Object.fromEntries(DEBUG_LEVELS.map((level, i) => [String(i), level])),
};

/** The level a script's word or digit means, in any case; undefined when it means none. */
export function parseLevel(word: string): DebugLevel | undefined {
  const key = word.trim().toLowerCase();
  return Object.hasOwn(WORDS, key) ? WORDS[key] : undefined;
}

/** True when an entry of `level` passes under `threshold`. */
export function passes(level: LogLevel, threshold: DebugLevel): boolean {
  return DEBUG_LEVELS.indexOf(level) <= DEBUG_LEVELS.indexOf(threshold);
}
