/**
 * Who runs a workflow: a process is an owner as long as it holds a lock that the system takes away when it dies. So a dead
 * owner is told from one that is only slow, in other containers too.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FileLock } from "../../core/file-lock.ts";

const DIRECTORY = "workflow-owners";

export class Owner implements Disposable {
  readonly id = crypto.randomUUID();
  private lock: FileLock | undefined;

  constructor(private readonly dataDirectory: string) {}

  /** From now on the process is an owner. */
  hold(): void {
    if (this.lock !== undefined) return;
    mkdirSync(join(this.dataDirectory, DIRECTORY), { recursive: true, mode: 0o700 });
    this.lock = FileLock.tryTake(this.pathOf(this.id));
  }

  isAlive(owner: string): boolean {
    if (owner === this.id) return this.lock !== undefined;
    using lock = FileLock.tryTake(this.pathOf(owner));
    if (lock === undefined) return true;
    this.remove(owner);
    return false;
  }

  private pathOf(owner: string): string {
    return join(this.dataDirectory, DIRECTORY, `${owner}.lock`);
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
