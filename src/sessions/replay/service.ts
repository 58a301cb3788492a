/** What sessions record and how it is replayed: spec/kernel.md section 16. */
import type { Comparison } from "../../core/compare-json.ts";
import { SpellError } from "../../core/errors.ts";
import type { RecordedCall, RecordedKind, Recorder } from "../../core/recording.ts";

export type { RecordedCall, Recorder };

export const REPLAY_MODES = ["exact", "modified", "simulate", "debug"] as const;
export type ReplayMode = (typeof REPLAY_MODES)[number];

/** Kinds of steps that can run again. Agents cannot: their calls of models and tools are steps of their own. */
export const RERUN_KINDS = ["tool", "model", "hook", "event"] as const satisfies readonly RecordedKind[];
export type RerunKind = (typeof RERUN_KINDS)[number];

/** @throws SpellError invalid_argument for a word that is no such kind */
export function rerunKinds(given: "all" | readonly string[]): readonly RerunKind[] {
  if (given === "all" || (given.length === 1 && given[0] === "all")) return RERUN_KINDS;
  const unknown = given.find((kind) => !(RERUN_KINDS as readonly string[]).includes(kind));
  if (unknown === undefined) return given as RerunKind[];
  throw new SpellError(
    "invalid_argument",
    `Cannot replay session: "run" must be all, or some of ${RERUN_KINDS.join(", ")}: ${unknown}`,
    { hint: "Agents and changes of state never run again: what they called are steps of their own" },
  );
}

/** Another input for recorded steps. */
export interface Modification {
  /** Where in a step's input: `operation`, `items[1].name`; `context.data.` before it is taken off. */
  path: string;
  value: unknown;
  enabled?: boolean;
  /** Only this step. */
  step?: number;
}

export interface ReplayOptions {
  /** Default `exact`. */
  mode?: ReplayMode;
  /** Kinds of which every step runs again. Default: none, only tools that compute do. */
  run?: readonly RerunKind[];
  /** Default true. */
  compareResults?: boolean;
  /** For all steps together. Default 300. */
  timeoutSeconds?: number;
  /** Default false. */
  stopOnError?: boolean;
  metadata?: Record<string, unknown>;
  /** First and last step, counted from 1, both included. */
  fromStep?: number;
  toStep?: number;
  /** Only steps that began until then; milliseconds since the epoch. */
  untilMs?: number;
  modifications?: readonly Modification[];
  signal?: AbortSignal;
}

/** Multiples of the recorded time, and by how much `changeSpeed` moves. */
export const REPLAY_SPEEDS = { least: 0.1, most: 10, step: 0.5 } as const;

/** Where a replay pauses by itself. */
export type ReplayBreakpoint =
  /** Before each step of this tool, hook, agent, model or key. */
  | { type: "hook_execution"; hook: string }
  /** Before the first step that began then or later; milliseconds since the epoch. */
  | { type: "timestamp"; atMs: number }
  /** After a step that failed, or that is told to have failed then. */
  | { type: "on_error" }
  /** After a step that left this value under a key: one of the session, or `SCOPE:KEY`. */
  | { type: "session_state"; key: string; value: unknown }
  /** After so many steps. */
  | { type: "hook_count"; count: number };

export const BREAKPOINT_TYPES = [
  "hook_execution",
  "timestamp",
  "on_error",
  "session_state",
  "hook_count",
] as const satisfies readonly ReplayBreakpoint["type"][];

export interface StartOptions extends ReplayOptions {
  /** Waits between steps as long as the recording did, divided by this; absent: not at all. */
  speed?: number;
  /** Begins paused. */
  paused?: boolean;
  breakpoints?: readonly ReplayBreakpoint[];
}

export interface RecordedStep {
  /** Counted from 1 within the session. */
  step: number;
  id: string;
  kind: RecordedKind;
  name: string;
  input: unknown;
  output: unknown;
  error: string | null;
  startedMs: number;
  durationMs: number;
  correlationId: string;
  /** Id of the step within which it ran. */
  within: string | null;
}

/** A recorded step as timelines show it. Times: RFC 3339 and milliseconds, `offset_ms` since the first step. */
export interface TimelineEntry {
  step: number;
  timestamp: string;
  offset_ms: number;
  kind: RecordedKind;
  hook_name: string;
  duration_ms: number;
  success: boolean;
  error: string | null;
  correlation_id: string;
}

/** Counts are by what is counted, the most frequent first. */
export interface ErrorAnalysis {
  total_steps: number;
  total_errors: number;
  /** 0 to 1. */
  error_rate: number;
  by_hook: Record<string, number>;
  by_kind: Record<string, number>;
  by_error: Record<string, number>;
  first: TimelineEntry | null;
  last: TimelineEntry | null;
}

