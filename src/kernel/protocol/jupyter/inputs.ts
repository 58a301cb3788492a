/** Lines that scripts wait for: asked of the client whose cell runs, on stdin. */
import { SpellError } from "../../../core/errors.ts";
import type { Message } from "./message.ts";

const MAX_WAIT_MS = 120_000;

export class Inputs {
  private readonly waiting = new Map<string, (line: string) => void>();

  /** The line that the client of this request gives. @throws SpellError timeout */
  async ask(request: Message, send: () => void): Promise<Uint8Array> {
    const { session } = request.header;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => {
      reject(
        new SpellError("timeout", `Cannot read a line: no answer within ${MAX_WAIT_MS / 1000} s`, {
          hint: "Answer the prompt in the notebook",
        }),
      );
    }, MAX_WAIT_MS);
    this.waiting.set(session, resolve);
    try {
      send();
      return new TextEncoder().encode(`${await promise}\n`);
    } finally {
      clearTimeout(timer);
      if (this.waiting.get(session) === resolve) this.waiting.delete(session);
    }
  }

  /** The request has ended: its line is wanted no more. */
  forget(request: Message): void {
    this.waiting.get(request.header.session)?.("");
  }

  /** An `input_reply`; of a client that was not asked it is ignored. */
  answer(message: Message): void {
    const { value } = message.content;
    if (typeof value === "string") this.waiting.get(message.header.session)?.(value);
  }
}
