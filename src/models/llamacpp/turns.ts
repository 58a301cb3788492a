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

  /** Gives way where a message waits or another loop runs; else it returns undefined, and the loop need not wait. */
  pass(): Promise<void> | undefined {
    const waits = this.sent !== undefined && Atomics.load(this.sent, 0) !== this.received;
    if (!waits && this.loops < 2) return undefined;
    return new Promise((resolve) => setImmediate(resolve));
  }
}
