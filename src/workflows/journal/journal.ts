/** The journals of durable runs in the one database: who may run one, what it did, and what users decide about it. */

import { compareJson } from "../../core/compare-json.ts";
import { SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { didYouMean } from "../../core/nearest.ts";
import { fromWire, toWire } from "../../core/wire-values.ts";
import type { Storage } from "../../storage/storage.ts";
import { Owner } from "./owner.ts";
import {
  countSteps,
  findRun,
  insertRun,
  insertStep,
  listRuns,
  type RunRow,
  type StepRow,
  stepsOf,
} from "./rows.ts";
import { RunJournal } from "./run-journal.ts";

export interface RunBeginning {
  id: string;
  workflow: string;
  type: string;
  /** As `canonicalOf` gives it. */
  definition: string;
  input: Record<string, unknown>;
  shared: Record<string, unknown>;
  /** Absolute path of the script file. */
  script: string | undefined;
  scriptHash: string | undefined;
  arguments: unknown;
  /** Where relative paths start. */
  directory: string;
  scriptRun: string;
}

export interface Opened {
  journal: RunJournal;
  /** Those with which the run began. */
  input: Record<string, unknown>;
  shared: Record<string, unknown>;
  begunAtMs: number;
}

/** All that is written of a run. */
export interface Written {
  run: RunRow;
  steps: StepRow[];
}

/** How a run stands for those who look: whoever ran it may have died. */
export type ShownRun = RunRow & { isAlive: boolean; steps: number };

export class Journal {
  private readonly owner: Owner;
  private readonly open_ = new Set<string>();

  constructor(
    private readonly storage: Storage,
    /** Undefined: no other process sees it. */
    dataDirectory: string | undefined,
    private readonly log: Log,
  ) {
    this.owner = new Owner(dataDirectory);
  }

  /**
   * Begins a run, or goes on with one that stopped.
   * @throws SpellError already_exists while another runs it, invalid_argument where the workflow has changed,
   * interrupted where it was cancelled
   */
  async open(begun: RunBeginning): Promise<Opened> {
    if (this.open_.has(begun.id)) throw runs(begun.id, process.pid);
    this.owner.hold();
    this.open_.add(begun.id);
    try {
      const dead = this.deadOwnerOf(begun.id);
      const now = Date.now();
      const row = await this.storage.write((db) => {
        const found = findRun(db, begun.id);
        if (found === undefined) {
          insertRun(db, {
            id: begun.id,
            workflow: begun.workflow,
            type: begun.type,
            status: "running",
            definition: begun.definition,
            definition_hash: hashOf(begun.definition),
            input: JSON.stringify(toWire(begun.input)),
            shared: JSON.stringify(toWire(begun.shared)),
            script: begun.script ?? null,
            script_hash: begun.scriptHash ?? null,
            arguments: JSON.stringify(begun.arguments),
            directory: begun.directory,
            script_run: begun.scriptRun,
            owner: this.owner.id,
            owner_pid: process.pid,
            starts: 1,
            cancel_requested: 0,
            error: null,
            begun_at: now,
            updated_at: now,
            ended_at: null,
          });
          return undefined;
        }
        this.check(found, begun, dead);
        db.query(
          "UPDATE workflow_run SET status = 'running', owner = ?, owner_pid = ?, starts = starts + 1, error = NULL, ended_at = NULL, updated_at = ? WHERE id = ?",
        ).run(this.owner.id, process.pid, now, begun.id);
        return found;
      });
      if (row !== undefined) this.noteOtherInput(row, begun);
      const starts = (row?.starts ?? 0) + 1;
      const closed = () => this.open_.delete(begun.id);
      return {
        journal: new RunJournal(begun.id, this.owner.id, this.storage, this.log, starts, closed),
        input: row === undefined ? begun.input : (fromWire(JSON.parse(row.input)) as Record<string, unknown>),
        shared:
          row === undefined ? begun.shared : (fromWire(JSON.parse(row.shared)) as Record<string, unknown>),
        begunAtMs: row?.begun_at ?? now,
      };
    } catch (error) {
      this.open_.delete(begun.id);
      throw error;
    }
  }

  /** Undefined where there is no such run. */
  written(id: string): Written | undefined {
    const { run, steps } = this.storage.read((db) => ({ run: findRun(db, id), steps: stepsOf(db, id) }));
    return run === undefined ? undefined : { run, steps };
  }

  /** What another journal has written of a run that this one does not know. */
  async put({ run, steps }: Written): Promise<void> {
    await this.storage.write((db) => {
      insertRun(db, run);
      for (const step of steps) insertStep(db, run.id, step);
    });
  }

  list(): ShownRun[] {
    const { rows, counts } = this.storage.read((db) => ({ rows: listRuns(db), counts: countSteps(db) }));
    return rows.map((row) => this.shown(row, counts.get(row.id) ?? 0));
  }

  /** @throws SpellError not_found */
  show(id: string): { run: ShownRun; steps: StepRow[] } {
    const written = this.written(id);
    if (written === undefined) throw this.unknown(id);
    const { run, steps } = written;
    return { run: this.shown(run, steps.filter(isEnded).length), steps };
  }

  /** @returns `cancelled`, or `requested` where another process has to heed it @throws SpellError not_found, invalid_argument */
  async cancel(id: string): Promise<"cancelled" | "requested"> {
    const { run } = this.show(id);
    if (run.status === "completed" || run.status === "cancelled")
      throw new SpellError("invalid_argument", `Cannot cancel workflow run "${id}": it is ${run.status}`);
    return this.storage.write((db) => {
      if (run.isAlive) {
        db.query("UPDATE workflow_run SET cancel_requested = 1 WHERE id = ?").run(id);
        return "requested" as const;
      }
      const now = Date.now();
      db.query(
        "UPDATE workflow_run SET status = 'cancelled', owner = NULL, owner_pid = NULL, updated_at = ?, ended_at = ? WHERE id = ?",
      ).run(now, now, id);
      return "cancelled" as const;
    });
  }

  /** @throws SpellError not_found, already_exists while it runs */
  async remove(id: string): Promise<void> {
    const { run } = this.show(id);
    if (run.isAlive) throw runs(id, run.owner_pid);
    await this.storage.write((db) => db.query("DELETE FROM workflow_run WHERE id = ?").run(id));
  }

  /**
   * What users decide about steps of a run that stopped: done again, or passed over as if they had ended without an output.
   * @throws SpellError not_found, already_exists while it runs, invalid_argument
   */
  async decide(id: string, retry: readonly string[], skip: readonly string[]): Promise<RunRow> {
    const { run, steps } = this.show(id);
    if (run.isAlive) throw runs(id, run.owner_pid);
    if (run.status === "completed")
      throw new SpellError("invalid_argument", `Cannot resume workflow run "${id}": it is completed`);
    if (run.status === "cancelled") throw wasCancelled(id);
    for (const path of [...retry, ...skip]) this.checkDecision(id, steps, path);
    const both = retry.find((path) => skip.includes(path));
    if (both !== undefined)
      throw new SpellError(
        "invalid_argument",
        `Cannot resume workflow run "${id}": step "${both}" cannot be retried and skipped`,
      );
    await this.storage.write((db) => {
      for (const path of retry)
        db.query("DELETE FROM workflow_step WHERE run_id = ? AND path = ?").run(id, path);
      for (const path of skip) {
        const { kind, target } = steps.find((step) => step.path === path)!;
        const outcome = {
          name: nameOf(path),
          type: kind,
          target,
          status: "skipped",
          value: null,
          fields: null,
          durationMs: 0,
          retryCount: 0,
          agents: [],
        };
        db.query(
          "UPDATE workflow_step SET status = 'skipped', outcome = ?, error = NULL, ended_at = ? WHERE run_id = ? AND path = ?",
        ).run(JSON.stringify(outcome), Date.now(), id, path);
      }
    });
    return run;
  }

  private checkDecision(id: string, steps: readonly StepRow[], path: string): void {
    const step = steps.find((one) => one.path === path && one.kind !== "choice");
    const open = steps
      .filter((one) => one.status === "started" || one.status === "failed")
      .map((one) => one.path);
    if (step === undefined)
      throw new SpellError(
        "not_found",
        `Cannot resume workflow run "${id}": no such step in its journal: ${path}`,
        {
          hint: didYouMean(path, open) ?? `Steps that have not ended: ${open.join(", ") || "none"}`,
        },
      );
    if (step.status !== "started" && step.status !== "failed")
      throw new SpellError(
        "invalid_argument",
        `Cannot resume workflow run "${id}": step "${path}" is ${step.status} and is not done again`,
      );
  }

  /** The owner of a run that runs no more; undefined where it has none. */
  private deadOwnerOf(id: string): string | undefined {
    const owner = this.storage.read((db) => findRun(db, id))?.owner ?? undefined;
    return owner === undefined || this.owner.isAlive(owner) ? undefined : owner;
  }

  /** @param dead an owner that is known to be dead */
  private check(found: RunRow, begun: RunBeginning, dead: string | undefined): void {
    const isOwn = found.owner === this.owner.id; // left behind by a run of this process that could not write its end
    if (found.owner !== null && found.owner !== dead && !isOwn) throw runs(found.id, found.owner_pid);
    if (found.status === "cancelled" || found.cancel_requested === 1) throw wasCancelled(found.id);
    if (found.definition_hash === hashOf(begun.definition)) return;
    const { differences } = compareJson(JSON.parse(found.definition), JSON.parse(begun.definition));
    const shown = differences.slice(0, 3).map(({ path, description }) => `${path.slice(2)} ${description}`);
    const more = differences.length > 3 ? ` and ${differences.length - 3} more` : "";
    throw new SpellError(
      "invalid_argument",
      `Cannot go on with workflow run "${found.id}": the workflow has changed since it began: ${shown.join("; ")}${more}`,
      {
        data: { run_id: found.id, differences },
        hint: `Undo the change, give the workflow another run_id, or forget the run: llmspell workflow delete ${found.id}`,
      },
    );
  }

  private noteOtherInput({ id, input, status }: RunRow, begun: RunBeginning): void {
    if (Object.keys(begun.input).length === 0 || JSON.stringify(toWire(begun.input)) === input) return;
    this.log.warn("workflow", "a durable run goes on with the input with which it began, not with this one", {
      run: id,
      status,
    });
  }

  private shown(row: RunRow, steps: number): ShownRun {
    const isAlive = row.status === "running" && row.owner !== null && this.owner.isAlive(row.owner);
    const status = row.status === "running" && !isAlive ? "stopped" : row.status;
    return { ...row, status, isAlive, steps };
  }

  private unknown(id: string): SpellError {
    const near = didYouMean(
      id,
      this.storage.read(listRuns).map((run) => run.id),
    );
    return new SpellError("not_found", `Workflow run not found: ${id}`, {
      hint: near ?? "`llmspell workflow list` shows the runs there are",
    });
  }

  dispose(): void {
    this.owner[Symbol.dispose]();
  }
}

const isEnded = ({ status, kind }: StepRow): boolean =>
  kind !== "choice" && (status === "completed" || status === "skipped" || status === "failed");

/** The step's own name: the last part of its path. */
export const nameOf = (path: string): string => unescaped(path.slice(path.lastIndexOf("/") + 1));

/** A name as a part of a path. */
export const partOf = (name: string): string =>
  name.replaceAll("%", "%25").replaceAll("/", "%2F").replaceAll(":", "%3A");
const unescaped = (part: string): string =>
  part.replaceAll("%3A", ":").replaceAll("%2F", "/").replaceAll("%25", "%");

const hashOf = (definition: string): string =>
  new Bun.CryptoHasher("sha256").update(definition).digest("hex");

function runs(id: string, pid: number | null): SpellError {
  return new SpellError(
    "already_exists",
    `Cannot run workflow run "${id}": ${pid === process.pid ? "it runs in this process" : `process ${pid} runs it`}`,
    {
      data: { run_id: id, pid },
      hint: "Wait for its end, or cancel it: llmspell workflow cancel",
    },
  );
}

function wasCancelled(id: string): SpellError {
  return new SpellError("invalid_argument", `Cannot go on with workflow run "${id}": it was cancelled`, {
    data: { run_id: id },
    hint: `Give the workflow another run_id, or forget the run: llmspell workflow delete ${id}`,
  });
}
