import type { CommandIo } from "./command.ts";
import { writeAll } from "./output.ts";

const CLEAR_LINE = "\r\u001b[K";

/** A line on a terminal's stderr that is written over; nothing elsewhere. */
export class ProgressLine {
  private shown = "";

  constructor(private readonly io: Pick<CommandIo, "isTty">) {}

  show(label: string, done: number, total?: number): void {
    if (!this.io.isTty.stderr) return;
    const text = total ? `${label} ${Math.floor((done / total) * 100)} %` : label;
    if (text === this.shown) return;
    writeAll(2, CLEAR_LINE + text);
    this.shown = text;
  }

  clear(): void {
    if (this.shown !== "") writeAll(2, CLEAR_LINE);
    this.shown = "";
  }
}
