/** The sessions of one database, as one kernel works with them. */

import type { Database } from "bun:sqlite";
import { nowMs, randomId } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import { stringifyJson } from "../core/json.ts";
import type { Storage } from "../storage/storage.ts";
import { Announcer } from "./announce.ts";
import { Artifacts } from "./artifacts/artifacts.ts";
import type { SessionDependencies } from "./create.ts";
import { sessionId } from "./ids.ts";
import { Recording } from "./replay/recorder.ts";
import { Replays } from "./replay/replays.ts";
import {
  findSession,
  infoOf,
  insertSession,
  querySessions,
  readSession,
  type SessionRow,
  time,
} from "./rows.ts";
import { readSandboxed } from "./sandboxed-file.ts";
import type {
  CheckpointInfo,
  SessionInfo,
  SessionOptions,
  SessionQuery,
  SessionService,
  SessionStatus,
} from "./service.ts";
import { checkMove } from "./status.ts";
import { checkTags } from "./tags.ts";
import { exportSession } from "./transfer/export.ts";
import { importSession } from "./transfer/import.ts";
import { Upkeep } from "./upkeep.ts";
import { Values } from "./values.ts";

const MOST_TEXT = 1000;
/** The active sessions; 0 where there cannot be so many, as row numbers tell without counting. */
const ACTIVE_SESSIONS = `SELECT CASE WHEN ifnull((SELECT max(rowid) FROM session), 0) < ?1 THEN 0
  ELSE (SELECT count(*) FROM session WHERE status = 'active') END AS active`;

export class Sessions implements SessionService {
  readonly artifacts: Artifacts;
  readonly replay: Replays;
  readonly recorder: Recording;
  private readonly announcer: Announcer;
  private readonly upkeep: Upkeep;
  private readonly kept: Values;
  private chosen: string | null | undefined;
  private own: Promise<string> | undefined;

  constructor(
    private readonly dependencies: SessionDependencies,
    private readonly storage: Storage,
    /** Undefined: contents stay in the database. */
    private readonly directory: string | undefined,
  ) {
    const { log } = dependencies;
    this.announcer = new Announcer(dependencies);
    const settings = () => dependencies.config.current.runtime.sessions;
    this.recorder = new Recording({
      storage,
      log,
      current: () => this.current(),
      enabled: () => settings().enable_replay,
    });
    this.artifacts = new Artifacts({
      storage,
      directory,
      readsOnly: dependencies.isDryRun ?? false,
      settings,
      announcer: this.announcer,
      current: () => this.current(),
      touch: (id) => this.recorder.touch(id),
      readFile: (path, mostBytes, signal) => readSandboxed(dependencies, path, mostBytes, signal),
    });
    this.kept = new Values(storage, this.announcer, this.recorder);
    this.replay = new Replays({ storage, recorder: this.recorder, services: dependencies, log });
    this.upkeep = new Upkeep({
      storage,
      settings,
      log,
      artifacts: this.artifacts,
      recorder: this.recorder,
      save: (id) => this.save(id),
      end: (id, reason) => this.move(id, "completed", { reason }),
      warn: (id, warning) => this.announce(id, "timeout_warning", warning),
      archive: (id) => this.archive(id),
      delete: (id) => this.delete(id),
    });
    this.upkeep.start();
  }

  async create(options: SessionOptions = {}): Promise<SessionInfo> {
    const id = options.id === undefined ? randomId() : sessionId(options.id);
    const now = nowMs();
    const row: SessionRow = {
      id,
      name: checkText("name", options.name),
      description: options.description ?? null,
      status: "active",
      created_by: options.createdBy ?? null,
      parent_session_id: options.parentSessionId === undefined ? null : sessionId(options.parentSessionId),
      correlation_id: randomId(),
      created_at: now,
      updated_at: now,
      started_at: now,
      ended_at: null,
      saved_at: null,
      tags: stringifyJson(checkTags(options.tags ?? [])),
      custom_metadata: stringifyJson(options.metadata ?? {}),
      operation_count: 0,
      artifact_count: 0,
      total_artifact_size: 0,
    };
    await this.announcer.runHooks("SessionStart", "create session", row, { start_timestamp: time(now) });
    const isChosen = options.id !== undefined;
    const insert = () => this.storage.write((db) => this.insert(db, row, isChosen));
    await insert().catch(async (error: unknown) => {
      if (!(error instanceof SpellError && error.code === "limit")) throw error;
      // what processes left that were killed may be idle for long
      await this.upkeep.endIdle();
      await insert();
    });
    await this.announcer.publish("session.created", row, { name: row.name });
    await this.announcer.publish("session.started", row);
    return infoOf(row);
  }

