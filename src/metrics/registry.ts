/** The metrics of one kernel: the kernel's own and those of scripts. */
import { SpellError } from "../core/errors.ts";
import { type Log, silentLog } from "../core/log.ts";
import {
  Distribution,
  type Family,
  Instrument,
  MAX_SERIES,
  type MetricKind,
  type MetricOptions,
  type Series,
  STATISTICS,
  type Statistic,
  statistics,
} from "./instrument.ts";
import { type Labels, labelText } from "./names.ts";
import { sampleNames } from "./prometheus.ts";
import { ScriptMetrics } from "./script.ts";

/** Scripts that make up names without end must not fill memory. */
export const MAX_SCRIPT_METRICS = 1000;

export class MetricsRegistry {
  private readonly instruments = new Map<string, Instrument>();
  /** Names in Prometheus' text, by the metric that has them. */
  private readonly exposed = new Map<string, string>();
  private readonly sources = new Set<() => readonly Family[]>();
  /** What scripts do with them. */
  readonly scripts = new ScriptMetrics(this);
  private scripted = 0;

  constructor(readonly log: Log = silentLog) {}

  /** The kernel's metric of this name. */
  own(name: string, options: MetricOptions): Instrument {
    return this.instrument(name, options, false);
  }

  /**
   * A script's metric; made at the first call.
   * @throws SpellError already_exists (of another kind, or alike for Prometheus), limit
   */
  ofScript(name: string, options: MetricOptions): Instrument {
    return this.instrument(name, options, true);
  }

  kindOf(name: string): MetricKind | undefined {
    return this.instruments.get(name)?.kind;
  }

  private instrument(name: string, options: MetricOptions, isScripted: boolean): Instrument {
    const known = this.instruments.get(name);
    if (known !== undefined) {
      if (known.kind !== options.kind) throw otherKind(name, known.kind, options.kind);
      return known;
    }
    if (isScripted && this.scripted >= MAX_SCRIPT_METRICS)
      throw new SpellError("limit", `Cannot make metric: there are ${MAX_SCRIPT_METRICS} already: ${name}`, {
        data: { limit: "metrics", max: MAX_SCRIPT_METRICS },
        hint: "Put what varies into labels instead of the name",
      });
    const made = new Instrument(name, options, isScripted, (full) =>
      this.log.warn("script", `More than ${MAX_SERIES} label combinations: the rest counts as one`, {
        metric: full,
      }),
    );
    const exposed = sampleNames(made);
    const alike = exposed.map((text) => this.exposed.get(text)).find((other) => other !== undefined);
    if (alike !== undefined)
      throw new SpellError(
        "already_exists",
        `Cannot make metric: Prometheus would show it as "${alike}": ${name}`,
        { hint: "Choose a name that differs in letters or digits" },
      );
    for (const text of exposed) this.exposed.set(text, name);
    this.instruments.set(name, made);
    if (isScripted) this.scripted++;
    return made;
  }

  /** Figures that are read when they are asked for. */
  addSource(read: () => readonly Family[]): Disposable {
    this.sources.add(read);
    return { [Symbol.dispose]: () => void this.sources.delete(read) };
  }

  /** Every metric, by name. */
  families(): Family[] {
    const all: Family[] = [...this.instruments.values()];
    for (const read of this.sources) all.push(...read());
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * The number of a metric: the sum of a counter's series; a gauge's value where the labels leave one series; a
   * histogram's mean, or another figure by its name (`model.duration.p95`).
   * @param labels only series that have all of these
   */
  get(name: string, labels: Labels = {}): number | undefined {
    const whole = this.family(name);
    if (whole !== undefined) return numberOf(whole, "mean", labels);
    const statistic = STATISTICS.find((word) => name.endsWith(`.${word}`));
    if (statistic === undefined) return undefined;
    const base = this.family(name.slice(0, -statistic.length - 1));
    return base?.kind === "histogram" ? numberOf(base, statistic, labels) : undefined;
  }

  private family(name: string): Family | undefined {
    const made = this.instruments.get(name);
    if (made !== undefined) return made;
    for (const read of this.sources) {
      const found = read().find((family) => family.name === name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * Every number by name: totals with all their figures, and for each series with labels `name{label="value"}`, of
   * histograms only the `count` and the `sum`.
   */
  snapshot(): Record<string, number> {
    const numbers: Record<string, number> = {};
    const put = (name: string, value: number | undefined) => {
      if (value !== undefined) numbers[name] = value;
    };
    for (const family of this.families()) {
      if (family.kind !== "histogram") put(family.name, numberOf(family, "mean", {}));
      else for (const word of STATISTICS) put(`${family.name}.${word}`, numberOf(family, word, {}));
      for (const { labels, value } of family.series) {
        const of = labelText(labels);
        if (of === "") continue;
        if (!(value instanceof Distribution)) put(`${family.name}${of}`, value);
        else {
          put(`${family.name}.count${of}`, value.count);
          put(`${family.name}.sum${of}`, value.sum);
        }
      }
    }
    return numbers;
  }
}

function numberOf(family: Family, statistic: Statistic, labels: Labels): number | undefined {
  const wanted = Object.entries(labels);
  const series = [...family.series].filter((one) =>
    wanted.every(([name, value]) => one.labels[name] === value),
  );
  return together(family.kind, statistic, series);
}

function together(kind: MetricKind, statistic: Statistic, series: readonly Series[]): number | undefined {
  if (series.length === 0) return undefined;
  if (kind === "histogram") return statistics(series.map(({ value }) => value as Distribution))?.[statistic];
  if (kind === "gauge" && series.length > 1) return undefined;
  return series.reduce((sum, { value }) => sum + (value as number), 0);
}

function otherKind(name: string, is: MetricKind, asked: MetricKind): SpellError {
  return new SpellError("already_exists", `Cannot use metric as a ${asked}: it is a ${is}: ${name}`, {
    hint: "Choose another name",
  });
}
