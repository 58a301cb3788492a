/** Durable runs over a database of the test. Two services stand for two processes. */
import { afterAll, beforeEach } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStorage, type Storage } from "../../../../src/storage/storage.ts";
import type { ToolDefinition } from "../../../../src/tools/tool.ts";
import { type Bench, bench, type Calls, noting, type Options, step } from "../support.ts";

/** The data directory of each test. */
export class JournalPlace {
  path = "";
  private readonly places: string[] = [];
  private readonly open: Storage[] = [];

  /** Gives every test of the file a directory of its own, and removes them all at its end. */
  static forEachTest(): JournalPlace {
    const place = new JournalPlace();
    beforeEach(() => place.fresh());
    afterAll(() => place.dispose());
    return place;
  }

  fresh(): void {
    this.path = mkdtempSync(join(tmpdir(), "llmspell-journal-"));
    this.places.push(this.path);
  }

  async storage(): Promise<Storage> {
    const storage = await openStorage(this.path);
    this.open.push(storage);
    return storage;
  }

  async processOf(tools: ToolDefinition[], options: Options = {}): Promise<Bench> {
    const storage = options.storage ?? (await this.storage());
    return bench({ tools, dataDirectory: this.path, ...options, storage });
  }

  /** A process that dies within the call named `at`: it does what it does and says nothing any more. */
  async dyingAt(
    at: unknown,
    calls: Calls,
    options: Options = {},
  ): Promise<{ bench: Bench; died: Promise<void> }> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const tool = noting(calls);
    const dying = {
      ...tool,
      execute: async (params: { n?: unknown }, context: never) => {
        const result = await tool.execute(params as never, context);
        if (params.n !== at) return result;
        resolve();
        return new Promise<never>(() => {});
      },
    } as ToolDefinition;
    return { bench: await this.processOf([dying], options), died: promise };
  }

  /** Runs it in a process that dies. */
  async killedAt(at: unknown, table: Record<string, unknown>, calls: Calls, input = {}): Promise<void> {
    const { bench: one, died } = await this.dyingAt(at, calls);
    void one.run(table, input, { runId: "r" }).catch(() => undefined);
    await died;
    await bury(one);
  }

  private dispose(): void {
    for (const storage of this.open) storage.close();
    for (const place of this.places) rmSync(place, { recursive: true, force: true });
  }
}

/** The lock of a process goes with it. */
export async function bury(one: Bench): Promise<void> {
  one.workflows.dispose();
  await Bun.sleep(1);
}

export const repeatable = (name: string, input: Record<string, unknown>) =>
  step(name, input, { repeatable: true });

export type When = "before" | "after";

/** A storage whose process dies at the n-th write: it is never heard of again. */
export function dying(storage: Storage, at: number, when: When) {
  const { promise: died, resolve: die } = Promise.withResolvers<void>();
  const silence = () => {
    die();
    return new Promise<never>(() => {});
  };
  const count = { writes: 0 };
  const write: Storage["write"] = async (work) => {
    const number = ++count.writes;
    if (number > at || (number === at && when === "before")) return silence();
    const result = await storage.write(work);
    return number === at ? silence() : result;
  };
  return { storage: { ...storage, read: storage.read.bind(storage), write } as Storage, died, count };
}