  /** @param isChosen whether somebody chose the id: it may be taken */
  private insert(db: Database, row: SessionRow, isChosen: boolean): void {
    if (isChosen && findSession(db, row.id) !== null)
      throw new SpellError("already_exists", `Cannot create session: the id is taken: ${row.id}`);
    this.checkRoom(db);
    if (row.parent_session_id !== null) readSession(db, row.parent_session_id);
    insertSession(db, row);
  }

  /** @throws SpellError limit */
  private checkRoom(db: Database): void {
    const most = this.dependencies.config.current.runtime.sessions.max_sessions;
    const { active } = db.query(ACTIVE_SESSIONS).get(most) as { active: number };
    if (active < most) return;
    throw new SpellError(
      "limit",
      `Resource limit exceeded: active_sessions - Maximum active sessions (${most}) reached`,
      {
        data: { limit: "active_sessions", most },
        hint: "Complete or suspend sessions, or raise runtime.sessions.max_sessions",
      },
    );
  }

  get(id: string): SessionInfo {
    return infoOf(this.row(id));
  }

  private row(id: string): SessionRow {
    const known = sessionId(id);
    return this.recorder.withPending(this.storage.read((db) => readSession(db, known)));
  }

  list(query: SessionQuery = {}): SessionInfo[] {
    return this.storage
      .read((db) => querySessions(db, query))
      .map((row) => infoOf(this.recorder.withPending(row)));
  }

  async save(id: string): Promise<void> {
    const row = this.row(id);
    const now = nowMs();
    await this.announcer.runHooks(
      "SessionSave",
      "save session",
      row,
      { save_timestamp: time(now) },
      { compression_enabled: "true", checksums_enabled: "true" },
    );
    await this.recorder.save(row.id, (db) => {
      readSession(db, row.id);
      db.query("UPDATE session SET saved_at = ? WHERE id = ?").run(now, row.id);
    });
    await this.announcer.publish("session.saved", row);
  }

  async load(id: string): Promise<SessionInfo> {
    const row = this.row(id);
    await this.announcer.runHooks("SessionRestore", "load session", row, {
      restore_timestamp: time(nowMs()),
    });
    await this.announcer.publish("session.loaded", row);
    return infoOf(row);
  }

  async suspend(id: string): Promise<void> {
    await this.move(id, "suspended");
  }

  async resume(id: string): Promise<void> {
    await this.move(id, "active");
  }

  async complete(id: string): Promise<void> {
    await this.move(id, "completed");
  }

  async fail(id: string): Promise<void> {
    await this.move(id, "failed");
  }

  async archive(id: string): Promise<void> {
    await this.move(id, "archived");
  }

  private async move(id: string, to: SessionStatus, data: Record<string, unknown> = {}): Promise<void> {
    const row = this.row(id);
    checkMove(row.status, to);
    const now = nowMs();
    const ends = to === "completed" || to === "failed";
    if (ends) {
      await this.announcer.runHooks("SessionEnd", "end session", row, {
        end_timestamp: time(now),
        session_duration_ms: now - row.started_at,
        performance_metrics: { operation_count: row.operation_count, artifact_count: row.artifact_count },
        ...data,
      });
      await this.recorder.flush();
    }
    await this.storage.write((db) => {
      // another process may have been faster
      checkMove(readSession(db, row.id).status, to);
      if (to === "active") this.checkRoom(db);
      db.query("UPDATE session SET status = ?, updated_at = ? WHERE id = ?").run(to, now, row.id);
      if (ends) db.query("UPDATE session SET ended_at = ?, saved_at = ? WHERE id = ?").run(now, now, row.id);
    });
    if (ends) this.recorder.unsaved.delete(row.id);
    if (ends && this.chosen === row.id) this.chosen = null;
    await this.announcer.publish(`session.${to === "active" ? "resumed" : to}`, row, data);
  }

