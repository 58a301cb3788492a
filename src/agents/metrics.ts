import { cpuMs, steadyMs } from "../core/clock.ts";
import type { Usage } from "../models/calls/usage.ts";

/** What is measured of one agent's turns, and what is counted of their calls of models. */
export class AgentMetrics {
  total = 0;
  failed = 0;
  active = 0;
  toolInvocations = 0;
  /** Wall time of all turns that have ended. */
  busyMs = 0;
  private cpuMs = 0;

  constructor(
    /** Bytes held for the agent: its conversations. */
    private readonly heldBytes: () => number,
    private readonly usage: Usage,
    private readonly now: () => number = steadyMs,
  ) {}

  get memoryBytes(): number {
    return this.heldBytes();
  }

  /** CPU time of this process while the agent's turns ran, against their wall time; above 100 with several threads. */
  get cpuPercent(): number {
    return this.busyMs > 0 ? (100 * this.cpuMs) / this.busyMs : 0;
  }

  get averageMs(): number {
    const ended = this.total - this.active;
    return ended > 0 ? this.busyMs / ended : 0;
  }

  /** Failed turns among those that have ended, 0 to 1. */
  get errorRate(): number {
    const ended = this.total - this.active;
    return ended > 0 ? this.failed / ended : 0;
  }

  /** Begins to measure a turn; call the result at its end. */
  beginTurn(): (end: "done" | "failed") => void {
    this.total++;
    this.active++;
    const startMs = this.now();
    const startCpuMs = cpuMs();
    return (end) => {
      this.active--;
      this.busyMs += this.now() - startMs;
      this.cpuMs += cpuMs() - startCpuMs;
      if (end === "failed") this.failed++;
    };
  }

  /** The numbers by the names under which scripts and alert rules know them. */
  values(): Record<string, number> {
    const ended = this.total - this.active;
    const { calls, cached, retries, prompt_tokens, completion_tokens, cached_tokens, total_tokens } =
      this.usage.figures();
    const { cost_usd = 0, first_token_ms = 0 } = this.usage.figures();
    return {
      requests_total: this.total,
      requests_failed: this.failed,
      requests_active: this.active,
      tool_invocations: this.toolInvocations,
      memory_bytes: this.memoryBytes,
      cpu_percent: this.cpuPercent,
      model_calls: calls,
      cached_calls: cached,
      retries,
      prompt_tokens,
      completion_tokens,
      cached_tokens,
      total_tokens,
      cost_usd,
      first_token_ms,
      total_executions: ended,
      avg_execution_time_ms: this.averageMs,
      success_rate: ended > 0 ? 1 - this.errorRate : 0,
      error_rate: this.errorRate,
    };
  }
}
