import type { GenerateEvent } from "./protocol.ts";

/** Below what an eye tells apart. Waking the main thread for each token of a fast model costs a tenth of its speed. */
export const SEND_EVERY_MS = 33;

/** Passes an answer's events on: the first at once, pieces that follow each other quickly joined into one. */
export class EventBuffer {
  private held: GenerateEvent | undefined;
  private lastSentMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly send: (event: GenerateEvent) => void,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  add(event: GenerateEvent): void {
    if (event.type === "prompt") {
      this.send(event);
      return;
    }
    if (this.held?.type === event.type) this.held = { type: event.type, text: this.held.text + event.text };
    else {
      this.flush();
      this.held = event;
    }
    if (this.nowMs() - this.lastSentMs >= SEND_EVERY_MS) this.flush();
  }

  /** Passes on what is held; to be called at the answer's end. */
  flush(): void {
    if (this.held === undefined) return;
    this.send(this.held);
    this.held = undefined;
    this.lastSentMs = this.nowMs();
  }
}
