import { SpellError } from "../core/errors.ts";
import { linearRegex } from "../core/linear-regex.ts";
import type { DebugLevel } from "./level.ts";
import type { PatternType } from "./pattern-types.ts";

export interface FilterRule {
  readonly pattern: string;
  readonly patternType: PatternType;
  readonly enabled: boolean;
}

interface Rule extends FilterRule {
  matches(module: string): boolean;
}

export interface FilterSettings {
  enabled: readonly string[];
  disabled: readonly string[];
  /** Level by module pattern; the longest matching pattern wins. */
  levels: Readonly<Record<string, DebugLevel>>;
}

/** Verdicts remembered; a script that makes up module names must not grow this without end. */
const MAX_REMEMBERED = 1_000;

/** `*` stands for any run of characters. Linear in practice: only the last star is ever retried. */
function matchesWildcard(pattern: string, text: string): boolean {
  let p = 0;
  let star = -1;
  let retryAt = 0;
  for (let t = 0; t < text.length; ) {
    if (pattern[p] === "*") {
      star = p++;
      retryAt = t;
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star !== -1) {
      p = star + 1;
      t = ++retryAt;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** `a.b` covers `a.b`, `a.b.c` and `a.b::c`. */
function matchesHierarchy(pattern: string, module: string): boolean {
  if (!module.startsWith(pattern)) return false;
  const rest = module.slice(pattern.length);
  return rest === "" || rest.startsWith(".") || rest.startsWith("::");
}

function matcher(pattern: string, type: PatternType): (module: string) => boolean {
  switch (type) {
    case "exact":
      return (module) => module === pattern;
    case "wildcard":
      return (module) => matchesWildcard(pattern, module);
    case "hierarchical":
      return (module) => matchesHierarchy(pattern, module);
    case "regex": {
      const regex = linearRegex(pattern);
      return (module) => regex.test(module);
    }
  }
}

/**
 * Which modules may log. The rule added last that matches decides; a module that no rule matches, and an entry without
 * a module, follow the default.
 */
export class ModuleFilters {
  private rules: Rule[] = [];
  private readonly verdicts = new Map<string, boolean>();
  private readonly levels: { matches(module: string): boolean; level: DebugLevel }[];
  private defaultOn: boolean;

  /** Where the configuration names enabled modules, only those log. */
  constructor(settings: FilterSettings) {
    this.defaultOn = settings.enabled.length === 0;
    for (const pattern of settings.enabled) this.add(pattern, "wildcard", true);
    for (const pattern of settings.disabled) this.add(pattern, "wildcard", false);
    this.levels = Object.entries(settings.levels)
      .sort(([a], [b]) => b.length - a.length || (a < b ? -1 : 1))
      .map(([pattern, level]) => ({ matches: matcher(pattern, "wildcard"), level }));
  }

  get defaultEnabled(): boolean {
    return this.defaultOn;
  }

  set defaultEnabled(enabled: boolean) {
    this.defaultOn = enabled;
    this.verdicts.clear();
  }

  list(): readonly FilterRule[] {
    return this.rules;
  }

  /**
   * A rule for a pattern that already has one replaces it.
   * @throws SpellError invalid_argument for a regular expression that does not compile
   */
  add(pattern: string, patternType: PatternType, enabled: boolean): void {
    const rule = { pattern, patternType, enabled, matches: matcher(pattern, patternType) };
    this.remove(pattern);
    this.rules.push(rule);
  }

  /** `add` for callers that only ask whether the pattern is good. */
  tryAdd(pattern: string, patternType: PatternType, enabled: boolean): boolean {
    try {
      this.add(pattern, patternType, enabled);
      return true;
    } catch (error) {
      if (error instanceof SpellError && error.code === "invalid_argument") return false;
      throw error;
    }
  }

  remove(pattern: string): boolean {
    const before = this.rules.length;
    this.rules = this.rules.filter((rule) => rule.pattern !== pattern);
    this.verdicts.clear();
    return this.rules.length < before;
  }

  clear(): void {
    this.rules = [];
    this.verdicts.clear();
  }

  allows(module: string | undefined): boolean {
    if (module === undefined || this.rules.length === 0) return this.defaultOn;
    const known = this.verdicts.get(module);
    if (known !== undefined) return known;
    const verdict = this.rules.findLast((rule) => rule.matches(module))?.enabled ?? this.defaultOn;
    if (this.verdicts.size >= MAX_REMEMBERED) this.verdicts.clear();
    this.verdicts.set(module, verdict);
    return verdict;
  }

  /** The level configured for a module, where there is one. */
  levelFor(module: string | undefined): DebugLevel | undefined {
    if (module === undefined || this.levels.length === 0) return undefined;
    return this.levels.find((entry) => entry.matches(module))?.level;
  }
}
