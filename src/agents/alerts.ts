import { nowMs } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";

export const OPERATORS = {
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
} as const satisfies Record<string, (a: number, b: number) => boolean>;

export type Operator = keyof typeof OPERATORS;

export type AlertCondition =
  /** Holds when the metric has met the threshold for this long. */
  | {
      type: "metric_threshold";
      metricName: string;
      operator: Operator;
      threshold: number;
      durationSeconds: number;
    }
  | { type: "health_status"; status: string }
  /** Holds when more than this share of the ended turns failed, in percent. */
  | { type: "error_rate"; ratePercent: number };

export interface AlertRule {
  name: string;
  severity: string;
  condition: AlertCondition;
  /** While the condition lasts, the alert comes again after this time; undefined: once. */
  cooldownSeconds?: number;
  enabled: boolean;
}

export interface Alert {
  rule: string;
  severity: string;
  message: string;
  atMs: number;
}

/** Unhealthy: its state cannot take a turn. Degraded: the last turn failed. */
export const HEALTH_STATES = ["Healthy", "Degraded", "Unhealthy"] as const;

export interface HealthReport {
  status: (typeof HEALTH_STATES)[number];
  message?: string;
}

interface Watch {
  rule: AlertRule;
  sinceMs?: number;
  firedMs?: number;
}

const ALERT_LIMIT = 1000;

/** An agent's alert rules, looked at after each turn and whenever the alerts are read. */
export class AgentAlerts {
  private readonly watches = new Map<string, Watch>();
  private readonly fired: Alert[] = [];

  constructor(
    private readonly metrics: () => Record<string, number>,
    private readonly health: () => HealthReport,
    private readonly now: () => number = nowMs,
  ) {}

  /** Adds a rule or replaces the one of that name. */
  configure(rule: AlertRule): void {
    if (rule.condition.type === "metric_threshold") {
      const { metricName } = rule.condition;
      const known = Object.keys(this.metrics());
      if (!known.includes(metricName)) {
        const hint = didYouMean(metricName, known) ?? `Metrics are ${known.join(", ")}`;
        throw new SpellError(
          "invalid_argument",
          `Cannot configure alert "${rule.name}": no such metric: ${metricName}`,
          {
            hint,
          },
        );
      }
    }
    this.watches.set(rule.name, { rule });
  }

  /** The last 1000 alerts, oldest first. */
  list(): readonly Alert[] {
    this.check();
    return this.fired;
  }

  check(): void {
    const nowMs = this.now();
    for (const watch of this.watches.values()) {
      const message = watch.rule.enabled ? this.breach(watch.rule.condition) : undefined;
      if (message === undefined) {
        delete watch.sinceMs;
        delete watch.firedMs;
        continue;
      }
      watch.sinceMs ??= nowMs;
      const { condition, cooldownSeconds } = watch.rule;
      const mustHoldMs = condition.type === "metric_threshold" ? condition.durationSeconds * 1000 : 0;
      if (nowMs - watch.sinceMs < mustHoldMs) continue;
      const again = cooldownSeconds !== undefined && nowMs - (watch.firedMs ?? 0) >= cooldownSeconds * 1000;
      if (watch.firedMs !== undefined && !again) continue;
      watch.firedMs = nowMs;
      this.fired.push({ rule: watch.rule.name, severity: watch.rule.severity, message, atMs: nowMs });
      if (this.fired.length > ALERT_LIMIT) this.fired.shift();
    }
  }

  /** What is wrong, or undefined. */
  private breach(condition: AlertCondition): string | undefined {
    switch (condition.type) {
      case "metric_threshold": {
        const value = this.metrics()[condition.metricName]!;
        if (!OPERATORS[condition.operator](value, condition.threshold)) return undefined;
        return `${condition.metricName} is ${value} (${condition.operator} ${condition.threshold})`;
      }
      case "health_status": {
        const { status } = this.health();
        return status.toLowerCase() === condition.status.toLowerCase() ? `Health is ${status}` : undefined;
      }
      case "error_rate": {
        const percent = 100 * this.metrics().error_rate!;
        return percent > condition.ratePercent
          ? `Error rate is ${percent.toFixed(1)} % (above ${condition.ratePercent} %)`
          : undefined;
      }
    }
  }
}
