import { steadyMs } from "../core/clock.ts";
import { Ring } from "../core/ring.ts";

/** Bounds: a script that makes up names without end must not fill memory. */
const MAX_PATHS = 10_000;
const MAX_RUNNING = 10_000;
const MAX_EVENTS = 10_000;
const MAX_SAMPLES = 1_000;
/** Deeper timers count as siblings: timers that are never stopped must not make ever longer paths. */
const MAX_DEPTH = 64;
const OTHER = "(other)";

/** What was measured under one path: timer names from the outermost running timer inwards. */
export interface PathTimes {
  readonly path: readonly string[];
  count: number;
  totalMs: number;
  /** Time spent in timers that ran inside. */
  childMs: number;
  minMs: number;
  maxMs: number;
  /** Newest durations, for percentiles. */
  readonly samples: Ring<number>;
}

export interface ProfileEvent {
  readonly timerId: string;
  readonly timer: string;
  readonly kind: "event" | "lap";
  readonly name: string;
  /** Since the timer started. */
  readonly elapsedMs: number;
  readonly metadata?: unknown;
}

/** A stopwatch of a script. Made by `Profiler.start`. */
export class Timer {
  private stopped = false;

  get isStopped(): boolean {
    return this.stopped;
  }

  constructor(
    readonly id: string,
    readonly name: string,
    readonly path: readonly string[],
    readonly startedMs: number,
    /** Bytes on the script's heap when it started. */
    readonly startBytes: number,
    private readonly profiler: Profiler,
  ) {}

  /** Milliseconds since the start; undefined once stopped. */
  elapsed(): number | undefined {
    return this.stopped ? undefined : this.profiler.now() - this.startedMs;
  }

  /** Milliseconds it ran; undefined when it was stopped before. */
  stop(): number | undefined {
    const ms = this.elapsed();
    if (ms === undefined) return undefined;
    this.stopped = true;
    this.profiler.record(this, ms);
    return ms;
  }

  lap(name: string): boolean {
    return this.profiler.note(this, "lap", name);
  }
}

/** Times of a script's timers, aggregated by path. A timer started while another runs counts as inside it. */
export class Profiler {
  private readonly paths = new Map<string, PathTimes>();
  private readonly active = new Map<string, Timer>();
  private readonly noted = new Ring<ProfileEvent>(MAX_EVENTS);
  /** Timers that later ones run inside, outermost first; stopped ones leave when they come to the top. */
  private readonly nesting: Timer[] = [];
  private started = 0;

  /** @param now a monotonic clock in milliseconds */
  constructor(readonly now: () => number = steadyMs) {}

  start(name: string, heapBytes: number): Timer {
    while (this.nesting.at(-1)?.isStopped) this.nesting.pop();
    const path = [...(this.nesting.at(-1)?.path ?? []), name];
    const timer = new Timer(`timer-${++this.started}`, name, path, this.now(), heapBytes, this);
    this.active.set(timer.id, timer);
    if (this.nesting.length < MAX_DEPTH) this.nesting.push(timer);
    if (this.active.size > MAX_RUNNING) this.active.delete(this.active.keys().next().value!);
    return timer;
  }

  record(timer: Timer, ms: number): void {
    this.active.delete(timer.id);
    const times = this.timesOf(timer.path);
    times.count++;
    times.totalMs += ms;
    times.minMs = Math.min(times.minMs, ms);
    times.maxMs = Math.max(times.maxMs, ms);
    times.samples.push(ms);
    if (timer.path.length > 1) this.timesOf(timer.path.slice(0, -1)).childMs += ms;
  }

  /** False when the timer is not running. */
  note(timer: Timer | undefined, kind: ProfileEvent["kind"], name: string, metadata?: unknown): boolean {
    const elapsedMs = timer?.elapsed();
    if (timer === undefined || elapsedMs === undefined) return false;
    const event = { timerId: timer.id, timer: timer.name, kind, name, elapsedMs };
    this.noted.push(metadata === undefined ? event : { ...event, metadata });
    return true;
  }

  running(): Timer[] {
    return [...this.active.values()];
  }

  find(id: string): Timer | undefined {
    return this.active.get(id);
  }

  events(): ProfileEvent[] {
    return this.noted.last();
  }

  /** Every path that has finished runs, parents before children. */
  times(): PathTimes[] {
    const order = (a: PathTimes, b: PathTimes) => comparePaths(a.path, b.path);
    return [...this.paths.values()].filter((times) => times.count > 0).sort(order);
  }

  private timesOf(path: readonly string[]): PathTimes {
    const key = JSON.stringify(path);
    const known = this.paths.get(key);
    if (known !== undefined) return known;
    if (this.paths.size >= MAX_PATHS && path[0] !== OTHER) return this.timesOf([OTHER]);
    const times: PathTimes = {
      path,
      count: 0,
      totalMs: 0,
      childMs: 0,
      minMs: Number.POSITIVE_INFINITY,
      maxMs: 0,
      samples: new Ring(MAX_SAMPLES),
    };
    this.paths.set(key, times);
    return times;
  }
}

function comparePaths(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1;
  }
  return a.length - b.length;
}
