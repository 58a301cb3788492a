/** Where a prompt's lines come from. */
import type { CommandIo } from "../command.ts";

/** The line was given up with Ctrl-C. */
export const CANCELLED = Symbol("cancelled");

export interface LineSource {
  /** Lines are typed by somebody who sees the prompt. */
  readonly interactive: boolean;
  /** The next line without its end; null at the end of input. */
  read(prompt: string): Promise<string | typeof CANCELLED | null>;
  /** Inputs that can be called back, the newest first. */
  remember(inputs: readonly string[]): void;
  close(): void;
}

/** Lines from a pipe or a file: nothing is shown. A script that reads standard input takes the lines after its own. */
export class PipedLines implements LineSource {
  readonly interactive = false;

  constructor(private readonly io: CommandIo) {}

  async read(): Promise<string | null> {
    const bytes = await this.io.inputLine("");
    return bytes === null ? null : new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
  }

  remember(): void {
    // nobody can call inputs back
  }

  close(): void {
    // standard input belongs to the command
  }
}
