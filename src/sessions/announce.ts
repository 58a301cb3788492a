/** What others hear of sessions: events on the bus, and hooks that may have their say (spec/kernel.md section 14). */
import { SpellError } from "../core/errors.ts";
import type { EventService } from "../events/service.ts";
import type { HookRunner } from "../hooks/service.ts";
import { type SessionRow, time } from "./rows.ts";

export interface Announcing {
  events: () => Promise<EventService>;
  hooks: () => Promise<HookRunner>;
}

export type SessionPoint =
  | "SessionStart"
  | "SessionEnd"
  | "SessionCheckpoint"
  | "SessionRestore"
  | "SessionSave"
  | "AfterToolExecution";

export class Announcer {
  constructor(private readonly to: Announcing) {}

  /** Every event of a session has the session's correlation id. */
  async publish(type: string, row: SessionRow, data: Record<string, unknown> = {}): Promise<void> {
    const events = await this.to.events();
    events.publish({
      type,
      data: { session_id: row.id, ...data },
      correlationId: row.correlation_id,
      source: "session",
      tags: [`session_id:${row.id}`],
    });
  }

  /**
   * @param action what a hook that cancels prevents: `create session`
   * @throws SpellError permission_denied
   */
  async runHooks(
    point: SessionPoint,
    action: string,
    row: SessionRow,
    data: Record<string, unknown>,
    metadata: Record<string, string> = {},
  ): Promise<void> {
    const hooks = await this.to.hooks();
    if (!hooks.has(point)) return;
    const result = await hooks.run({
      point,
      component: { type: "System", name: "session", id: row.id },
      data: { ...fieldsOf(row), ...data },
      metadata: { session_id: row.id, ...metadata },
      correlationId: row.correlation_id,
    });
    await this.publish("session.hook.executed", row, { hook_point: point, result: result.type });
    if (result.type === "cancel")
      throw new SpellError("permission_denied", `Cannot ${action}: a hook cancelled it: ${result.reason}`, {
        data: { point, session_id: row.id },
      });
  }
}

const fieldsOf = (row: SessionRow) => ({
  session_id: row.id,
  session_status: row.status,
  created_at: time(row.created_at),
  updated_at: time(row.updated_at),
  session_name: row.name,
});
