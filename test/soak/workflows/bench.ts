/** Runs the workflow in the executable, killed where it is told to, and looks at what is left. */
import { Database } from "bun:sqlite";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { type Ended, ended } from "../soak.ts";
import { buildFaultyFiles } from "../storage/faulty-files.ts";
import { EFFECTS, effectOf, type Journalled } from "./flow.ts";

const GUARD_MS = 120_000;

/** Which changes of files are counted: `commits` are the ends of transactions. */
const PLACES = {
  database: { FAULT_PATH: "/llmspell.db" },
  effects: { FAULT_PATH: ".log" },
  commits: { FAULT_PATH: "/llmspell.db-wal", FAULT_COMMITS: "1" },
} as const;
export type Place = keyof typeof PLACES;

/** The change at which the program is killed, counted from 1; 0: it only counts. */
export interface Kill {
  place: Place;
  at: number;
  /** Half of a write is done first. */
  half: boolean;
}

export class WorkflowBench {
  readonly box = new Sandbox();
  private readonly library = buildFaultyFiles(this.box.root);

  constructor(config: string, script: string) {
    this.box.write("soak.toml", config);
    this.box.write("flow.lua", script);
  }

  async run(args: readonly string[], what: string, kill?: Kill): Promise<Ended & { calls: number }> {
    const count = join(this.box.root, "calls");
    rmSync(count, { force: true });
    const env: Record<string, string> =
      kill === undefined
        ? {}
        : {
            ...PLACES[kill.place],
            LD_PRELOAD: this.library,
            FAULT_COUNT: count,
            FAULT_AT: String(kill.at),
            FAULT_KILL: "1",
            ...(kill.half ? { FAULT_SHORT: "1" } : {}),
          };
    const end = await ended(this.box.start(["-c", "soak.toml", ...args], { env }), GUARD_MS, what);
    const calls = await Bun.file(count)
      .text()
      .catch(() => "0");
    return { ...end, calls: Number(calls) };
  }

  fresh(): void {
    rmSync(join(this.box.home, ".llmspell"), { recursive: true, force: true });
    for (const name of Object.keys(EFFECTS)) rmSync(join(this.box.cwd, `${name}.log`), { force: true });
  }

  /** How often the step of this effect was done. */
  times(effect: string): number {
    try {
      return readFileSync(join(this.box.cwd, `${effect}.log`), "utf8").split("\n").length - 1;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
      throw error;
    }
  }

  /** As SQLite itself reads it. */
  journal(): { status: string; steps: Journalled[] } {
    try {
      using db = new Database(join(this.box.home, ".llmspell/llmspell.db"), {
        readwrite: true,
        create: false,
      });
      const run = db.query("SELECT status FROM workflow_run WHERE id = 'soak'").get();
      const steps = db
        .query("SELECT path, kind, status, is_repeatable, outcome FROM workflow_step ORDER BY place")
        .all();
      return { status: (run as { status: string } | null)?.status ?? "none", steps: steps as Journalled[] };
    } catch (error) {
      // killed before there was one
      if (/no such table|unable to open/.test(String(error))) return { status: "none", steps: [] };
      throw error;
    }
  }

  /** Steps that were begun and of which nobody knows whether they were done, each with what can be seen: done, or not. */
  decisions(): string[] {
    const open = this.journal().steps.filter(
      ({ status, is_repeatable, path }) =>
        status === "started" && is_repeatable === 0 && effectOf(path) !== undefined,
    );
    return open.flatMap(({ path }) => [this.times(effectOf(path)!) === 0 ? "--retry" : "--skip", path]);
  }

  [Symbol.dispose](): void {
    this.box[Symbol.dispose]();
  }
}
