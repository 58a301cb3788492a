/** How a filter's pattern is read. */
export const PATTERN_TYPES = ["exact", "wildcard", "regex", "hierarchical"] as const;
export type PatternType = (typeof PATTERN_TYPES)[number];
