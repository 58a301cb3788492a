/** Which backups stay: spec/agents-workflows-rag.md section 9.5. Pure. */

export interface Kept {
  id: string;
  createdAtMs: number;
  isIncremental: boolean;
  parentId: string | null;
}

export type RetentionPolicy =
  | { type: "time"; maxAgeMs: number }
  | { type: "count"; maxCount: number }
  /** Keeps the newest full backup, and what is of at least this importance. */
  | { type: "importance"; from: Importance }
  /** Any of its policies keeps; a count among them has the last word. */
  | { type: "composite"; policies: readonly RetentionPolicy[] };

/** The newest full backup; the first of its day, or a full one; any other. */
export type Importance = "critical" | "important" | "normal";

const RANK: Record<Importance, number> = { critical: 2, important: 1, normal: 0 };

export interface RetentionPlan {
  keep: string[];
  /** In an order in which no backup goes before one that needs it. */
  remove: string[];
}

/** @param spared these stay, whatever the policy says; so do those on which they build */
export function planRetention(
  backups: readonly Kept[],
  policy: RetentionPolicy,
  nowMs: number,
  spared: readonly string[] = [],
): RetentionPlan {
  const newestFirst = backups.toSorted((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1));
  const importance = importanceOf(newestFirst);
  const wanted = new Set(
    newestFirst
      .filter((backup) => spared.includes(backup.id) || keeps(policy, backup, importance, nowMs))
      .map(({ id }) => id),
  );
  const kept = withParents(newestFirst, wanted);
  const most = countOf(policy);
  if (most !== undefined) shrink(newestFirst, kept, importance, { most, spared });
  const remove = newestFirst.filter(({ id }) => !kept.has(id)).map(({ id }) => id);
  return { keep: newestFirst.filter(({ id }) => kept.has(id)).map(({ id }) => id), remove };
}

function keeps(
  policy: RetentionPolicy,
  backup: Kept,
  importance: ReadonlyMap<string, Importance>,
  nowMs: number,
): boolean {
  switch (policy.type) {
    case "time":
      return nowMs - backup.createdAtMs <= policy.maxAgeMs;
    case "count":
      return true; // `shrink` decides
    case "importance":
      return RANK[importance.get(backup.id)!] >= RANK[policy.from];
    case "composite": {
      const others = policy.policies.filter(({ type }) => type !== "count");
      return others.length === 0 || others.some((one) => keeps(one, backup, importance, nowMs));
    }
  }
}

/** The smallest count of the policy. */
function countOf(policy: RetentionPolicy): number | undefined {
  if (policy.type === "count") return policy.maxCount;
  if (policy.type !== "composite") return undefined;
  const counts = policy.policies.map(countOf).filter((count) => count !== undefined);
  return counts.length === 0 ? undefined : Math.min(...counts);
}

function importanceOf(newestFirst: readonly Kept[]): Map<string, Importance> {
  const newestFull = newestFirst.find(({ isIncremental }) => !isIncremental)?.id;
  const firstOfDay = new Map(newestFirst.map(({ createdAtMs, id }) => [dayOf(createdAtMs), id]));
  return new Map(
    newestFirst.map(({ id, isIncremental, createdAtMs }) => [
      id,
      id === newestFull
        ? "critical"
        : !isIncremental || firstOfDay.get(dayOf(createdAtMs)) === id
          ? "important"
          : "normal",
    ]),
  );
}

const dayOf = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 10);

function withParents(backups: readonly Kept[], wanted: ReadonlySet<string>): Set<string> {
  const byId = new Map(backups.map((backup) => [backup.id, backup]));
  const kept = new Set<string>();
  for (const id of wanted)
    for (let at = byId.get(id); at !== undefined && !kept.has(at.id); at = byId.get(at.parentId ?? ""))
      kept.add(at.id);
  return kept;
}

/** Takes the least important, the oldest of them first, and never one that another needs or the newest of all. */
function shrink(
  newestFirst: readonly Kept[],
  kept: Set<string>,
  importance: ReadonlyMap<string, Importance>,
  { most, spared }: { most: number; spared: readonly string[] },
): void {
  const oldestFirst = newestFirst
    .slice(1)
    .reverse()
    .filter(({ id }) => !spared.includes(id));
  while (kept.size > most) {
    const needed = new Set(newestFirst.filter(({ id }) => kept.has(id)).map(({ parentId }) => parentId));
    const free = oldestFirst.filter(({ id }) => kept.has(id) && !needed.has(id));
    const rank = ({ id }: Kept) => RANK[importance.get(id)!];
    const least = Math.min(...free.map(rank));
    const next = free.find((backup) => rank(backup) === least && least < RANK.critical);
    if (next === undefined) return;
    kept.delete(next.id);
  }
}
