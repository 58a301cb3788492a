/** A lock between processes that the operating system takes away from one that dies: SQLite's, on an empty database. */
import { Database, SQLiteError } from "bun:sqlite";

export class FileLock implements Disposable {
  private constructor(private readonly database: Database) {}

  /** @param path of the lock's file, which is made and stays @returns undefined while another holds it */
  static tryTake(path: string): FileLock | undefined {
    const database = new Database(path, { create: true });
    try {
      database.run("PRAGMA journal_mode = MEMORY");
      database.run("BEGIN EXCLUSIVE");
      return new FileLock(database);
    } catch (error) {
      database.close();
      if (error instanceof SQLiteError && error.code?.startsWith("SQLITE_BUSY")) return undefined;
      throw error;
    }
  }

  /** Waits while another holds it. @returns undefined where that takes longer than `patienceMs` */
  static async take(path: string, patienceMs: number): Promise<FileLock | undefined> {
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const lock = FileLock.tryTake(path);
      if (lock !== undefined || performance.now() > deadlineMs) return lock;
      await Bun.sleep(10 + Math.random() * 40);
    }
  }

  [Symbol.dispose](): void {
    this.database.close();
  }
}
