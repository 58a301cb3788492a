/** One replay while it goes on: it can be paused, stepped, slowed down and stopped, and stops at breakpoints. */
import { randomUUID } from "node:crypto";
import { messageOf, SpellError } from "../../core/errors.ts";
import { Pulse } from "../../core/pulse.ts";
import { time } from "../rows.ts";
import { breakpointAfter, breakpointBefore, type SetBreakpoint } from "./breakpoints.ts";
import { type PlannedStep, planSteps } from "./plan.ts";
import type { RerunServices } from "./rerun.ts";
import { StepsReplay } from "./run.ts";
import {
  REPLAY_SPEEDS,
  type RecordedStep,
  type ReplayBreakpoint,
  type ReplayControl,
  type ReplayedStep,
  type ReplayProgress,
  type ReplayResult,
  type ReplayState,
  type StartOptions,
} from "./service.ts";

const DEFAULT_TIMEOUT_SECONDS = 300;
const MOST_BREAKPOINTS = 100;

export interface RunOf {
  sessionId: string;
  correlationId: string;
  steps: readonly RecordedStep[];
  options: StartOptions;
  services: RerunServices;
}

export class ReplayRun implements ReplayControl {
  readonly id = randomUUID();
  readonly sessionId: string;
  readonly ended: Promise<ReplayResult>;
  private state: ReplayState = "running";
  private currentHook: string | null = null;
  private error: string | null = null;
  private readonly startedMs = Date.now();
  private readonly done: ReplayedStep[] = [];
  private readonly breakpoints = new Map<string, SetBreakpoint>();
  private stoppedAt: ReplayProgress["stopped_at"] = null;
  /** Steps that may run before it pauses; one that was asked for runs whatever breakpoint stands before it. */
  private allowed: number;
  /** Undefined: as fast as it goes. */
  private speed: number | undefined;
  private timeLeftMs: number;
  private readonly aborted = new AbortController();
  /** From those who control it to the run. */
  private readonly told = new Pulse();
  /** From the run to those who wait: it has paused or ended. */
  private readonly rested = new Pulse();

  /** @throws SpellError invalid_argument, limit */
  constructor(private readonly of: RunOf) {
    const { speed, paused = false, breakpoints = [], timeoutSeconds = DEFAULT_TIMEOUT_SECONDS } = of.options;
    this.sessionId = of.sessionId;
    this.timeLeftMs = timeoutSeconds * 1000;
    this.speed = checkedSpeed(speed);
    this.allowed = paused ? 0 : Number.POSITIVE_INFINITY;
    for (const breakpoint of breakpoints) this.addBreakpoint(breakpoint);
    this.ended = this.run();
    this.ended.catch(() => undefined); // told to those who wait for it
  }

  pause(): void {
    this.expectGoing("pause");
    this.allow(0);
  }

  resume(): void {
    this.expectGoing("resume");
    this.allow(Number.POSITIVE_INFINITY);
  }

  async step(): Promise<ReplayedStep | undefined> {
    this.expectGoing("step");
    if (this.allowed > 0)
      throw new SpellError("invalid_argument", "Cannot step the replay: it is not paused", {
        hint: "Pause it first, or start it with paused = true",
      });
    const before = this.done.length;
    this.allow(1);
    await this.settled();
    return this.done[before];
  }

  stop(): void {
    if (!this.isGoing()) return;
    this.state = "cancelled";
    this.told.fire();
  }

  setSpeed(speed: number | undefined): void {
    this.expectGoing("set the speed of");
    this.speed = checkedSpeed(speed);
    this.told.fire();
  }

  changeSpeed(by: 1 | -1): number {
    const { least, most, step } = REPLAY_SPEEDS;
    const place = Math.round((this.speed ?? most) / step) + by;
    this.setSpeed(Math.min(Math.max(place * step, least), most));
    return this.speed!;
  }

  addBreakpoint(at: ReplayBreakpoint): string {
    if (this.breakpoints.size >= MOST_BREAKPOINTS)
      throw new SpellError("limit", `Cannot add a breakpoint: there are ${MOST_BREAKPOINTS} already`, {
        data: { limit: "breakpoints", most: MOST_BREAKPOINTS },
        hint: "Remove one first",
      });
    const id = randomUUID();
    this.breakpoints.set(id, { id, at, isSpent: false });
    return id;
  }

  removeBreakpoint(id: string): boolean {
    return this.breakpoints.delete(id);
  }

