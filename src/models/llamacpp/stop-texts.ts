/** Finds stop texts in a text that arrives in pieces, and holds back what may be the beginning of one. */
export class StopTexts {
  private held = "";
  private readonly stops: readonly string[];
  stopped = false;

  constructor(stops: readonly string[]) {
    this.stops = stops.filter((stop) => stop !== "");
  }

  get isActive(): boolean {
    return this.stops.length > 0;
  }

  /** What can be passed on for certain after `text` has arrived. Nothing after a stop text was found. */
  push(text: string): string {
    if (this.stopped) return "";
    this.held += text;
    const found = this.firstStop();
    if (found >= 0) {
      this.stopped = true;
      return this.release(found);
    }
    return this.release(this.held.length - this.openLength());
  }

  /** The rest, when no more will come. */
  end(): string {
    return this.release(this.held.length);
  }

  private release(length: number): string {
    const text = this.held.slice(0, length);
    this.held = this.stopped ? "" : this.held.slice(length);
    return text;
  }

  /** Where the stop text begins that is complete first, however the text was cut; -1 for none. */
  private firstStop(): number {
    let first = -1;
    let firstEnd = Number.POSITIVE_INFINITY;
    for (const stop of this.stops) {
      const at = this.held.indexOf(stop);
      const end = at + stop.length;
      if (at < 0 || end > firstEnd || (end === firstEnd && at > first)) continue;
      first = at;
      firstEnd = end;
    }
    return first;
  }

  /** Length of the longest end of the held text that a stop text begins with. */
  private openLength(): number {
    let longest = 0;
    for (const stop of this.stops) {
      for (let n = Math.min(stop.length - 1, this.held.length); n > longest; n--) {
        if (this.held.endsWith(stop.slice(0, n))) {
          longest = n;
          break;
        }
      }
    }
    return longest;
  }
}
