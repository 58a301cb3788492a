/** Keeps what sessions do: gathered in memory, written in one go soon after, and before anything reads it. */
import type { Database } from "bun:sqlite";
import { randomUUID } from "node:crypto";
import { redact } from "../../config/redact.ts";
import { messageOf } from "../../core/errors.ts";
import { documentValue, parseJson } from "../../core/json.ts";
import type { Log } from "../../core/log.ts";
import { currentRerun, type RecordedCall, type Recorder } from "../../core/recording.ts";
import type { Storage } from "../../storage/storage.ts";
import type { SessionRow } from "../rows.ts";
import { BYTES, NOT_KEPT } from "./steps.ts";

export interface RecordingOptions {
  storage: Storage;
  log: Log;
  /** For which session calls are recorded that name none. */
  current: () => Promise<string | null>;
  enabled: () => boolean;
}

const FLUSH_MS = 200;
/** Steps of one session that are kept; the oldest leave first. */
const MOST_STEPS = 10_000;
/** Characters of one input or output. */
const LONGEST = 1_000_000;

interface Pending {
  operations: number;
  updatedMs: number;
  steps: Step[];
  /** Steps before these that came and left again, because more came at once than are kept. */
  passed: number;
}

interface Step {
  id: string;
  within: string | null;
  kind: string;
  name: string;
  input: string;
  output: string | null;
  error: string | null;
  startedMs: number;
  durationMs: number;
  correlationId: string;
}

export class Recording implements Recorder {
  private readonly pending = new Map<string, Pending>();
  /** Sessions that did something since they were last saved. */
  readonly unsaved = new Set<string>();
  /** Calls whose session is being looked up. */
  private readonly arriving = new Set<Promise<void>>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private flushing: Promise<void> = Promise.resolve();

  constructor(private readonly options: RecordingOptions) {}

  record(call: RecordedCall): void {
    const { enabled, storage } = this.options;
    if (takenByRerun(call) || !enabled() || storage.isReadOnly) return;
    const step = stepOf(call);
    const arrival = this.options
      .current()
      .then((id) => {
        if (id !== null) this.add(id, step);
      })
      .catch((error: unknown) => this.complain(error))
      .finally(() => this.arriving.delete(arrival));
    this.arriving.add(arrival);
  }

  recordFor(sessionId: string, call: RecordedCall): void {
    if (takenByRerun(call)) this.touch(sessionId);
    else this.add(sessionId, this.options.enabled() ? stepOf(call) : undefined);
  }

  /** The session did something that is not recorded. */
  touch(sessionId: string): void {
    this.add(sessionId, undefined);
  }

  private add(sessionId: string, step: Step | undefined): void {
    if (this.options.storage.isReadOnly) return;
    const entry = this.pending.get(sessionId) ?? { operations: 0, updatedMs: 0, steps: [], passed: 0 };
    entry.operations++;
    entry.updatedMs = Date.now();
    if (step !== undefined) entry.steps.push(step);
    if (entry.steps.length >= 2 * MOST_STEPS) entry.passed += entry.steps.splice(0, MOST_STEPS).length;
    this.pending.set(sessionId, entry);
    this.unsaved.add(sessionId);
    this.timer ??= setTimeout(
      () => void this.flush().catch((error) => this.complain(error)),
      FLUSH_MS,
    ).unref();
  }

  private complain(error: unknown): void {
    this.options.log.warn("session", "cannot keep what a session did", { error: messageOf(error) });
  }

  /** A row as it is, counting what is not written yet. */
  withPending(row: SessionRow): SessionRow {
    const entry = this.pending.get(row.id);
    if (entry === undefined) return row;
    return {
      ...row,
      operation_count: row.operation_count + entry.operations,
      updated_at: Math.max(row.updated_at, entry.updatedMs),
    };
  }

  async forget(sessionId: string): Promise<void> {
    await Promise.all(this.arriving);
    this.pending.delete(sessionId);
    this.unsaved.delete(sessionId);
  }

  /** @throws SpellError io */
  flush(): Promise<void> {
    return this.inTurn(() => this.write(undefined, () => {}));
  }