  async settled(timeoutMs = Number.POSITIVE_INFINITY): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    while (this.state === "running" && performance.now() < endMs)
      await this.rested.wait(endMs - performance.now());
  }

  async result(): Promise<ReplayResult> {
    await this.settled();
    if (this.state !== "paused") return this.ended;
    throw new SpellError("deadlock", "Cannot wait for the replay: it is paused", {
      hint: "Resume, step or stop it first",
    });
  }

  progress(): ReplayProgress {
    const { steps } = this.of;
    return {
      replay_id: this.id,
      session_id: this.sessionId,
      state: this.state,
      total_hooks: steps.length,
      hooks_completed: this.done.length,
      current_hook: this.currentHook,
      start_time: time(this.startedMs),
      estimated_time_remaining: this.remainingSeconds(),
      speed_multiplier: this.speed ?? null,
      active_breakpoints: [...this.breakpoints.values()].filter(({ isSpent }) => !isSpent).length,
      progress_percentage: steps.length === 0 ? 100 : (this.done.length / steps.length) * 100,
      stopped_at: this.stoppedAt,
      error: this.error,
    };
  }

  /** At a chosen speed what the recording took, else what the steps so far took. */
  private remainingSeconds(): number | null {
    const left = this.of.steps.slice(this.done.length);
    if (!this.isGoing() || left.length === 0) return 0;
    if (this.speed !== undefined) return (left.at(-1)!.startedMs - left[0]!.startedMs) / 1000 / this.speed;
    if (this.done.length === 0) return null;
    const spent = this.done.reduce((sum, { duration }) => sum + duration, 0);
    return (spent / this.done.length) * left.length;
  }

  private isGoing(): boolean {
    return this.state === "running" || this.state === "paused";
  }

  private expectGoing(what: string): void {
    if (this.isGoing()) return;
    throw new SpellError("invalid_argument", `Cannot ${what} the replay: it has ended: ${this.state}`);
  }

  private allow(steps: number): void {
    this.allowed = steps;
    if (steps > 0) {
      this.state = "running";
      this.stoppedAt = null;
    }
    this.told.fire();
  }

  private async run(): Promise<ReplayResult> {
    const { steps, options, services } = this.of;
    const abort = () => this.aborted.abort(options.signal?.reason);
    options.signal?.addEventListener("abort", abort);
    if (options.signal?.aborted) abort();
    this.aborted.signal.addEventListener("abort", () => {
      if (this.isGoing()) this.allow(Number.POSITIVE_INFINITY);
    });
    try {
      const planned = await planSteps(steps, options, services);
      const { signal } = this.aborted;
      const replay = new StepsReplay(planned, { options, services, correlationId: this.id, signal });
      for (const [i, one] of planned.entries()) {
        const gapMs = i === 0 ? 0 : Math.max(one.step.startedMs - steps[i - 1]!.startedMs, 0);
        await this.reach(one.step, gapMs);
        if (!this.isGoing()) break;
        const replayed = await this.timed(() => this.replay(one, replay));
        if (!replayed.success && options.stopOnError === true) break;
      }
      if (this.isGoing()) this.state = this.done.every(({ success }) => success) ? "completed" : "failed";
    } catch (error) {
      this.state = options.signal?.aborted ? "cancelled" : "failed";
      this.error = messageOf(error);
      throw error;
    } finally {
      options.signal?.removeEventListener("abort", abort);
      this.currentHook = null;
      this.rested.fire();
    }
    return this.resultNow();
  }

  /** Returns when the step may run, or the replay was stopped. @throws what it was aborted for */
  private async reach(step: RecordedStep, gapMs: number): Promise<void> {
    const hit =
      this.allowed > 1 ? breakpointBefore(this.breakpoints.values(), step, this.done.length) : undefined;
    if (hit !== undefined) this.stopAt(hit, step);
    let leftMs = gapMs;
    for (;;) {
      this.aborted.signal.throwIfAborted();
      if (!this.isGoing()) return;
      if (this.allowed <= 0) {
        this.state = "paused";
        this.rested.fire();
        await this.told.wait();
      } else if (leftMs > 0 && this.speed !== undefined && this.allowed > 1) {
        leftMs = await this.waitFor(leftMs, this.speed);
      } else return;
    }
  }

  /** Until the time is over or something changes. @returns what is left of the recorded time */
  private async waitFor(recordedMs: number, speed: number): Promise<number> {
    const start = performance.now();
    await this.timed(() => this.told.wait(recordedMs / speed));
    return recordedMs - (performance.now() - start) * speed;
  }

  private async replay(one: PlannedStep, replay: StepsReplay): Promise<ReplayedStep> {
    const { step } = one;
    this.currentHook = step.name;
    const replayed = await replay.replay(one);
    this.done.push(replayed);
    this.allowed--;
    const hit = breakpointAfter(this.breakpoints.values(), step, replayed);
    if (hit !== undefined) this.stopAt(hit, step);
    return replayed;
  }

  private stopAt({ id, at }: SetBreakpoint, { step }: RecordedStep): void {
    this.allowed = 0;
    this.stoppedAt = { breakpoint_id: id, type: at.type, step };
  }

  /** Time that the replay is paused does not count. */
  private async timed<T>(work: () => Promise<T>): Promise<T> {
    const { timeoutSeconds = DEFAULT_TIMEOUT_SECONDS } = this.of.options;
    const start = performance.now();
    const timer = setTimeout(
      () =>
        this.aborted.abort(
          new SpellError("timeout", `Cannot finish the replay: it took longer than ${timeoutSeconds} s`, {
            hint: "Raise timeout_seconds",
          }),
        ),
      Math.max(this.timeLeftMs, 0),
    );
    try {
      return await work();
    } finally {
      clearTimeout(timer);
      this.timeLeftMs -= performance.now() - start;
    }
  }

  private resultNow(): ReplayResult {
    const { mode = "exact", metadata = {} } = this.of.options;
    const failed = this.done.filter(({ success }) => !success).length;
    return {
      session_id: this.sessionId,
      correlation_id: this.of.correlationId,
      start_time: time(this.startedMs),
      total_duration: (Date.now() - this.startedMs) / 1000,
      hooks_replayed: this.done.length,
      successful_replays: this.done.length - failed,
      failed_replays: failed,
      metadata,
      mode,
      steps_run: this.done.filter(({ source }) => source === "run").length,
      mismatches: this.done.filter(({ comparison }) => comparison?.identical === false).length,
      steps: this.done,
    };
  }
}

function checkedSpeed(speed: number | undefined): number | undefined {
  const { least, most } = REPLAY_SPEEDS;
  if (speed === undefined || (speed >= least && speed <= most)) return speed;
  throw new SpellError(
    "invalid_argument",
    `Invalid replay speed: it must be between ${least} and ${most}: ${speed}`,
    { hint: "Leave it out to replay as fast as it goes" },
  );
}
