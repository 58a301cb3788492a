/** Events that wait for a subscriber: the most urgent first, in order among equals. Bounded by number and by size. */
import type { BusEvent } from "./event.ts";

/** Events of one priority. */
class Lane {
  private events: (BusEvent | undefined)[] = [];
  private head = 0;

  get size(): number {
    return this.events.length - this.head;
  }

  push(event: BusEvent): void {
    this.events.push(event);
  }

  shift(): BusEvent | undefined {
    if (this.head === this.events.length) return undefined;
    const event = this.events[this.head];
    this.events[this.head++] = undefined;
    if (this.head === this.events.length || this.head >= 4096) {
      this.events = this.events.slice(this.head);
      this.head = 0;
    }
    return event;
  }
}

export class EventQueue {
  private readonly lanes = new Map<number, Lane>();
  /** Priorities in use, the most urgent first. */
  private priorities: number[] = [];
  private count = 0;
  private bytes = 0;

  constructor(
    private readonly maxEvents: number,
    private readonly maxBytes: number,
  ) {}

  get size(): number {
    return this.count;
  }

  /** How full it is; 1 where nothing more goes in. */
  get fill(): number {
    return Math.max(this.count / this.maxEvents, this.bytes / this.maxBytes);
  }

  get isFull(): boolean {
    return this.count >= this.maxEvents || this.bytes >= this.maxBytes;
  }

  push(event: BusEvent): void {
    let lane = this.lanes.get(event.priority);
    if (lane === undefined) {
      if (this.count === 0) this.forgetLanes();
      lane = new Lane();
      this.lanes.set(event.priority, lane);
      this.priorities.push(event.priority);
      this.priorities.sort((a, b) => a - b);
    }
    lane.push(event);
    this.count++;
    this.bytes += event.weight;
  }

  private forgetLanes(): void {
    this.lanes.clear();
    this.priorities = [];
  }

  /** The oldest of the most urgent. */
  shift(): BusEvent | undefined {
    return this.take(0);
  }

  /** The oldest of the least urgent: what goes when there is no room. */
  shiftLeastUrgent(): BusEvent | undefined {
    return this.take(this.priorities.length - 1);
  }

  private take(at: number): BusEvent | undefined {
    if (this.count === 0) return undefined;
    const priority = this.priorities[at]!;
    const lane = this.lanes.get(priority)!;
    const event = lane.shift()!;
    // The last lane stays, empty: most queues never have another.
    if (lane.size === 0 && this.priorities.length > 1) {
      this.lanes.delete(priority);
      this.priorities.splice(at, 1);
    }
    this.count--;
    this.bytes -= event.weight;
    return event;
  }
}
