/** Replays of recorded sessions: now, or at times to come. */
import { SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Storage } from "../../storage/storage.ts";
import { sessionId } from "../ids.ts";
import { readSession, time } from "../rows.ts";
import { ReplayRun } from "./controlled.ts";
import type { Recording } from "./recorder.ts";
import type { RerunServices } from "./rerun.ts";
import { Schedules } from "./schedules.ts";
import type {
  RecordedStep,
  ReplayControl,
  ReplayMetadata,
  ReplayOptions,
  ReplayProgress,
  ReplayResult,
  ReplaySchedule,
  ReplayService,
  ReplayStatus,
  ScheduledReplay,
  StartOptions,
} from "./service.ts";
import { readSteps, type StepSpan, spanOf } from "./steps.ts";

export interface ReplayDependencies {
  storage: Storage;
  recorder: Recording;
  services: RerunServices;
  log: Log;
}

const MOST_AT_ONCE = 10;

export class Replays implements ReplayService {
  /** By session. */
  private readonly last = new Map<string, ReplayProgress>();
  private readonly going = new Set<ReplayRun>();
  private readonly schedules: Schedules;

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
    return (await this.begin(session, options)).ended;
  }

  start(session: string, options: StartOptions = {}): Promise<ReplayControl> {
    return this.begin(session, options);
  }

  private async begin(session: string, options: StartOptions): Promise<ReplayRun> {
    const { row, span } = await this.look(session);
    if (span.count === 0) throw nothingRecorded(row.id);
    if (row.saved_at === null)
      throw new SpellError("invalid_argument", `Cannot replay session: it was never saved: ${row.id}`, {
        hint: "Session.save(id) first",
      });
    const { fromStep = 1, toStep = Number.POSITIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = options;
    if (toStep < fromStep)
      throw new SpellError(
        "invalid_argument",
        `Cannot replay session: the last step must not come before the first: ${fromStep} to ${toStep}`,
      );
    if (this.going.size >= MOST_AT_ONCE)
      throw new SpellError(
        "limit",
        `Resource limit exceeded: replays - Maximum replays at once (${MOST_AT_ONCE}) reached`,
        { data: { limit: "replays", most: MOST_AT_ONCE }, hint: "Stop one, or wait for the end of one" },
      );
    const steps = this.to.storage
      .read((db) => readSteps(db, row.id))
      .filter(({ step, startedMs }) => step >= fromStep && step <= toStep && startedMs <= untilMs);
    const { services } = this.to;
    const run = new ReplayRun({
      sessionId: row.id,
      correlationId: row.correlation_id,
      steps,
      options,
      services,
    });
    this.going.add(run);
    const gone = () => {
      this.going.delete(run);
      this.last.set(row.id, run.progress());
    };
    run.ended.then(gone, gone);
    return run;
  }

  status(session: string): ReplayStatus | undefined {
    const id = sessionId(session);
    this.to.storage.read((db) => readSession(db, id));
    const going = [...this.going].findLast(({ sessionId }) => sessionId === id);
    const progress = going?.progress() ?? this.last.get(id);
    if (progress === undefined) return undefined;
    const { session_id, state, start_time, hooks_completed, total_hooks, current_hook, error } = progress;
    return {
      session_id,
      state,
      start_time,
      hooks_processed: hooks_completed,
      total_hooks,
      current_hook,
      error,
    };
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
    for (const run of this.going) run.stop();
  }
}

function nothingRecorded(id: string): SpellError {
  return new SpellError("not_found", `No hook executions found for session: ${id}`, {
    data: { session_id: id },
    hint: "Sessions record while they are the current one (Session.set_current) and runtime.sessions.enable_replay is on",
  });
}
