import type { KernelEvent } from "../../kernel/api.ts";
import type { CommandIo } from "../command.ts";
import { writeAll } from "../output.ts";
import { ProgressLine } from "../progress.ts";

/** What a prompt repeats of a line that was left open. */
const MAX_OPEN_CHARACTERS = 500;

/** Shows what a script prints while it runs, and how long work gets on. */
export class Screen {
  private readonly progress: ProgressLine;
  /** The end of what was printed since the last line end. */
  private openLine = "";

  constructor(private readonly io: CommandIo) {
    this.progress = new ProgressLine(io);
  }

  show(event: KernelEvent): void {
    if (event.type === "progress") this.progress.show(event.label, event.done, event.total);
    else if (event.type === "model_progress") this.progress.pull(event);
    else if (event.type === "display") this.show({ type: "stream", stream: "stdout", text: event.text });
    else if (event.type === "stream") {
      this.progress.clear();
      if (event.stream === "stderr" || this.io.mode === "json") writeAll(2, event.text);
      else this.io.write(event.text);
      this.follow(event.text);
    }
  }

  private follow(output: string | Uint8Array): void {
    const text = typeof output === "string" ? output : new TextDecoder().decode(output);
    const end = text.lastIndexOf("\n");
    this.openLine = (end === -1 ? this.openLine + text : text.slice(end + 1)).slice(-MAX_OPEN_CHARACTERS);
  }

  /** The line that the script left open, for a prompt that stands in its place. */
  takeOpenLine(): string {
    const line = this.openLine;
    this.openLine = "";
    return line;
  }

  /** @param wholeLines end a line that the script left open: a prompt would overwrite it */
  end(wholeLines: boolean): void {
    this.progress.clear();
    if (this.takeOpenLine() !== "" && wholeLines) writeAll(1, "\n");
  }
}
