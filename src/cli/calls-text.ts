/** What a run has asked of models, and would ask, as tables for people. */
import type { PlannedCalls, UsageReport } from "../kernel/api.ts";

type Figures = Omit<UsageReport, "by_model" | "by_agent" | "by_workflow" | "budget">;

const HEAD = ["calls", "retries", "prompt", "cached", "answer", "cost", "first", "time"];

export function usageText(usage: UsageReport): string {
  if (usage.calls === 0 && usage.refused === 0) return "Usage: no model was called";
  const rows = [
    ["Usage", ...HEAD],
    ...usage.by_model.map((of) => [`${of.provider}/${of.model}`, ...figures(of)]),
    ...(usage.by_workflow.length === 0
      ? []
      : usage.by_workflow.map((of) => [`workflow ${of.workflow}`, ...figures(of)])),
    ...usage.by_agent.map((of) => [`agent ${of.agent}`, ...figures(of)]),
    ["total", ...figures(usage)],
  ];
  return [aligned(rows), ...remarks(usage)].join("\n");
}

function figures(of: Figures): string[] {
  return [
    String(of.calls),
    String(of.retries),
    String(of.prompt_tokens),
    String(of.cached_tokens),
    String(of.completion_tokens),
    of.cost_usd === undefined ? "-" : usd(of.cost_usd),
    of.first_token_ms === undefined ? "-" : time(of.first_token_ms),
    time(of.duration_ms),
  ];
}

function remarks(usage: UsageReport): string[] {
  const { failed, refused, cached, estimated_calls, unpriced_calls, budget } = usage;
  const lines: string[] = [];
  if (failed > 0) lines.push(`${calls(failed)} failed`);
  if (refused > 0) lines.push(`${calls(refused)} refused by a budget`);
  if (cached > 0) lines.push(`${calls(cached)} answered from the cache`);
  if (estimated_calls > 0) lines.push(`${calls(estimated_calls)} without a whole answer: tokens estimated`);
  if (unpriced_calls > 0) lines.push(`${calls(unpriced_calls)} without a known price: not in the cost`);
  if (budget !== undefined) lines.push(`Budget: ${budgetText(budget)}`);
  return lines;
}

function budgetText(budget: Record<string, unknown>): string {
  const part = (name: string, show: (value: number) => string = String) => {
    const of = budget[name] as { allowed: number; spent?: number } | undefined;
    if (of === undefined) return [];
    const spent = of.spent === undefined ? "" : `${show(of.spent)} of `;
    return [`${name.replace(/_(usd|ms)$/, "")} ${spent}${show(of.allowed)}`];
  };
  return [...part("tokens"), ...part("cost_usd", usd), ...part("calls"), ...part("time_ms", time)].join(", ");
}

export function plannedText({ models, tools, max_cost_usd }: PlannedCalls): string {
  if (models.length === 0 && tools.length === 0) return "Dry run: nothing would be called";
  const lines = ["Dry run: nothing was called. As far as the script got with placeholders, it would call:"];
  if (models.length > 0) {
    const rows = models.map((of) => [
      `${of.provider}/${of.model}`,
      of.kind,
      String(of.calls),
      String(of.prompt_tokens),
      of.max_tokens === null ? "no limit" : String(of.max_tokens),
      of.max_cost_usd === undefined ? "-" : of.max_cost_usd === null ? "unknown" : usd(of.max_cost_usd),
    ]);
    lines.push(
      aligned([["Model", "kind", "calls", "prompt about", "answer at most", "cost at most"], ...rows]),
    );
  }
  if (tools.length > 0) {
    const rows = tools.map((of) => [of.tool, String(of.calls), of.ran ? "yes" : "no"]);
    lines.push(aligned([["Tool", "calls", "called"], ...rows]));
  }
  const isPaid = models.some((of) => of.max_cost_usd !== undefined);
  if (isPaid)
    lines.push(
      max_cost_usd === null
        ? "Cost at most: unknown (a price or max_tokens is missing)"
        : `Cost at most: ${usd(max_cost_usd)}`,
    );
  return lines.join("\n");
}

/** The first column to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => Bun.stringWidth(row[i] ?? ""))));
  return rows
    .map((row) =>
      row
        .map((cell, i) => {
          const space = " ".repeat(widths[i]! - Bun.stringWidth(cell));
          return i === 0 ? cell + space : space + cell;
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const calls = (count: number): string => `${count} ${count === 1 ? "call" : "calls"}`;
const usd = (value: number): string =>
  `$${value >= 0.01 || value === 0 ? value.toFixed(4) : value.toPrecision(2)}`;
const time = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