  /** Writes what is pending and, in the same transaction, that a session is saved. @throws what `mark` does, SpellError io */
  save(sessionId: string, mark: (db: Database) => void): Promise<void> {
    return this.inTurn(() => this.write(sessionId, mark));
  }

  private async inTurn(write: () => Promise<void>): Promise<void> {
    await Promise.all(this.arriving);
    clearTimeout(this.timer);
    this.timer = undefined;
    const mine = this.flushing.then(write);
    this.flushing = mine.catch(() => undefined); // told to its own caller
    return mine;
  }

  private async write(saved: string | undefined, mark: (db: Database) => void): Promise<void> {
    if (this.pending.size === 0 && saved === undefined) return;
    const entries = [...this.pending];
    this.pending.clear();
    // what comes from now on is not saved by this
    const wasUnsaved = saved !== undefined && this.unsaved.delete(saved);
    try {
      await this.options.storage.write((db) => {
        for (const [id, entry] of entries) writePending(db, id, entry);
        mark(db);
      });
    } catch (error) {
      for (const [id, entry] of entries) this.giveBack(id, entry);
      if (wasUnsaved) this.unsaved.add(saved);
      throw error;
    }
  }

  private giveBack(id: string, entry: Pending): void {
    const later = this.pending.get(id);
    if (later === undefined) this.pending.set(id, entry);
    else {
      later.operations += entry.operations;
      if (later.passed > 0) later.passed += entry.passed + entry.steps.length;
      else {
        later.passed = entry.passed;
        later.steps.unshift(...entry.steps);
      }
    }
  }
}

function writePending(db: Database, id: string, { operations, updatedMs, steps, passed }: Pending): void {
  const changed = db
    .query(
      "UPDATE session SET operation_count = operation_count + ?, updated_at = max(updated_at, ?) WHERE id = ?",
    )
    .run(operations, updatedMs, id);
  // it has been deleted
  if (changed.changes === 0 || steps.length === 0) return;
  const { last } = db
    .query("SELECT coalesce(max(step), 0) AS last FROM replay_step WHERE session_id = ?")
    .get(id) as { last: number };
  const first = last + passed + 1;
  const insert = db.query("INSERT INTO replay_step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  for (const [i, s] of steps.entries())
    insert.run(
      id,
      first + i,
      s.id,
      s.kind,
      s.name,
      s.input,
      s.output,
      s.error,
      s.startedMs,
      s.durationMs,
      s.correlationId,
      s.within,
    );
  const newest = first + steps.length - 1;
  if (newest > MOST_STEPS)
    db.query("DELETE FROM replay_step WHERE session_id = ? AND step <= ?").run(id, newest - MOST_STEPS);
}

/** A script's bytes and what is too long or has no JSON form; see `isWhole`. */
function markBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return { [BYTES]: value.toBase64() };
  if (Array.isArray(value)) return value.map(markBytes);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, markBytes(item)]));
}

/** Whether it belongs to something that is done once more: then it is kept there. */
function takenByRerun(call: RecordedCall): boolean {
  const rerun = currentRerun();
  if (rerun !== undefined && rerun.calls.length < MOST_STEPS) rerun.calls.push(call);
  return rerun !== undefined;
}

function stepOf(call: RecordedCall): Step {
  return {
    id: call.id ?? randomUUID(),
    within: call.within ?? null,
    kind: call.kind,
    name: call.name,
    input: textOf(call.input),
    output: call.error === undefined ? textOf(call.output) : null,
    error: call.error ?? null,
    startedMs: call.startedMs,
    durationMs: call.durationMs,
    correlationId: call.correlationId ?? randomUUID(),
  };
}

/** A value as a recording of it says it. */
export const asRecorded = (value: unknown): unknown => parseJson(textOf(value));

/** JSON without secrets. */
function textOf(value: unknown): string {
  try {
    const text = JSON.stringify(documentValue(redact(markBytes(value ?? null), ["."])));
    if (text.length <= LONGEST) return text;
    return JSON.stringify({ [NOT_KEPT]: `${text.length} characters` });
  } catch (error) {
    return JSON.stringify({ [NOT_KEPT]: messageOf(error) });
  }
}
