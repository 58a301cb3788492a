/**
 * Which journal a run is written to: that of the data directory, or, where nothing is really done (a dry run, a replay), one
 * in memory that begins with what the real one holds, or held.
 */
import type { Log } from "../../core/log.ts";
import { currentPlan } from "../../core/plan.ts";
import { currentTape, type Tape } from "../../core/tape.ts";
import { openStorage, type Storage } from "../../storage/storage.ts";
import { Journal, type Opened, type RunBeginning, type Written } from "./journal.ts";

export interface JournalDependencies {
  log: Log;
  storage(): Promise<Storage>;
  dataDirectory: string;
}

export class Journals {
  private opened: Promise<Journal> | undefined;
  /** By the plan or the replay that they belong to. */
  private readonly rehearsals = new WeakMap<object, Promise<Journal>>();

  constructor(private readonly dependencies: JournalDependencies) {}

  /** The real one. */
  journal(): Promise<Journal> {
    this.opened ??= this.openJournal().catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }

  /** @throws SpellError as `Journal.open`; in a replay what was recorded */
  async open(beginning: RunBeginning): Promise<Opened> {
    const tape = currentTape();
    const plan = currentPlan();
    if (plan !== undefined) return this.openRehearsal(plan, beginning, await this.writtenOf(beginning.id));
    if (tape === undefined) return (await this.journal()).open(beginning);
    if (tape.isReplay) return this.openRehearsal(tape, beginning, await replayed(tape, beginning));
    return this.record(tape, beginning);
  }

  private async record(tape: Tape, beginning: RunBeginning): Promise<Opened> {
    const journal = await this.journal();
    let opened: Opened | undefined;
    await tape.call(callOf(beginning), async () => {
      const before = journal.written(beginning.id);
      opened = await journal.open(beginning);
      return before;
    });
    return opened!;
  }

  /** @param before undefined: as this journal has it */
  private async openRehearsal(
    of: object,
    beginning: RunBeginning,
    before: Written | undefined,
  ): Promise<Opened> {
    let opening = this.rehearsals.get(of);
    if (opening === undefined) {
      opening = openStorage(":memory:").then(
        (storage) => new Journal(storage, undefined, this.dependencies.log),
      );
      this.rehearsals.set(of, opening);
    }
    const journal = await opening;
    if (before !== undefined && journal.written(beginning.id) === undefined) await journal.put(before);
    return journal.open(beginning);
  }

  private async writtenOf(id: string): Promise<Written | undefined> {
    return (await this.journal()).written(id);
  }

  private async openJournal(): Promise<Journal> {
    const { storage, dataDirectory, log } = this.dependencies;
    return new Journal(await storage(), dataDirectory, log);
  }

  dispose(): void {
    void this.opened?.then((journal) => journal.dispose()).catch(() => undefined); // one that could not be opened holds nothing
  }
}

const callOf = ({ id, workflow }: RunBeginning) => ({
  kind: "journal" as const,
  name: id,
  request: { workflow },
});

function replayed(tape: Tape, beginning: RunBeginning): Promise<Written | undefined> {
  return tape.call<Written | undefined>(callOf(beginning), () => Promise.reject(new Error("not called")));
}
