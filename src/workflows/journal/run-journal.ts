/** The journal of one run while this process owns it: what was done, and what is being done. */
import { type ErrorJson, SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { fromWire, toWire } from "../../core/wire-values.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StepOutcome } from "../outcome.ts";
import { insertStep, type RunStatus, type StepRow, type StepStatus, stepsOf } from "./rows.ts";

/** How often a request of another process to cancel is looked for. */
const CANCEL_LOOK_MS = 200;

/** A failure of the journal ends the run, whatever its error strategy. */
const JOURNAL = { journal: true };

export interface JournalledStep {
  path: string;
  kind: string;
  target: string;
  repeatable: boolean;
}

export class RunJournal {
  /** Aborted when somebody cancels the run, or another process has taken it over. */
  readonly cancelled: AbortSignal;
  private readonly cancelling = new AbortController();
  private readonly rows: Map<string, StepRow>;
  private nextPlace: number;
  /** Set since the last row was written. */
  private shared: Record<string, unknown> = {};
  private readonly look: ReturnType<typeof setInterval>;

  constructor(
    readonly id: string,
    private readonly owner: string,
    private readonly storage: Storage,
    private readonly log: Log,
    /** 1 for a run that begins. */
    readonly starts: number,
    private readonly onClosed: () => void,
  ) {
    this.cancelled = this.cancelling.signal;
    const rows = storage.read((db) => stepsOf(db, id));
    this.rows = new Map(rows.map((row) => [row.path, row]));
    this.nextPlace = (rows.at(-1)?.place ?? 0) + 1;
    this.look = setInterval(() => this.lookForCancel(), CANCEL_LOOK_MS);
    this.look.unref?.();
  }

  /** Steps that a process had begun which ended, and that must not be done twice. */
  uncertain(): StepRow[] {
    return [...this.rows.values()].filter(
      ({ status, is_repeatable }) => status === "started" && is_repeatable === 0,
    );
  }

  /** How a step ended that is not done again; undefined for any other. */
  outcomeOf(path: string): StepOutcome | undefined {
    const row = this.rows.get(path);
    if (row === undefined || row.outcome === null || row.status === "started") return undefined;
    return fromWire(JSON.parse(row.outcome)) as StepOutcome;
  }

  /** What the script had set while the step ran. */
  sharedOf(path: string): Record<string, unknown> {
    const shared = this.rows.get(path)?.shared ?? null;
    return shared === null ? {} : (fromWire(JSON.parse(shared)) as Record<string, unknown>);
  }

  noteShared(key: string, value: unknown): void {
    this.shared[key] = value;
  }

  /** Written before anything is done. @returns whether a process that ended had begun it: it goes back to its beginning */
  async start(step: JournalledStep): Promise<boolean> {
    const before = this.rows.get(step.path);
    await this.put({
      path: step.path,
      place: before?.place ?? this.nextPlace++,
      kind: step.kind,
      target: step.target,
      status: "started",
      is_repeatable: step.repeatable ? 1 : 0,
      starts: (before?.starts ?? 0) + 1,
      outcome: null,
      shared: null,
      error: null,
      begun_at: Date.now(),
      ended_at: null,
    });
    return before?.status === "started";
  }

  /** Written before anybody sees the outcome. */
  async finish(step: JournalledStep, outcome: StepOutcome): Promise<void> {
    const before = this.rows.get(step.path);
    const shared = this.takeShared();
    await this.put({
      path: step.path,
      place: before?.place ?? this.nextPlace++,
      kind: step.kind,
      target: step.target,
      status: outcome.status as StepStatus,
      is_repeatable: step.repeatable ? 1 : 0,
      starts: before?.starts ?? 0,
      outcome: JSON.stringify(toWire(outcome)),
      shared,
      error: outcome.error?.message ?? null,
      begun_at: before?.begun_at ?? Date.now(),
      ended_at: Date.now(),
    });
  }

  /** A step whose failure ends the run: it is done again when the run is resumed. */
  async forget(path: string, error: ErrorJson): Promise<void> {
    const row = this.rows.get(path);
    if (row === undefined) return;
    await this.put({ ...row, status: "failed", outcome: null, error: error.message, ended_at: Date.now() });
  }

  /**
   * A workflow whose step failed because of failures that it had passed over is done again: these are tried again then, and
   * choices that came after them made anew.
   */
  async reopen(path: string): Promise<void> {
    const inner = [...this.rows.values()].filter((row) => row.path.startsWith(`${path}/`));
    const failed = inner.filter(({ status, outcome }) => status === "failed" && outcome !== null);
    const first = Math.min(...failed.map(({ place }) => place));
    const choices = inner.filter(({ kind, place }) => kind === "choice" && place > first);
    for (const row of [...choices, ...failed]) await this.put({ ...row, outcome: null });
  }

  /** A choice between ways, made once. */
  async decide<T>(path: string, choose: () => Promise<T>): Promise<T> {
    const row = this.rows.get(path);
    if (row?.status === "decided" && row.outcome !== null) return fromWire(JSON.parse(row.outcome)) as T;
    const choice = await choose();
    const now = Date.now();
    await this.put({
      path,
      place: row?.place ?? this.nextPlace++,
      kind: "choice",
      target: "",
      status: "decided",
      is_repeatable: 1,
      starts: 1,
      outcome: JSON.stringify(toWire(choice)),
      shared: this.takeShared(),
      error: null,
      begun_at: now,
      ended_at: now,
    });
    return choice;
  }

  /** The last word about the run; its owner is free then. */
  async end(status: RunStatus, error?: ErrorJson): Promise<void> {
    clearInterval(this.look);
    const now = Date.now();
    try {
      await this.storage.write((db) =>
        db
          .query(
            `UPDATE workflow_run SET status = ?, error = ?, owner = NULL, owner_pid = NULL, updated_at = ?, ended_at = ?
             WHERE id = ? AND owner = ?`,
          )
          .run(status, error?.message ?? null, now, status === "running" ? null : now, this.id, this.owner),
      );
    } finally {
      this.onClosed();
    }
  }

  private takeShared(): string | null {
    const { shared } = this;
    if (Object.keys(shared).length === 0) return null;
    this.shared = {};
    return JSON.stringify(toWire(shared));
  }

  private async put(row: StepRow): Promise<void> {
    const isOurs = await this.storage
      .write((db) => {
        const { changes } = db
          .query("UPDATE workflow_run SET updated_at = ? WHERE id = ? AND owner = ?")
          .run(Date.now(), this.id, this.owner);
        if (changes === 0) return false;
        insertStep(db, this.id, row);
        return true;
      })
      .catch((error: unknown) => {
        throw this.failure(error);
      });
    if (!isOurs) {
      const lost = new SpellError(
        "interrupted",
        `Cannot go on with workflow run "${this.id}": another process has taken it over`,
        { data: JOURNAL },
      );
      this.cancelling.abort(lost);
      throw lost;
    }
    this.rows.set(row.path, row);
  }

  private failure(error: unknown): unknown {
    if (!(error instanceof SpellError)) return error;
    const { code, message, data, hint } = error;
    return new SpellError(code, `Cannot go on with workflow run "${this.id}": ${message}`, {
      data: { ...data, ...JOURNAL },
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    });
  }

  private lookForCancel(): void {
    try {
      const asked = this.storage.read((db) =>
        db.query("SELECT cancel_requested FROM workflow_run WHERE id = ?").get(this.id),
      ) as { cancel_requested: number } | null;
      if (asked?.cancel_requested === 1)
        this.cancelling.abort(
          new SpellError("interrupted", `Workflow run "${this.id}" was cancelled`, {
            data: { cancelled: true },
          }),
        );
    } catch (error) {
      this.log.warn("workflow", "the journal cannot be read", { run: this.id, reason: String(error) });
    }
  }
}
