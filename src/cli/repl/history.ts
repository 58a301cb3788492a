/** Inputs remembered across sessions: one JSON string a line, owner-only, safe for several processes at once. */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { FileLock } from "../../core/file-lock.ts";

export const MAX_FILE_ENTRIES = 10_000;
/** A file may outgrow its limit by this before it is cut. */
const SLACK_ENTRIES = 1000;

const LOCK_PATIENCE_MS = 1000;

export class HistoryFile {
  constructor(readonly path: string) {}

  /** The newest `count` inputs, the oldest first. What cannot be read as an input is left out. */
  async read(count: number): Promise<string[]> {
    const lines = this.lines();
    if (lines.length > MAX_FILE_ENTRIES + SLACK_ENTRIES) await this.cut();
    return lines.slice(-count).flatMap(decode);
  }

  async append(input: string): Promise<void> {
    using _ = await this.lock();
    appendFileSync(this.path, `${JSON.stringify(input)}\n`, { mode: 0o600 });
  }

  async clear(): Promise<void> {
    using _ = await this.lock();
    writeFileSync(this.path, "", { mode: 0o600 });
  }

  private async cut(): Promise<void> {
    using _ = await this.lock();
    const aside = `${this.path}.new`;
    writeFileSync(aside, `${this.lines().slice(-MAX_FILE_ENTRIES).join("\n")}\n`, { mode: 0o600 });
    renameSync(aside, this.path);
  }

  private lines(): string[] {
    try {
      const text = readFileSync(this.path, "utf8");
      chmodSync(this.path, 0o600);
      return text.split("\n").filter((line) => line !== "");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  /** Taken to write, so that no input is added to a file that is being replaced. */
  private async lock(): Promise<FileLock> {
    mkdirSync(dirname(this.path), { recursive: true });
    const lock = await FileLock.take(`${this.path}.lock`, LOCK_PATIENCE_MS);
    if (lock !== undefined) return lock;
    throw new SpellError("io", `Cannot write the history: another process holds it: ${this.path}.lock`);
  }
}

function decode(line: string): string[] {
  try {
    const input: unknown = JSON.parse(line);
    return typeof input === "string" ? [input] : [];
  } catch (error) {
    if (error instanceof SyntaxError) return []; // torn or foreign
    throw error;
  }
}
