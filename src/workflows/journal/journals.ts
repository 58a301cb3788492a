/** Which journal a run is written to: that of the database, or, in a replay, one in memory that begins with what was recorded. */
import { SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { currentTape, type Tape } from "../../core/tape.ts";
import { openStorage, type Storage } from "../../storage/storage.ts";
import { Journal, type Opened, type RunBeginning, type Written } from "./journal.ts";

export interface JournalDependencies {
  log: Log;
  storage(): Promise<Storage>;
  dataDirectory: string | undefined;
}

export class Journals {
  private opened: Promise<Journal> | undefined;
  private readonly replays = new WeakMap<Tape, Promise<Journal>>();

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
    if (tape === undefined) return (await this.journal()).open(beginning);
    return tape.isReplay ? this.replay(tape, beginning) : this.record(tape, beginning);
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

  private async replay(tape: Tape, beginning: RunBeginning): Promise<Opened> {
    let opening = this.replays.get(tape);
    if (opening === undefined) {
      opening = openStorage(":memory:").then(
        (storage) => new Journal(storage, undefined, this.dependencies.log),
      );
      this.replays.set(tape, opening);
    }
    const journal = await opening;
    const before = await tape.call<Written | undefined>(callOf(beginning), neverAsked);
    if (before !== undefined && journal.written(beginning.id) === undefined) await journal.put(before);
    return journal.open(beginning);
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

const neverAsked = () => Promise.reject(new SpellError("internal", "Cannot ask in a replay"));
