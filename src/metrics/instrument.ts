/** One metric: its series by labels, and how numbers go into them. */
import { percentile } from "../core/percentile.ts";
import { Ring } from "../core/ring.ts";
import { type Labels, labelText } from "./names.ts";

export type MetricKind = "counter" | "gauge" | "histogram";

export interface MetricOptions {
  kind: MetricKind;
  description?: string;
  /** As UCUM writes it: `ms`, `s`, `By`; nothing for plain numbers. */
  unit?: string;
  /** Upper bounds of a histogram's buckets, rising. */
  buckets?: readonly number[];
}

/** Label values without end must not fill memory: past this, numbers go into the series `overflow="true"`. */
export const MAX_SERIES = 200;
const OVERFLOW: Labels = { overflow: "true" };
/** Newest values of a series, for percentiles. */
const SAMPLES = 512;

const MS_BUCKETS = [
  0.1, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000,
];
const PLAIN_BUCKETS = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000];

/** What a histogram has seen under one set of labels. */
export class Distribution {
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** By bucket, each without those below it; the last is above all bounds. */
  readonly counts: number[];
  private readonly recent = new Ring<number>(SAMPLES);

  constructor(readonly bounds: readonly number[]) {
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  add(value: number): void {
    this.count++;
    this.sum += value;
    this.min = Math.min(this.min, value);
    this.max = Math.max(this.max, value);
    const at = this.bounds.findIndex((bound) => value <= bound);
    this.counts[at === -1 ? this.bounds.length : at]!++;
    this.recent.push(value);
  }

  /** The newest values. */
  samples(): number[] {
    return this.recent.last();
  }
}

/** Figures of distributions taken together; undefined where there are no values. */
export function statistics(all: readonly Distribution[]): Record<Statistic, number> | undefined {
  const count = all.reduce((sum, d) => sum + d.count, 0);
  if (count === 0) return undefined;
  const sum = all.reduce((total, d) => total + d.sum, 0);
  const samples = all.flatMap((d) => d.samples());
  return {
    count,
    sum,
    mean: sum / count,
    min: Math.min(...all.map((d) => d.min)),
    max: Math.max(...all.map((d) => d.max)),
    p50: percentile(samples, 50),
    p95: percentile(samples, 95),
    p99: percentile(samples, 99),
  };
}

/** What can be asked of a histogram, as `name.p95`; percentiles are over the newest values. */
export const STATISTICS = ["count", "sum", "mean", "min", "max", "p50", "p95", "p99"] as const;
export type Statistic = (typeof STATISTICS)[number];

export interface Series<V extends number | Distribution = number | Distribution> {
  readonly labels: Labels;
  value: V;
}

/** A metric as exporters see it. */
export interface Family {
  readonly name: string;
  readonly kind: MetricKind;
  readonly description: string;
  readonly unit: string;
  /** A script's own, not the kernel's. */
  readonly isScripted: boolean;
  readonly series: Iterable<Series>;
}

export class Instrument implements Family {
  readonly kind: MetricKind;
  readonly description: string;
  readonly unit: string;
  private readonly bounds: readonly number[];
  private readonly byLabels = new Map<string, Series>();
  /** Of labels that cannot change: found without putting their text together. */
  private readonly byObject = new WeakMap<Labels, Series>();

  constructor(
    readonly name: string,
    options: MetricOptions,
    readonly isScripted: boolean,
    /** Called once, at the first number that finds no room. */
    private readonly onOverflow: (name: string) => void,
  ) {
    this.kind = options.kind;
    this.description = options.description ?? "";
    this.unit = options.unit ?? "";
    this.bounds = options.buckets ?? (this.unit === "ms" ? MS_BUCKETS : PLAIN_BUCKETS);
  }

  get series(): Iterable<Series> {
    return this.byLabels.values();
  }

  /** Of a counter: the sum of its series. */
  get total(): number {
    let sum = 0;
    for (const { value } of this.byLabels.values()) if (typeof value === "number") sum += value;
    return sum;
  }

  /** Raises a counter or a gauge. */
  add(amount: number, labels: Labels = {}): void {
    const series = this.at(labels) as Series<number>;
    series.value += amount;
  }

  /** Sets a gauge, or adds a value to a histogram. */
  record(value: number, labels: Labels = {}): void {
    const series = this.at(labels);
    if (series.value instanceof Distribution) series.value.add(value);
    else series.value = value;
  }

  private at(labels: Labels): Series {
    const seen = this.byObject.get(labels);
    if (seen !== undefined) return seen;
    const series = this.find(labels);
    if (Object.isFrozen(labels)) this.byObject.set(labels, series);
    return series;
  }

  private find(labels: Labels): Series {
    const key = labelText(labels);
    const known = this.byLabels.get(key);
    if (known !== undefined) return known;
    const isFull = this.byLabels.size >= MAX_SERIES && labels !== OVERFLOW;
    if (isFull) {
      if (!this.byLabels.has(labelText(OVERFLOW))) this.onOverflow(this.name);
      return this.find(OVERFLOW);
    }
    const series = { labels, value: this.kind === "histogram" ? new Distribution(this.bounds) : 0 };
    this.byLabels.set(key, series);
    return series;
  }
}
