/** Lets the loops of one thread and the messages to it have their turns: a loop calls `pass` after each step. */
export class Turns {
  private received = 0;
  private loops = 0;

  /** @param sent a shared word that counts the messages sent to this thread */
  constructor(private readonly sent?: Int32Array) {}

  /** To be called for each message that arrives. */
  messageReceived(): void {
    this.received++;
  }

  /** Runs a loop that calls `pass`. */
  async during<T>(loop: () => Promise<T>): Promise<T> {
    this.loops++;
    try {
      return await loop();
    } finally {
      this.loops--;
    }
  }

  /** More than one loop runs. */
  get isShared(): boolean {
    return this.loops > 1;
  }

  /** A word that native code can look at: it is no longer `count` when a message waits. Undefined: none is counted. */
  get messages(): { word: Int32Array; count: number } | undefined {
    return this.sent && { word: this.sent, count: this.received };
  }

  /** Gives way where a message waits or another loop runs; else it returns undefined. */
  pass(): Promise<void> | undefined {
    const waits = this.sent !== undefined && Atomics.load(this.sent, 0) !== this.received;
    return waits || this.loops > 1 ? this.giveWay() : undefined;
  }

  /** Gives way in any case: messages are taken, and what was promised is told. */
  giveWay(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}
