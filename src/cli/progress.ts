import type { KernelEvent } from "../kernel/api.ts";
import type { CommandIo } from "./command.ts";
import { writeAll } from "./output.ts";

const CLEAR_LINE = "\r\u001b[K";

/** A line on a terminal's stderr that is written over; nothing elsewhere. */
export class ProgressLine {
  private shown = "";

  constructor(private readonly io: Pick<CommandIo, "isTty">) {}

  show(label: string, done: number, total?: number): void {
    this.write(total ? `${label} ${Math.floor((done / total) * 100)} %` : label);
  }

  /** A download: percent and bytes. */
  pull(event: Extract<KernelEvent, { type: "model_progress" }>): void {
    const { model_id, status, percent_complete, bytes_downloaded, bytes_total } = event;
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
    const bytes =
      bytes_total === null ? "" : ` (${megabytes(bytes_downloaded)} of ${megabytes(bytes_total)} MB)`;
    this.write(`${model_id}: ${status} ${Math.floor(percent_complete)} %${bytes}`);
  }

  private write(text: string): void {
    if (!this.io.isTty.stderr || text === this.shown) return;
    writeAll(2, CLEAR_LINE + text);
    this.shown = text;
  }

  clear(): void {
    if (this.shown !== "") writeAll(2, CLEAR_LINE);
    this.shown = "";
  }
}