  async delete(id: string): Promise<void> {
    const known = sessionId(id);
    await this.recorder.forget(known);
    const contents = this.storage.read((db) => {
      readSession(db, known);
      return this.artifacts.contentsOf(db, known);
    });
    await this.storage.write((db) => {
      readSession(db, known);
      db.query("DELETE FROM session WHERE id = ?").run(known);
    });
    if (this.chosen === known) this.chosen = null;
    await this.artifacts.contents.removeUnused(contents);
  }

  async setTags(id: string, tags: readonly string[]): Promise<void> {
    const known = sessionId(id);
    const text = stringifyJson(checkTags(tags));
    await this.storage.write((db) => {
      readSession(db, known);
      db.query("UPDATE session SET tags = ?, updated_at = ? WHERE id = ?").run(text, nowMs(), known);
    });
  }

  async current(): Promise<string | null> {
    if (this.chosen !== undefined) return this.chosen;
    const { ownSession } = this.dependencies;
    if (ownSession === undefined) return null;
    this.own ??= this.create({ name: ownSession, createdBy: "kernel" }).then(({ id }) => id);
    return this.own;
  }

  setCurrent(id: string | null): void {
    this.chosen = id === null ? null : this.row(id).id;
  }

  getValue(id: string, key: string): unknown {
    return this.values(id)[key];
  }

  values(id: string): Record<string, unknown> {
    return this.kept.all(this.row(id));
  }

  async setValue(id: string, key: string, value: unknown): Promise<void> {
    return this.kept.set(this.row(id), key, value);
  }

  async deleteValue(id: string, key: string): Promise<void> {
    return this.kept.delete(this.row(id), key);
  }

  async checkpoint(id: string, name?: string): Promise<string> {
    return this.kept.checkpoint(this.row(id), name);
  }

  async restore(id: string, checkpointId: string): Promise<void> {
    return this.kept.restore(this.row(id), checkpointId);
  }

  checkpoints(id: string): CheckpointInfo[] {
    return this.kept.checkpoints(this.row(id));
  }

  async announce(id: string, name: string, data: Record<string, unknown>): Promise<void> {
    await this.announcer.publish(`session.custom.${name}`, this.row(id), data);
  }

  async export(id: string, path: string) {
    const row = this.row(id);
    await this.recorder.flush();
    return exportSession(this.storage, this.artifacts, row.id, path);
  }

  async import(path: string) {
    return importSession(this.storage, this.artifacts, path, (db) => this.checkRoom(db));
  }

  async dispose(): Promise<void> {
    await this.upkeep.stop();
    this.replay.stop();
    const own = await this.own?.catch(() => undefined); // told to those who asked for it
    if (own !== undefined && this.isOpen(own)) await this.complete(own);
    await this.recorder.flush();
    for (const id of [...this.recorder.unsaved]) if (this.isOpen(id)) await this.save(id);
    // the other one is the kernel's, which closes it
    if (this.directory === undefined) this.storage.close();
  }

  private isOpen(id: string): boolean {
    const status = this.storage.read((db) => findSession(db, id)?.status);
    return status === "active" || status === "suspended";
  }
}

function checkText(what: string, text: string | undefined): string | null {
  if (text === undefined) return null;
  if (text.length <= MOST_TEXT) return text;
  throw new SpellError(
    "invalid_argument",
    `Cannot create session: "${what}" must have at most ${MOST_TEXT} characters: ${text.length}`,
  );
}
