/** What sessions keep under keys, and the checkpoints to which they can go back. */
import type { Database } from "bun:sqlite";
import { nowMs } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import type { Storage } from "../storage/storage.ts";
import type { Announcer } from "./announce.ts";
import { readCheckpoints, restoreCheckpoint, writeCheckpoint } from "./checkpoints.ts";
import type { Recording } from "./replay/recorder.ts";
import { readSession, readValues, type SessionRow, time, writeValue } from "./rows.ts";
import type { CheckpointInfo } from "./service.ts";

export class Values {
  constructor(
    private readonly storage: Storage,
    private readonly announcer: Announcer,
    private readonly recorder: Recording,
  ) {}

  all({ id }: SessionRow): Record<string, unknown> {
    return this.storage.read((db) => readValues(db, id));
  }

  async set(row: SessionRow, key: string, value: unknown): Promise<void> {
    await this.changeValue(row, key, value, (db) => writeValue(db, row.id, key, value));
  }

  async delete(row: SessionRow, key: string): Promise<void> {
    await this.changeValue(row, key, null, (db) =>
      db.query("DELETE FROM session_value WHERE session_id = ? AND key = ?").run(row.id, key),
    );
  }

  private async changeValue(
    row: SessionRow,
    key: string,
    value: unknown,
    change: (db: Database) => void,
  ): Promise<void> {
    const startedMs = nowMs();
    await this.storage.write((db) => {
      const { status } = readSession(db, row.id);
      if (status !== "active")
        throw new SpellError(
          "invalid_argument",
          `Invalid operation: Cannot change state of a ${status} session`,
          { data: { session_id: row.id, status } },
        );
      change(db);
    });
    this.recorder.recordFor(row.id, {
      kind: "state",
      name: `session:${key}`,
      input: { key, value },
      output: null,
      startedMs,
      durationMs: nowMs() - startedMs,
      correlationId: row.correlation_id,
    });
    await this.announcer.publish("session.state.changed", row, { key });
  }

  async checkpoint(row: SessionRow, name?: string): Promise<string> {
    const now = nowMs();
    const state = this.storage.read((db) => readValues(db, row.id));
    await this.announcer.runHooks("SessionCheckpoint", "checkpoint session", row, {
      checkpoint_state: state,
      checkpoint_timestamp: time(now),
    });
    const checkpointId = await this.storage.write((db) =>
      writeCheckpoint(db, readSession(db, row.id), name ?? null, now),
    );
    return checkpointId;
  }

  async restore(row: SessionRow, checkpointId: string): Promise<void> {
    await this.announcer.runHooks("SessionRestore", "restore session", row, {
      restore_timestamp: time(nowMs()),
      checkpoint_id: checkpointId,
    });
    await this.storage.write((db) => {
      readSession(db, row.id);
      restoreCheckpoint(db, row.id, checkpointId);
    });
    await this.announcer.publish("session.state.changed", row, { checkpoint_id: checkpointId });
  }

  checkpoints({ id }: SessionRow): CheckpointInfo[] {
    return this.storage.read((db) => readCheckpoints(db, id));
  }
}
