/** Executions as the event bus is told of them, where there is one (spec/kernel.md section 18.5). */
import { randomUUID } from "node:crypto";
import { errorToJson } from "../core/errors.ts";
import type { EventService } from "../events/service.ts";
import type { ExecuteReply, ExecuteRequest, RequestOptions } from "./api.ts";
import type { ScriptSession } from "./execution.ts";

export class ToldExecutions {
  private count = 0;
  private running = 0;

  get areRunning(): boolean {
    return this.running > 0;
  }

  constructor(private readonly bus: () => EventService | undefined) {}

  async tell(
    request: ExecuteRequest,
    options: RequestOptions,
    session: Pick<ScriptSession, "execute">,
  ): Promise<ExecuteReply> {
    const id = options.id ?? randomUUID();
    const execution_count = ++this.count;
    const startedMs = performance.now();
    const publish = (type: string, data: Record<string, unknown>) =>
      this.bus()?.publish({ type: `kernel.${type}`, data, source: "kernel", correlationId: id });
    publish("execute_request", { name: request.name, language: request.language, execution_count });
    if (++this.running === 1) publish("status_change", { execution_state: "busy" });
    const ended = (outcome: Record<string, unknown>) => {
      const duration_ms = performance.now() - startedMs;
      publish("execute_reply", { ...outcome, execution_count, duration_ms });
      if (--this.running === 0) publish("status_change", { execution_state: "idle" });
    };
    try {
      const reply = await session.execute(request, { ...options, id });
      ended({ status: "ok" });
      return reply;
    } catch (error) {
      const { code, message } = errorToJson(error);
      ended({ status: code === "interrupted" ? "aborted" : "error", error: message });
      throw error;
    }
  }
}
