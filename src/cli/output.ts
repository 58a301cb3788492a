/** Writing to stdout and stderr, at once and whole, and noticing when nobody reads any more. */
import { writeSync } from "node:fs";
import { SpellError } from "../core/errors.ts";

/** Thrown when the reader of stdout has gone; the program then ends quietly. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/**
 * Writes all of `data`, waiting where the pipe is full.
 * @throws OutputClosed, SpellError io (disk full and the like)
 */
export function writeAll(fd: 1 | 2, data: string | Uint8Array): void {
  let bytes = typeof data === "string" ? Buffer.from(data) : data;
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EAGAIN") Bun.sleepSync(1);
      else if (code === "EPIPE" || code === "EBADF") throw new OutputClosed();
      else throw new SpellError("io", `Cannot write output: ${(error as Error).message}`, { cause: error });
    }
  }
}
