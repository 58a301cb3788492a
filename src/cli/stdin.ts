import { SpellError } from "../core/errors.ts";

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
        const line = this.buffered.slice(0, end);
        this.buffered = this.buffered.slice(end + 1);
        return line.endsWith("\r") ? line.slice(0, -1) : line;
      }
      if (this.ended) {
        const rest = this.buffered;
        this.buffered = "";
        return rest === "" ? null : rest;
      }
      this.chunks ??= (Bun.stdin.stream() as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
      const { done, value } = await this.chunks.next();
      if (done) this.ended = true;
      else this.buffered += this.decoder.decode(value, { stream: true });
    }
  }
}

/** Reads a line from a terminal without showing it; null when it is given up with Ctrl-D. @throws interrupted on Ctrl-C */
export async function readSecret(): Promise<string | null> {
  let typed = "";
  process.stdin.setRawMode(true);
  try {
    for await (const chunk of process.stdin) {
      for (const char of String(chunk)) {
        if (char === "\r" || char === "\n") return typed;
        if (char === "\u0003") throw new SpellError("interrupted", "Interrupted");
        if (char === "\u0004") return null;
        typed = char === "\u007f" || char === "\b" ? typed.slice(0, -1) : typed + char;
      }
    }
    return null;
  } finally {
    process.stdin.setRawMode(false);
    process.stderr.write("\n");
  }
}
