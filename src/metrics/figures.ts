/** Figures of what services do, from the spans that they report: calls, errors, durations, tokens. */
import { COST, type Meter, type SpanAttributes } from "../core/span.ts";
import type { Instrument, MetricOptions } from "./instrument.ts";
import type { Labels } from "./names.ts";
import type { MetricsRegistry } from "./registry.ts";

/** The first word of the figures of a span, and which of its attributes are labels. */
interface Rule {
  prefix: string;
  labels: Readonly<Record<string, string>>;
}

const MODEL: Rule = {
  prefix: "model",
  labels: {
    provider: "gen_ai.provider.name",
    model: "gen_ai.request.model",
    operation: "gen_ai.operation.name",
  },
};

/** By category and operation; others count under their category, by operation. */
const RULES: Readonly<Record<string, Rule>> = {
  "script_runtime.execute": { prefix: "execution", labels: {} },
  "tool.execute_tool": { prefix: "tool", labels: { tool: "gen_ai.tool.name" } },
  "agent.invoke_agent": { prefix: "agent", labels: { agent: "gen_ai.agent.name" } },
  "agent.chat": MODEL,
  "vector.embeddings": MODEL,
  "vector.rerank": MODEL,
};

const TOKEN_BUCKETS = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];

/** Requests have figures of their own. */
const UNCOUNTED = new Set(["transport"]);

/** `[kernel.execution]`: what is watched. */
export interface Watching {
  /** Count agents' turns. */
  monitor_agents: boolean;
  /** Count executions. */
  track_performance: boolean;
  /** Log every step as it ends. */
  enable_tracing: boolean;
}

export function meterOf(registry: MetricsRegistry, watching: () => Watching): Meter {
  const known = new Map<string, Figures>();
  const figuresOf = (category: string, operation: string) => {
    const of = `${category}.${operation}`;
    let figures = known.get(of);
    if (figures === undefined) {
      figures = makeFigures(registry, RULES[of], category, operation);
      known.set(of, figures);
    }
    return figures;
  };
  return ({ category, operation, name }, attributes, durationMs, error) => {
    const { monitor_agents, track_performance, enable_tracing } = watching();
    if (enable_tracing)
      registry.log.info("kernel", "step ended", {
        step: name ?? `${category}.${operation}`,
        duration_ms: Math.round(durationMs * 1000) / 1000,
        ...(error === undefined ? {} : { error }),
      });
    if (UNCOUNTED.has(category)) return;
    if (!monitor_agents && operation === "invoke_agent") return;
    if (!track_performance && operation === "execute") return;
    const { rule, labelsOf, calls, duration, errors, tokens, cost } = figuresOf(category, operation);
    const labels = labelsOf(attributes);
    calls.add(1, labels);
    duration.record(durationMs, labels);
    if (error !== undefined) errors().add(1, { ...labels, type: error });
    if (rule !== MODEL) return;
    const paid = attributes[COST];
    if (typeof paid === "number") cost().add(paid, labels);
    for (const type of ["input", "output"] as const) {
      const used = attributes[`gen_ai.usage.${type}_tokens`];
      if (typeof used === "number") tokens().record(used, { ...labels, type });
    }
  };
}

/** The metrics of one kind of span; what may never be needed is made when it is. */
interface Figures {
  rule: Rule | undefined;
  /** The same frozen object for the same labels, as far as that is worth it. */
  labelsOf: (attributes: SpanAttributes) => Labels;
  calls: Instrument;
  duration: Instrument;
  errors: () => Instrument;
  tokens: () => Instrument;
  cost: () => Instrument;
}

function makeFigures(
  registry: MetricsRegistry,
  rule: Rule | undefined,
  category: string,
  operation: string,
): Figures {
  const own = (name: string, options: MetricOptions) =>
    registry.own(`${rule?.prefix ?? category}.${name}`, options);
  return {
    rule,
    labelsOf: rule === undefined ? always({ operation }) : labelsBy(rule),
    calls: own("calls", { kind: "counter", description: "How often it was done." }),
    duration: own("duration", { kind: "histogram", description: "How long it took.", unit: "ms" }),
    errors: () => own("errors", { kind: "counter", description: "How often it failed." }),
    cost: () => own("cost", { kind: "counter", description: "What it cost.", unit: "USD" }),
    tokens: () =>
      own("tokens", {
        kind: "histogram",
        description: "Tokens of a call.",
        unit: "{token}",
        buckets: TOKEN_BUCKETS,
      }),
  };
}

const always = (labels: Labels) => {
  Object.freeze(labels);
  return () => labels;
};

function labelsBy({ labels }: Rule): Figures["labelsOf"] {
  const names = Object.entries(labels);
  const known = new Map<string, Labels>();
  return (attributes) => {
    const values = names.map(([, attribute]) => String(attributes[attribute] ?? ""));
    const key = values.join("\0");
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = Object.freeze(Object.fromEntries(names.map(([label], i) => [label, values[i]!])));
    if (known.size < MOST_KEPT) known.set(key, made);
    return made;
  };
}

const MOST_KEPT = 1000;
