/** What scripts do with metrics: numbers go to the metric of a name, which is made at its first use. */
import { SpellError } from "../core/errors.ts";
import type { MetricKind, MetricOptions } from "./instrument.ts";
import type { Labels } from "./names.ts";
import type { MetricsRegistry } from "./registry.ts";

export interface ScriptNumber {
  way: "add" | "record";
  name: string;
  value: number;
  labels: Labels;
  /** What the metric is where there is none yet. */
  otherwise: Pick<MetricOptions, "kind" | "unit">;
}

const TAKES: Readonly<Record<ScriptNumber["way"], readonly MetricKind[]>> = {
  add: ["counter", "gauge"],
  record: ["gauge", "histogram"],
};

const MAX_COMPLAINTS = 100;

export class ScriptMetrics {
  /** Metrics whose failure was said. */
  private readonly refused = new Set<string>();

  constructor(private readonly metrics: MetricsRegistry) {}

  /** Never throws, because nobody waits: a number that cannot be taken is dropped, and said once for its metric. */
  take(number: ScriptNumber): void {
    try {
      this.put(number);
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      const what = error.code === "limit" ? "" : number.name;
      if (this.refused.has(what) || this.refused.size > MAX_COMPLAINTS) return;
      this.refused.add(what);
      this.metrics.log.warn("script", error.message);
    }
  }

  private put({ way, name, value, labels, otherwise }: ScriptNumber): void {
    const known = this.metrics.kindOf(name);
    const options = known !== undefined && TAKES[way].includes(known) ? { kind: known } : otherwise;
    if (options.kind === "counter" && value < 0)
      throw new SpellError("invalid_argument", `Cannot raise metric: counters only rise: ${name}: ${value}`);
    this.metrics.ofScript(name, options)[way](value, labels);
  }

  /** @throws SpellError invalid_argument, already_exists, limit */
  declare(name: string, options: MetricOptions): void {
    const { kind, description, unit, buckets } = options;
    if (buckets !== undefined && !rises(buckets))
      throw new SpellError(
        "invalid_argument",
        `Cannot make metric ${name}: "buckets" must be 1 to 50 rising numbers`,
        { data: { argument: "buckets" }, hint: "For example {1, 10, 100}" },
      );
    this.metrics.ofScript(name, {
      kind,
      ...(description === undefined ? {} : { description: description.slice(0, 512) }),
      ...(unit === undefined ? {} : { unit: unit.slice(0, 63) }),
      ...(buckets === undefined ? {} : { buckets }),
    });
  }
}

function rises(bounds: readonly number[]): boolean {
  if (bounds.length < 1 || bounds.length > 50) return false;
  return bounds.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > bounds[i - 1]!));
}