export interface ReplayedStep {
  step: number;
  replay_id: string;
  original_execution_id: string;
  kind: RecordedKind;
  hook_name: string;
  start_time: string;
  /** Seconds. */
  duration: number;
  /** `run`: done again; `recorded`: its recorded outcome stands for it. */
  source: "run" | "recorded";
  /** The step within which it ran again. */
  within?: number;
  /** Why it is told from the recording though it was to run. */
  reason?: string;
  /** Calls that were made within it and were not made then: `tool calculator`. */
  added?: string[];
  success: boolean;
  error: string | null;
  applied_modifications: string[];
  comparison?: Comparison;
  /** In debug mode. */
  input?: unknown;
  output?: unknown;
}

export interface ReplayResult {
  session_id: string;
  correlation_id: string;
  start_time: string;
  /** Seconds. */
  total_duration: number;
  hooks_replayed: number;
  successful_replays: number;
  failed_replays: number;
  metadata: Record<string, unknown>;
  mode: ReplayMode;
  /** Steps that ran again. */
  steps_run: number;
  /** Steps that gave another result than they did then. */
  mismatches: number;
  steps: ReplayedStep[];
}

export interface ReplayMetadata {
  session_id: string;
  correlation_id: string;
  total_hooks: number;
  first_hook_timestamp: string | null;
  last_hook_timestamp: string | null;
  /** Seconds from the start of the first to the end of the last. */
  total_duration: number;
  can_replay: boolean;
}

export type ReplayState = "scheduled" | "running" | "paused" | "completed" | "failed" | "cancelled";

export interface ReplayStatus {
  session_id: string;
  state: ReplayState;
  start_time: string | null;
  hooks_processed: number;
  total_hooks: number;
  current_hook: string | null;
  error: string | null;
}

export interface ReplayProgress {
  replay_id: string;
  session_id: string;
  state: ReplayState;
  total_hooks: number;
  hooks_completed: number;
  current_hook: string | null;
  start_time: string;
  /** Seconds; null while nothing is known. */
  estimated_time_remaining: number | null;
  /** Null: as fast as it goes. */
  speed_multiplier: number | null;
  active_breakpoints: number;
  progress_percentage: number;
  /** The breakpoint at which it is paused, and the step before or after which. */
  stopped_at: { breakpoint_id: string; type: ReplayBreakpoint["type"]; step: number } | null;
  error: string | null;
}

/** A replay while it goes on. Methods that change it: @throws SpellError invalid_argument once it has ended. */
export interface ReplayControl {
  readonly id: string;
  /** Before the next step. */
  pause(): void;
  resume(): void;
  /** Runs one step of a paused replay. @returns undefined where none is left */
  step(): Promise<ReplayedStep | undefined>;
  /** Its result then holds the steps so far. */
  stop(): void;
  /** @param speed of `REPLAY_SPEEDS`; undefined: as fast as it goes */
  setSpeed(speed: number | undefined): void;
  /** @returns the new speed; a replay without one counts as having the highest */
  changeSpeed(by: 1 | -1): number;
  /** @returns its id */
  addBreakpoint(at: ReplayBreakpoint): string;
  removeBreakpoint(id: string): boolean;
  progress(): ReplayProgress;
  /** Resolves once it is paused or has ended, or the time is over. */
  settled(timeoutMs?: number): Promise<void>;
  /** At its end. @throws SpellError deadlock while it is paused, what made it fail */
  result(): Promise<ReplayResult>;
}

export type ReplaySchedule =
  | { type: "once"; delaySeconds: number }
  | { type: "interval"; initialSeconds: number; intervalSeconds: number; most?: number }
  | { type: "cron"; expression: string };

export interface ScheduledReplay {
  id: string;
  session_id: string;
  type: ReplaySchedule["type"];
  next_run: string | null;
  runs: number;
  last: { start_time: string; state: ReplayState; error: string | null } | null;
}

/** All: @throws SpellError invalid_argument (no UUID), not_found. */
export interface ReplayService {
  /** Whether it has been saved and has recorded something. */
  canReplay(sessionId: string): Promise<boolean>;
  metadata(sessionId: string): Promise<ReplayMetadata>;
  replayable(): Promise<string[]>;
  steps(sessionId: string): Promise<RecordedStep[]>;
  /** @throws SpellError not_found (nothing recorded), timeout, interrupted, limit (too many at once) */
  replay(sessionId: string, options?: ReplayOptions): Promise<ReplayResult>;
  /** As `replay`, and gives the replay while it goes on. At most ten go on at once, paused ones included. */
  start(sessionId: string, options?: StartOptions): Promise<ReplayControl>;
  /** Of the last replay of this process; undefined where there was none. */
  status(sessionId: string): ReplayStatus | undefined;
  /** Replays while this process lives. @returns its id */
  schedule(sessionId: string, schedule: ReplaySchedule, options?: ReplayOptions): Promise<string>;
  scheduled(): ScheduledReplay[];
  /** False where there is none. */
  cancel(scheduleId: string): boolean;
}
