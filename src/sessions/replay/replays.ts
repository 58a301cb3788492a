/** Replays of recorded sessions: now, or at times to come. */
import { randomUUID } from "node:crypto";
import { SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Storage } from "../../storage/storage.ts";
import type { ToolService } from "../../tools/service.ts";
import { sessionId } from "../ids.ts";
import { readSession, time } from "../rows.ts";
import type { Recording } from "./recorder.ts";
import { replayStep } from "./run.ts";
import { Schedules } from "./schedules.ts";
import type {
  RecordedStep,
  ReplayedStep,
  ReplayMetadata,
  ReplayOptions,
  ReplayResult,
  ReplaySchedule,
  ReplayService,
  ReplayStatus,
  ScheduledReplay,
} from "./service.ts";
import { readSteps, type StepSpan, spanOf } from "./steps.ts";

export interface ReplayDependencies {
  storage: Storage;
  recorder: Recording;
  tools: () => Promise<ToolService>;
  log: Log;
}

const DEFAULT_TIMEOUT_SECONDS = 300;
const MOST_AT_ONCE = 10;

export class Replays implements ReplayService {
  private readonly statuses = new Map<string, ReplayStatus>();
  private readonly schedules: Schedules;
  private running = 0;

  constructor(private readonly to: ReplayDependencies) {
    this.schedules = new Schedules(to.log, (id, options) => this.replay(id, options));
  }

  async canReplay(session: string): Promise<boolean> {
    return (await this.metadata(session)).can_replay;
  }

  async metadata(session: string): Promise<ReplayMetadata> {
    const { row, span } = await this.look(session);
    const { count, firstMs, lastMs, endMs } = span;
    return {
      session_id: row.id,
      correlation_id: row.correlation_id,
      total_hooks: count,
      first_hook_timestamp: firstMs === null ? null : time(firstMs),
      last_hook_timestamp: lastMs === null ? null : time(lastMs),
      total_duration: firstMs === null || endMs === null ? 0 : (endMs - firstMs) / 1000,
      can_replay: count > 0 && row.saved_at !== null,
    };
  }

  private async look(session: string) {
    const id = sessionId(session);
    await this.to.recorder.flush();
    return this.to.storage.read((db): { row: ReturnType<typeof readSession>; span: StepSpan } => ({
      row: readSession(db, id),
      span: spanOf(db, id),
    }));
  }

  async replayable(): Promise<string[]> {
    await this.to.recorder.flush();
    const rows = this.to.storage.read((db) =>
      db
        .query(
          `SELECT id FROM session WHERE saved_at IS NOT NULL
             AND EXISTS (SELECT 1 FROM replay_step WHERE session_id = session.id) ORDER BY created_at, rowid`,
        )
        .all(),
    );
    return (rows as { id: string }[]).map(({ id }) => id);
  }

  async steps(session: string): Promise<RecordedStep[]> {
    const { row } = await this.look(session);
    return this.to.storage.read((db) => readSteps(db, row.id));
  }

  async replay(session: string, options: ReplayOptions = {}): Promise<ReplayResult> {
    const { row, span } = await this.look(session);
    if (span.count === 0)
      throw new SpellError("not_found", `No hook executions found for session: ${row.id}`, {
        data: { session_id: row.id },
        hint: "Sessions record while they are the current one (Session.set_current) and runtime.sessions.enable_replay is on",
      });
    if (row.saved_at === null)
      throw new SpellError("invalid_argument", `Cannot replay session: it was never saved: ${row.id}`, {
        hint: "Session.save(id) first",
      });
    if (this.running >= MOST_AT_ONCE)
      throw new SpellError(
        "limit",
        `Resource limit exceeded: replays - Maximum replays at once (${MOST_AT_ONCE}) reached`,
      );
    const { fromStep = 1, toStep = Number.POSITIVE_INFINITY } = options;
    if (toStep < fromStep)
      throw new SpellError(
        "invalid_argument",
        `Cannot replay session: the last step must not come before the first: ${fromStep} to ${toStep}`,
      );
    const steps = this.to.storage
      .read((db) => readSteps(db, row.id))
      .filter(({ step }) => step >= fromStep && step <= toStep);
    this.running++;
    try {
      return await this.run(row.id, row.correlation_id, steps, options);
    } finally {
      this.running--;
    }
  }

  private async run(
    id: string,
    correlationId: string,
    steps: readonly RecordedStep[],
    options: ReplayOptions,
  ): Promise<ReplayResult> {
    const { mode = "exact", timeoutSeconds = DEFAULT_TIMEOUT_SECONDS, metadata = {} } = options;
    const startedMs = Date.now();
    const status: ReplayStatus = {
      session_id: id,
      state: "running",
      start_time: time(startedMs),
      hooks_processed: 0,
      total_hooks: steps.length,
      current_hook: null,
      error: null,
    };
    this.statuses.set(id, status);
    const expired = new AbortController();
    const timer = setTimeout(
      () =>
        expired.abort(
          new SpellError("timeout", `Cannot finish the replay: it took longer than ${timeoutSeconds} s`, {
            hint: "Raise timeout_seconds",
          }),
        ),
      timeoutSeconds * 1000,
    );
    const signal = options.signal ? AbortSignal.any([expired.signal, options.signal]) : expired.signal;
    const done: ReplayedStep[] = [];
    const replayId = randomUUID();
    using _ = this.to.recorder.ignore(replayId);
    try {
      for (const step of steps) {
        signal.throwIfAborted();
        status.current_hook = step.name;
        const replayed = await replayStep(step, {
          mode,
          compare: options.compareResults ?? true,
          modifications: options.modifications ?? [],
          tools: this.to.tools,
          correlationId: replayId,
          signal,
        });
        done.push(replayed);
        status.hooks_processed++;
        if (!replayed.success && options.stopOnError === true) break;
      }
      status.state = done.every((step) => step.success) ? "completed" : "failed";
    } catch (error) {
      status.state = options.signal?.aborted ? "cancelled" : "failed";
      status.error = String((error as Error).message);
      throw error;
    } finally {
      clearTimeout(timer);
      status.current_hook = null;
    }
    const failed = done.filter((step) => !step.success).length;
    return {
      session_id: id,
      correlation_id: correlationId,
      start_time: time(startedMs),
      total_duration: (Date.now() - startedMs) / 1000,
      hooks_replayed: done.length,
      successful_replays: done.length - failed,
      failed_replays: failed,
      metadata,
      mode,
      mismatches: done.filter(({ comparison }) => comparison?.identical === false).length,
      steps: done,
    };
  }

  status(session: string): ReplayStatus | undefined {
    const id = sessionId(session);
    this.to.storage.read((db) => readSession(db, id));
    return this.statuses.get(id);
  }

  async schedule(session: string, schedule: ReplaySchedule, options: ReplayOptions = {}): Promise<string> {
    const { row } = await this.look(session);
    return this.schedules.add(row.id, schedule, options);
  }

  scheduled(): ScheduledReplay[] {
    return this.schedules.list();
  }

  cancel(scheduleId: string): boolean {
    return this.schedules.cancel(scheduleId);
  }

  stop(): void {
    this.schedules.stop();
  }
}
