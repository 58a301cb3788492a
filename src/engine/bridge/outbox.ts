import type { SharedChannel } from "./protocol.ts";

/** Messages for the script thread that do not fit into the pipe yet. The kernel's thread never waits for room. */
export class Outbox {
  private readonly frames = new Map<number, Uint8Array>();
  private first = 0;
  private next = 0;
  private offset = 0;

  /** Copies the frame. */
  add(frame: Uint8Array): void {
    this.frames.set(this.next++, frame.slice());
  }

  /** Writes what fits. The script thread rings when it has made room for the rest. */
  flush(channel: SharedChannel): void {
    for (; this.first < this.next; this.first++, this.offset = 0) {
      const frame = this.frames.get(this.first)!;
      this.offset += channel.toScript.write(frame, this.offset);
      if (this.offset < frame.length) {
        channel.wantRoom();
        this.offset += channel.toScript.write(frame, this.offset);
        if (this.offset < frame.length) return;
      }
      this.frames.delete(this.first);
    }
  }
}
