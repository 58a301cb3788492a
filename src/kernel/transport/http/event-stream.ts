/** A streamed answer whose reader may be slow or gone. */

/** Text that waits for a reader who does not take it; more ends the answer. */
const MAX_WAITING_CHARACTERS = 1024 * 1024;

export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  private controller!: ReadableStreamDefaultController<Uint8Array>;
  private waiting = "";
  private ended = false;
  private wake: (() => void) | undefined;
  private readonly encoder = new TextEncoder();

  /** @param onGone called once, when the reader has left or takes nothing any more */
  constructor(private readonly onGone: () => void) {
    this.body = new ReadableStream({
      start: (controller) => {
        this.controller = controller;
      },
      pull: () => this.pull(),
      cancel: () => this.leave(),
    });
  }

  send(text: string): void {
    if (this.ended) return;
    this.waiting += text;
    this.wake?.();
    if (this.waiting.length <= MAX_WAITING_CHARACTERS) return;
    this.controller.error(new Error("the reader takes nothing"));
    this.leave();
  }

  /** Closes the stream when its reader has taken the rest. */
  end(): void {
    this.ended = true;
    this.wake?.();
  }

  private leave(): void {
    if (this.ended) return;
    this.waiting = "";
    this.ended = true;
    this.wake?.();
    this.onGone();
  }

  private async pull(): Promise<void> {
    if (this.waiting === "" && !this.ended) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = undefined;
    }
    const text = this.waiting;
    this.waiting = "";
    if (text !== "") this.controller.enqueue(this.encoder.encode(text));
    else if (this.ended) this.controller.close();
  }
}
