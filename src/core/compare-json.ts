/** How far two JSON values are the same. */

export interface Difference {
  /** `$.items[2].name`. */
  path: string;
  description: string;
}

export interface Comparison {
  identical: boolean;
  /** Share of the members and elements that are equal, 0 to 1. */
  similarity_score: number;
  summary: string;
  differences: Difference[];
}

const MOST_DIFFERENCES = 100;

export function compareJson(a: unknown, b: unknown): Comparison {
  const count = { equal: 0, all: 0 };
  const differences: Difference[] = [];
  const differ = (path: string, description: string, weight: number) => {
    count.all += weight;
    differences.push({ path, description });
  };
  const compare = (left: unknown, right: unknown, path: string): void => {
    if (isContainer(left) && isContainer(right) && Array.isArray(left) === Array.isArray(right)) {
      const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
      if (keys.size === 0) {
        count.all++;
        count.equal++;
      }
      for (const key of keys) {
        const place = Array.isArray(left) ? `${path}[${key}]` : `${path}.${key}`;
        const mine = (left as Record<string, unknown>)[key] ?? null;
        const theirs = (right as Record<string, unknown>)[key] ?? null;
        if (!Object.hasOwn(right, key) && mine !== null)
          differ(place, `removed: ${shown(mine)}`, leaves(mine));
        else if (!Object.hasOwn(left, key) && theirs !== null)
          differ(place, `added: ${shown(theirs)}`, leaves(theirs));
        else compare(mine, theirs, place);
      }
      return;
    }
    if (isSame(left, right)) {
      count.all++;
      count.equal++;
    } else differ(path, `changed: ${shown(left)} → ${shown(right)}`, Math.max(leaves(left), leaves(right)));
  };
  compare(a, b, "$");
  const identical = differences.length === 0;
  return {
    identical,
    similarity_score: count.all === 0 ? 1 : count.equal / count.all,
    summary: identical
      ? "identical"
      : `${differences.length} difference${differences.length === 1 ? "" : "s"}`,
    differences: differences.slice(0, MOST_DIFFERENCES),
  };
}

const isContainer = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Integers beyond 2^53 come as `bigint`. */
const isSame = (a: unknown, b: unknown): boolean =>
  (a ?? null) === (b ?? null) ||
  ((typeof a === "bigint" || typeof b === "bigint") && String(a) === String(b));

function leaves(value: unknown): number {
  if (!isContainer(value)) return 1;
  return Math.max(
    1,
    Object.values(value).reduce((sum: number, item) => sum + leaves(item), 0),
  );
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, item) => (typeof item === "bigint" ? String(item) : item)) ?? "null";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
