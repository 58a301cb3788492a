/** The last `capacity` values, oldest first. */
export class Ring<T> {
  private values: T[] = [];
  /** Where the oldest value is once the ring is full. */
  private start = 0;

  constructor(private readonly capacity: number) {}

  push(value: T): void {
    if (this.values.length < this.capacity) {
      this.values.push(value);
    } else if (this.capacity > 0) {
      this.values[this.start] = value;
      this.start = (this.start + 1) % this.capacity;
    }
  }

  /** The newest `count` values, oldest first. */
  last(count = this.values.length): T[] {
    const size = this.values.length;
    const wanted = Math.max(0, Math.min(count, size));
    return Array.from({ length: wanted }, (_, i) => this.values[(this.start + size - wanted + i) % size]!);
  }

  clear(): void {
    this.values = [];
    this.start = 0;
  }
}
