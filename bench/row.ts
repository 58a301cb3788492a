/** One line of the table: our figure beside the peer's, measured in the same run, and whether the target holds. */
export interface Row {
  name: string;
  unit: Unit;
  /** Null where it could not be measured. */
  ours: number | null;
  peer: number | null;
  /** What the peer is. */
  peerName: string | null;
  /** `ours / peer`. */
  ratio: number | null;
  /** For people: `≤ 10 ms`, `ratio ≥ 0.97`. */
  target: string;
  holds: "yes" | "no" | "n/a";
  /** Why a figure is missing. */
  note?: string;
}

export type Unit = "ms" | "µs" | "MiB" | "s" | "tok/s" | "texts/s" | "events/s" | "%";

/** A figure that cannot be had on this machine, with the reason shown in the table. Never replaced by a guess. */
export class Unavailable {
  constructor(readonly why: string) {}
}

export type Figure = number | Unavailable;

export interface Target {
  of: "ours" | "ratio";
  at: "most" | "least";
  value: number;
}

export interface Measurement {
  name: string;
  unit: Unit;
  ours: Figure;
  peer: { name: string; figure: Figure } | null;
  target: Target;
}

export function row({ name, unit, ours, peer, target }: Measurement): Row {
  const value = (figure: Figure | undefined) => (typeof figure === "number" ? figure : null);
  const mine = value(ours);
  const theirs = value(peer?.figure);
  const ratio = mine === null || theirs === null ? null : mine / theirs;
  const judged = target.of === "ours" ? mine : ratio;
  const met = judged !== null && (target.at === "most" ? judged <= target.value : judged >= target.value);
  const sign = target.at === "most" ? "≤" : "≥";
  const notes = [ours, peer?.figure].flatMap((figure) => (figure instanceof Unavailable ? [figure.why] : []));
  return {
    name,
    unit,
    ours: mine,
    peer: theirs,
    peerName: peer?.name ?? null,
    ratio,
    target: target.of === "ours" ? `${sign} ${target.value} ${unit}` : `ratio ${sign} ${target.value}`,
    holds: judged === null ? "n/a" : met ? "yes" : "no",
    ...(notes.length === 0 ? {} : { note: notes.join("; ") }),
  };
}

/** One figure beside several peers, a line for each; `target` is that of ours. */
export function rows(
  measurement: Omit<Measurement, "peer">,
  peers: readonly NonNullable<Measurement["peer"]>[],
): Row[] {
  return peers.map((peer, i) =>
    row({
      ...measurement,
      peer,
      name: i === 0 ? measurement.name : `${measurement.name}: beside ${peer.name}`,
    }),
  );
}

function figureText(value: number | null, unit: Unit): string {
  if (value === null) return "–";
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ${unit}`;
}

/** The rows as one aligned table, notes below it. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((r) => [
    r.name,
    figureText(r.ours, r.unit),
    figureText(r.peer, r.unit),
    r.peerName ?? "",
    r.ratio === null ? "–" : r.ratio.toFixed(r.ratio >= 100 ? 0 : 2),
    r.target,
    r.holds,
  ]);
  const lines = [["name", "ours", "peer", "which peer", "ratio", "target", "holds"], ...cells];
  const numeric = new Set([1, 2, 4]);
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const text = lines.map((line) =>
    line
      .map((cell, i) => (numeric.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
  const notes = rows.flatMap((r) => (r.note === undefined ? [] : [`${r.name}: ${r.note}`]));
  return [...text, ...(notes.length === 0 ? [] : ["", ...notes])].join("\n");
}
