import { SpellError } from "../core/errors.ts";
import { writeAll } from "./output.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const CTRL_C = 0x03;
const CTRL_D = 0x04;
const ERASE = new Set([0x08, 0x7f]);

/** Lines of standard input, read only when somebody asks. */
export class LineReader {
  private chunks: AsyncIterator<Uint8Array> | undefined;
  private buffered: Buffer = Buffer.alloc(0);
  private ended = false;

  /** The next line as it stands, its end included; what is left at the end of input; then null. */
  async bytes(): Promise<Uint8Array | null> {
    let searched = 0;
    for (;;) {
      const end = this.buffered.indexOf(NEWLINE, searched);
      if (end !== -1) return this.take(end + 1);
      searched = this.buffered.length;
      if (!(await this.fill())) return this.buffered.length === 0 ? null : this.take(this.buffered.length);
    }
  }

  /** The next line as text without its end; null at the end of input. */
  async line(): Promise<string | null> {
    const bytes = await this.bytes();
    return bytes === null ? null : new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
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
      const typed: number[] = [];
      for (;;) {
        while (this.buffered.length > 0) {
          const byte = this.take(1)[0]!;
          if (byte === RETURN || byte === NEWLINE) return new TextDecoder().decode(new Uint8Array(typed));
          if (byte === CTRL_C) throw new SpellError("interrupted", "Interrupted");
          if (byte === CTRL_D) return null;
          if (ERASE.has(byte)) eraseCharacter(typed);
          else typed.push(byte);
        }
        if (!(await this.fill())) return null;
      }
    } finally {
      process.stdin.setRawMode(false);
      writeAll(2, "\n");
    }
  }

  private take(length: number): Uint8Array {
    const taken = this.buffered.subarray(0, length);
    this.buffered = this.buffered.subarray(length);
    return taken;
  }

  /** Waits for more input; false at its end. */
  private async fill(): Promise<boolean> {
    if (this.ended) return false;
    this.chunks ??= (Bun.stdin.stream() as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    const { done, value } = await this.chunks.next();
    if (done) this.ended = true;
    else this.buffered = Buffer.concat([this.buffered, value]);
    return !this.ended;
  }
}

/** Removes the last UTF-8 character. */
function eraseCharacter(bytes: number[]): void {
  while (bytes.length > 0) if ((bytes.pop()! & 0xc0) !== 0x80) return;
}
