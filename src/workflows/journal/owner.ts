/**
 * Who runs a workflow: a process is an owner as long as it holds a lock that the system takes away when it dies. So a dead
 * owner is told from one that is only slow, in other containers too.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { FileLock } from "../../core/file-lock.ts";

const DIRECTORY = "workflow-owners";
const OLD_MS = 60 * 60 * 1000;

export class Owner implements Disposable {
  readonly id = crypto.randomUUID();
  private lock: FileLock | undefined;

  /** @param dataDirectory undefined where no other process sees the journal */
  constructor(private readonly dataDirectory: string | undefined) {}

  /** From now on the process is an owner. */
  hold(): void {
    if (this.lock !== undefined || this.dataDirectory === undefined) return;
    mkdirSync(join(this.dataDirectory, DIRECTORY), { recursive: true, mode: 0o700 });
    this.removeOld(this.dataDirectory);
    this.lock = FileLock.tryTake(this.pathOf(this.id));
  }

  /** Locks of processes that were killed. One that is being made has not been taken yet: it is left alone. */
  private removeOld(dataDirectory: string): void {
    const directory = join(dataDirectory, DIRECTORY);
    for (const name of readdirSync(directory)) {
      const [, owner] = /^([0-9a-f-]{36})\.lock$/.exec(name) ?? [];
      const made = statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
      if (owner !== undefined && Date.now() - made > OLD_MS) this.isAlive(owner);
    }
  }

  isAlive(owner: string): boolean {
    if (this.dataDirectory === undefined) return owner === this.id;
    if (owner === this.id) return this.lock !== undefined;
    using lock = FileLock.tryTake(this.pathOf(owner));
    if (lock === undefined) return true;
    this.remove(owner);
    return false;
  }

  private pathOf(owner: string): string {
    return join(this.dataDirectory!, DIRECTORY, `${owner}.lock`);
  }

  /** Nobody ever takes the lock of an owner that is gone for its own. */
  private remove(owner: string): void {
    for (const suffix of ["", "-journal"]) rmSync(`${this.pathOf(owner)}${suffix}`, { force: true });
  }

  [Symbol.dispose](): void {
    if (this.lock === undefined) return;
    this.remove(this.id);
    this.lock[Symbol.dispose]();
    this.lock = undefined;
  }
}
