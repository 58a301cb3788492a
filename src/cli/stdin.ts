import { SpellError } from "../core/errors.ts";
import { writeAll } from "./output.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const ERASE = new Set(["\b", "\u007f"]);

/** Lines of standard input, read only when somebody asks. */
export class LineReader {
  private chunks: AsyncIterator<Uint8Array> | undefined;
  private readonly decoder = new TextDecoder();
  private buffered = "";
  private ended = false;

  /** The next line without its end; null at the end of input. */
  async line(): Promise<string | null> {
    for (;;) {
      const end = this.buffered.indexOf("\n");
      if (end !== -1) {
        const line = this.take(end + 1).slice(0, -1);
        return line.endsWith("\r") ? line.slice(0, -1) : line;
      }
      if (!(await this.fill())) return this.take(this.buffered.length) || null;
    }
  }

  /**
   * The answer to a question, typed on the terminal and not shown there; null when it is given up with Ctrl-D. Asks when
   * the terminal shows nothing any more, so that a pasted answer cannot be quicker.
   * @throws interrupted on Ctrl-C
   */
  async secretAnswer(question: string): Promise<string | null> {
    process.stdin.setRawMode(true);
    try {
      writeAll(2, question);
      let typed = "";
      for (;;) {
        while (this.buffered !== "") {
          const char = this.take(1);
          if (char === "\r" || char === "\n") return typed;
          if (char === CTRL_C) throw new SpellError("interrupted", "Interrupted");
          if (char === CTRL_D) return null;
          typed = ERASE.has(char) ? typed.slice(0, -1) : typed + char;
        }
        if (!(await this.fill())) return null;
      }
    } finally {
      process.stdin.setRawMode(false);
      writeAll(2, "\n");
    }
  }

  private take(length: number): string {
    const taken = this.buffered.slice(0, length);
    this.buffered = this.buffered.slice(length);
    return taken;
  }

  /** Waits for more input; false at its end. */
  private async fill(): Promise<boolean> {
    if (this.ended) return false;
    this.chunks ??= (Bun.stdin.stream() as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    const { done, value } = await this.chunks.next();
    if (done) this.ended = true;
    else this.buffered += this.decoder.decode(value, { stream: true });
    return !this.ended;
  }
}
