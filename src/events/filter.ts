/** Which events the configuration lets through (spec/config.md section 2.6). */
import { matchesWildcard } from "../core/wildcard.ts";
import type { EventInput } from "./service.ts";

export interface FilterSettings {
  enabled: boolean;
  emitTimingEvents: boolean;
  emitStateEvents: boolean;
  emitDebugEvents: boolean;
  includeTypes: readonly string[];
  excludeTypes: readonly string[];
  includeComponents: readonly string[];
  excludeComponents: readonly string[];
}

const MAX_REMEMBERED = 10_000;

/** Exclusion wins; an empty include list means all. */
class NameFilter {
  private readonly remembered = new Map<string, boolean>();
  private readonly passesAll: boolean;

  constructor(
    private readonly include: readonly string[],
    private readonly exclude: readonly string[],
  ) {
    this.passesAll = exclude.length === 0 && (include.length === 0 || include.includes("*"));
  }

  passes(name: string): boolean {
    if (this.passesAll) return true;
    let passes = this.remembered.get(name);
    if (passes === undefined) {
      const matches = (pattern: string) => matchesWildcard(pattern, name);
      passes = !this.exclude.some(matches) && (this.include.length === 0 || this.include.some(matches));
      if (this.remembered.size >= MAX_REMEMBERED) this.remembered.clear();
      this.remembered.set(name, passes);
    }
    return passes;
  }
}

const isTiming = (type: string) => type.endsWith(".timing") || type.endsWith(".duration");
const isState = (type: string) => type.startsWith("state.");
const isDebug = (type: string) => type.endsWith(".debug");

export class EventFilter {
  private readonly types: NameFilter;
  private readonly components: NameFilter;
  /** What llmspell itself does not emit. */
  private readonly silent: readonly ((type: string) => boolean)[];

  constructor(private readonly settings: FilterSettings) {
    this.types = new NameFilter(settings.includeTypes, settings.excludeTypes);
    this.components = new NameFilter(settings.includeComponents, settings.excludeComponents);
    this.silent = [
      ...(settings.emitTimingEvents ? [] : [isTiming]),
      ...(settings.emitStateEvents ? [] : [isState]),
      ...(settings.emitDebugEvents ? [] : [isDebug]),
    ];
  }

  /** An event without a source counts as one of its language: `lua`, `native`. */
  passes({ type, source, language = "native" }: EventInput): boolean {
    if (!this.settings.enabled) return false;
    if (language === "native" && this.silent.some((is) => is(type))) return false;
    return this.types.passes(type) && this.components.passes(source ?? language);
  }
}
