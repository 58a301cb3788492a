import { isPlainObject } from "../../core/values.ts";
import { PRIORITIES } from "../priority.ts";
import { sensitiveNames, withoutSecrets } from "../sensitive.ts";
import type { HookContext, HookResult } from "../service.ts";
import type { Builtin, BuiltinOptions, BuiltinParts } from "./index.ts";
import { pointsOrAll } from "./quiet-points.ts";
import { isoTime } from "./timestamp.ts";

const SEVERITIES = ["info", "low", "medium", "high", "critical"] as const;
type Severity = (typeof SEVERITIES)[number];

interface Finding {
  rule: string;
  severity: Severity;
  detail: string;
}

/** What no parameter of an ordinary call holds. */
const RULES: readonly { rule: string; severity: Severity; pattern: RegExp }[] = [
  { rule: "path_traversal", severity: "high", pattern: /(^|[\\/])\.\.([\\/]|$)/ },
  {
    rule: "command_injection",
    severity: "critical",
    pattern: /(;|&&|\|\|?)\s*(rm|curl|wget|sh|bash|sudo|chmod|nc)\b|\$\([^)]*\)|`[^`\n]+`/,
  },
  {
    rule: "code_injection",
    severity: "high",
    pattern: /<script\b|'\s*or\s+'?\d+'?\s*=\s*'?\d+|;\s*drop\s+table\b|\bunion\s+select\b/i,
  },
];

const MINUTE_MS = 60_000;
const MOST_COMPONENTS = 10_000;

/** Writes down who did what, and what about it looks wrong; with `blocking`, stops that. */
export function securityHook(
  options: BuiltinOptions<"security">,
  { log, now = () => performance.now() }: BuiltinParts,
): Builtin {
  const { audit, max_events, min_severity, blocking } = options;
  const isSensitive = sensitiveNames(options.sensitive_names);
  const events: Record<string, unknown>[] = [];
  const calls = new Map<string, { sinceMs: number; count: number }>();
  const counts: Record<Severity, number> = { info: 0, low: 0, medium: 0, high: 0, critical: 0 };

  const rateFinding = (context: HookContext): Finding | undefined => {
    const key = `${context.component.type} ${context.component.name}`;
    let span = calls.get(key);
    if (span === undefined || now() - span.sinceMs >= MINUTE_MS) {
      span = { sinceMs: now(), count: 0 };
      calls.delete(key);
      calls.set(key, span);
      if (calls.size > MOST_COMPONENTS) calls.delete(calls.keys().next().value!);
    }
    span.count++;
    const most = options.max_calls_per_minute;
    if (span.count <= most) return undefined;
    return { rule: "rate", severity: "medium", detail: `more than ${most} calls a minute` };
  };
  const run = (context: HookContext): HookResult | undefined => {
    const { point, component, data, correlationId, timestampMs } = context;
    const begins = point.startsWith("Before");
    const findings: Finding[] = [];
    if (begins && options.check_parameters)
      findings.push(...findingsIn(data.params ?? data.input, "params", options.max_parameter_length));
    const rate = begins && options.rate_limiting ? rateFinding(context) : undefined;
    if (rate !== undefined) findings.push(rate);
    if (point === "SecurityViolation")
      findings.push({ rule: "denial", severity: "high", detail: String(data.detail ?? data.rule ?? "") });
    const severity = worst(findings);
    counts[severity]++;
    if (audit && SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(min_severity)) {
      events.push({
        timestamp: isoTime(timestampMs),
        point,
        component_type: component.type,
        component: component.name,
        correlation_id: correlationId,
        severity,
        findings,
        data: withoutSecrets(data, isSensitive),
      });
      if (events.length > max_events) events.shift();
    }
    if (findings.length === 0 || point === "SecurityViolation") return undefined;
    const [first] = findings as [Finding];
    log.warn("security", "suspicious operation", {
      point,
      component: component.name,
      ...first,
      blocked: blocking,
    });
    if (!blocking) return undefined;
    return { type: "cancel", reason: `security rule ${first.rule}: ${first.detail}` };
  };
  return {
    description: "Audits operations and looks at their parameters",
    spec: { points: pointsOrAll([]), run, priority: PRIORITIES.highest, immediate: true },
    report: () => ({ events: [...events], counts: { ...counts } }),
  };
}

function worst(findings: readonly Finding[]): Severity {
  const at = findings.map(({ severity }) => SEVERITIES.indexOf(severity));
  return SEVERITIES[Math.max(0, ...at)]!;
}

function* findingsIn(value: unknown, path: string, maxLength: number): Generator<Finding> {
  if (typeof value === "string") {
    if (value.length > maxLength)
      yield { rule: "length", severity: "medium", detail: `${path} has ${value.length} characters` };
    const text = value.slice(0, maxLength);
    for (const { rule, severity, pattern } of RULES)
      if (pattern.test(text)) yield { rule, severity, detail: path };
  } else if (Array.isArray(value)) {
    for (const [i, entry] of value.entries()) yield* findingsIn(entry, `${path}[${i + 1}]`, maxLength);
  } else if (isPlainObject(value)) {
    for (const [key, entry] of Object.entries(value)) yield* findingsIn(entry, `${path}.${key}`, maxLength);
  }
}
