/** Methods of an agent that tell how it does: metrics, health, alerts, and what it is. */

import { Type } from "typebox";
import { type AlertCondition, type AlertRule, HEALTH_STATES, type Operator } from "../../agents/alerts.ts";
import type { Agent } from "../../agents/service.ts";
import { nowMs } from "../../core/clock.ts";
import { SpellError } from "../../core/errors.ts";
import { AnyTable, AnyValue, type FunctionDecl, methodsOf, optional, param } from "../declare.ts";
import { configTable } from "./config.ts";
import { flag, number, present, type Table, table, text } from "./fields.ts";

const { wait } = methodsOf<Agent>();

const nowSeconds = (): number => Math.floor(nowMs() / 1000);

export function metricsTable(agent: Agent): Table {
  const { total_executions, avg_execution_time_ms, success_rate, error_rate, ...values } =
    agent.metrics.values();
  const { cost_usd, first_token_ms } = agent.payer.usage.figures();
  return present<Table>({
    agent_id: agent.id,
    ...values,
    cost_usd,
    first_token_ms,
    budget: agent.payer.budget?.report() as Table | undefined,
  });
}

export function capabilitiesOf(agent: Agent): Table {
  return {
    supports_streaming: true,
    supports_tools: agent.kind === "llm",
    supports_context: agent.kind === "llm",
    supports_multimodal: agent.model?.seesImages ?? false,
  };
}

/** What the agent is, under the names that old scripts look for. */
export function describeAgent(agent: Agent): Table {
  return present<Table>({
    id: agent.id,
    name: agent.name,
    description: agent.description,
    type: agent.kind,
    category: "agent",
    model: agent.model?.modelId,
    provider: agent.model?.provider,
    state: agent.lifecycle.state,
    tools: [...agent.toolNames],
  });
}

const reads = (doc: string, returns: string, read: (agent: Agent) => unknown): FunctionDecl =>
  wait({ doc, params: [], returns, handler: (ctx) => read(ctx.self) ?? null });

export const monitoringMethods: Record<string, FunctionDecl> = {
  get_name: reads("The agent's name.", "string", (agent) => agent.name),
  get_type: reads("`llm`, `basic` or `composite`.", "string", (agent) => agent.kind),
  get_model: reads("The model's id.", "string or nil", (agent) => agent.model?.modelId),
  get_capabilities: reads(
    "What the agent can do.",
    "{supports_streaming, supports_tools, supports_context, supports_multimodal}",
    capabilitiesOf,
  ),
  get_info: reads(
    "What the agent is.",
    "{id, name, description, type, model?, provider?, state, tools}",
    describeAgent,
  ),
  get_config: reads("The effective settings, without the key.", "table", (agent) =>
    configTable(agent.config),
  ),
  get_metrics: reads(
    "Counts of turns, tool calls and calls of models (with those that its members and tools make), what the latter took and cost, and what is left of a budget; `memory_bytes` is the size of the conversation, `cpu_percent` the process's CPU time during the agent's turns against their duration.",
    "{agent_id, requests_total, requests_failed, requests_active, tool_invocations, memory_bytes, cpu_percent, model_calls, cached_calls, retries, prompt_tokens, completion_tokens, cached_tokens, total_tokens, cost_usd?, first_token_ms?, budget?}",
    metricsTable,
  ),
  get_health: reads(
    "`Healthy`; `Degraded` when the last turn failed; `Unhealthy` when its state takes no turns.",
    "{status, message?, timestamp}",
    (agent) => ({ ...agent.health(), timestamp: nowSeconds() }),
  ),
  get_performance: reads(
    "Figures over all turns that have ended; nil before the first. Rates are 0 to 1.",
    "{total_executions, avg_execution_time_ms, success_rate, error_rate} or nil",
    (agent) => {
      const { total_executions, avg_execution_time_ms, success_rate, error_rate } = agent.metrics.values();
      if (total_executions === 0) return null;
      return { total_executions, avg_execution_time_ms, success_rate, error_rate };
    },
  ),
  get_bridge_metrics: wait({
    doc: "Figures of the process.",
    params: [],
    returns:
      "{active_agents, total_tools, performance = {memory_usage_mb, cpu_usage_percent, uptime_seconds}}",
    handler: async (ctx) => {
      const uptimeSeconds = process.uptime();
      const cpu = process.cpuUsage();
      return {
        active_agents: (await ctx.services.agents()).list().length,
        total_tools: (await ctx.services.tools()).list().length,
        performance: {
          memory_usage_mb: process.memoryUsage.rss() / 1024 / 1024,
          cpu_usage_percent: (cpu.user + cpu.system) / 10_000 / uptimeSeconds,
          uptime_seconds: uptimeSeconds,
        },
      };
    },
  }),
  logEvent: wait({
    doc: "Writes a line about the agent to the log.",
    params: [
      param("kind", Type.String(), "What kind of event"),
      optional("message", AnyValue, "Text, or a table of facts"),
    ],
    returns: "nil",
    aliases: ["log_event"],
    handler: (ctx, kind, message) => {
      const words = text(message);
      const facts = table(message);
      ctx.services.log.info("agent", words === undefined ? kind : `${kind}: ${words}`, {
        agent: ctx.self.name,
        ...facts,
      });
      return null;
    },
  }),
  configure_alerts: wait({
    doc: 'Adds an alert rule, or replaces the one of that name. Conditions: `{type="metric_threshold", metric_name, operator, threshold, duration_seconds=60}`, `{type="health_status", status}`, `{type="error_rate", rate_percent}`.',
    params: [
      param("rule", AnyTable, '`{name, severity="warning", condition, cooldown_seconds?, enabled=true}`'),
    ],
    returns: "nil",
    handler: (ctx, rule) => {
      ctx.self.alerts.configure(alertRule(rule));
      return null;
    },
  }),
  get_alerts: reads(
    "The last 1000 alerts, oldest first; rules are looked at after each turn and now.",
    "{name, severity, message, timestamp}[]",
    (agent) =>
      agent.alerts.list().map((alert) => ({
        name: alert.rule,
        severity: alert.severity,
        message: alert.message,
        timestamp: Math.floor(alert.atMs / 1000),
      })),
  ),
};

