/** What sessions record and how it is replayed: spec/kernel.md section 16. Types only. */
import type { Comparison } from "../../core/compare-json.ts";
import type { RecordedCall, RecordedKind, Recorder } from "../../core/recording.ts";

export type { RecordedCall, Recorder };

export const REPLAY_MODES = ["exact", "modified", "simulate", "debug"] as const;
export type ReplayMode = (typeof REPLAY_MODES)[number];

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
  modifications?: readonly Modification[];
  signal?: AbortSignal;
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

export type ReplayState = "scheduled" | "running" | "completed" | "failed" | "cancelled";

export interface ReplayStatus {
  session_id: string;
  state: ReplayState;
  start_time: string | null;
  hooks_processed: number;
  total_hooks: number;
  current_hook: string | null;
  error: string | null;
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
  /** Of the last replay of this process; undefined where there was none. */
  status(sessionId: string): ReplayStatus | undefined;
  /** Replays while this process lives. @returns its id */
  schedule(sessionId: string, schedule: ReplaySchedule, options?: ReplayOptions): Promise<string>;
  scheduled(): ScheduledReplay[];
  /** False where there is none. */
  cancel(scheduleId: string): boolean;
}