const OPERATORS: Readonly<Record<string, Operator>> = {
  ">": ">",
  greater_than: ">",
  ">=": ">=",
  greater_than_or_equal: ">=",
  "<": "<",
  less_than: "<",
  "<=": "<=",
  less_than_or_equal: "<=",
  "==": "==",
  equals: "==",
  "!=": "!=",
  not_equals: "!=",
};

function alertRule(given: Table): AlertRule {
  const name = text(given.name);
  if (name === undefined) throw invalid("name", "is required");
  return present<AlertRule>({
    name,
    severity: text(given.severity) ?? "warning",
    condition: alertCondition(table(given.condition) ?? {}),
    cooldownSeconds: number(given.cooldown_seconds),
    enabled: flag(given.enabled) ?? true,
  });
}

function alertCondition(given: Table): AlertCondition {
  switch (given.type) {
    case "metric_threshold": {
      const metricName = text(given.metric_name);
      const operator = OPERATORS[text(given.operator)?.toLowerCase() ?? ">"];
      const threshold = number(given.threshold);
      if (metricName === undefined) throw invalid("condition.metric_name", "is required");
      if (threshold === undefined) throw invalid("condition.threshold", "must be a number");
      if (operator === undefined)
        throw invalid("condition.operator", `must be one of ${Object.keys(OPERATORS).join(", ")}`);
      const durationSeconds = number(given.duration_seconds) ?? 60;
      return { type: "metric_threshold", metricName, operator, threshold, durationSeconds };
    }
    case "health_status": {
      const status = text(given.status);
      if (status === undefined) throw invalid("condition.status", "is required");
      if (!HEALTH_STATES.some((state) => state.toLowerCase() === status.toLowerCase()))
        throw invalid("condition.status", `must be one of ${HEALTH_STATES.join(", ")}: ${status}`);
      return { type: "health_status", status };
    }
    case "error_rate": {
      const ratePercent = number(given.rate_percent);
      if (ratePercent === undefined) throw invalid("condition.rate_percent", "must be a number");
      return { type: "error_rate", ratePercent };
    }
    default:
      throw invalid("condition.type", "must be one of metric_threshold, health_status, error_rate");
  }
}

const invalid = (field: string, rule: string) =>
  new SpellError("invalid_argument", `Cannot configure alerts: "${field}" ${rule}`);
