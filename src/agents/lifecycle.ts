import { nowMs } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";

/** The states of an agent and where each may go next. */
const MAY_GO_TO = {
  Uninitialized: ["Initializing", "Error"],
  Initializing: ["Ready", "Error", "Terminating"],
  Ready: ["Running", "Paused", "Terminating", "Error"],
  Running: ["Ready", "Paused", "Terminating", "Error"],
  Paused: ["Ready", "Running", "Terminating", "Error"],
  Error: ["Recovering", "Terminating", "Terminated"],
  Recovering: ["Ready", "Error", "Terminating"],
  Terminating: ["Terminated", "Error"],
  Terminated: [],
} as const satisfies Record<string, readonly string[]>;

export type AgentState = keyof typeof MAY_GO_TO;
export const AGENT_STATES = Object.keys(MAY_GO_TO) as AgentState[];

export const mayGo = (from: AgentState, to: AgentState): boolean =>
  (MAY_GO_TO[from] as readonly AgentState[]).includes(to);

export interface StateChange {
  from: AgentState;
  to: AgentState;
  atMs: number;
  /** How long the agent had been in `from`. */
  elapsedMs: number;
  reason?: string;
}

const HISTORY_LIMIT = 1000;
/** Recoveries without a successful turn between them. */
const MAX_RECOVERY_ATTEMPTS = 3;

/** One agent's state machine: the only one, for scripts and for the agent's own turns. */
export class Lifecycle {
  private current: AgentState = "Uninitialized";
  private enteredMs: number;
  private readonly createdMs: number;
  private readonly changes: StateChange[] = [];
  private readonly timeInState = new Map<AgentState, number>();
  private resumeTo: "Ready" | "Running" = "Ready";
  private transitions = 0;
  private errors = 0;
  private attempts = 0;
  private lastErrorText: string | undefined;
  private turnError: string | undefined;

  constructor(
    private readonly agentName: string,
    private readonly now: () => number = nowMs,
  ) {
    this.createdMs = this.enteredMs = now();
  }

  get state(): AgentState {
    return this.current;
  }

  get healthy(): boolean {
    return this.current === "Ready" || this.current === "Running" || this.current === "Paused";
  }

  /** The last 1000 transitions, oldest first. */
  get history(): readonly StateChange[] {
    return this.changes;
  }

  get lastError(): string | undefined {
    return this.lastErrorText;
  }

  /** Why the last turn failed; undefined when it succeeded. */
  get lastTurnError(): string | undefined {
    return this.turnError;
  }

  get recoveryAttempts(): number {
    return this.attempts;
  }

  get totals(): {
    transitions: number;
    errors: number;
    uptimeMs: number;
    timeInStateMs: Map<AgentState, number>;
  } {
    const timeInStateMs = new Map(this.timeInState);
    const running = this.now() - this.enteredMs;
    timeInStateMs.set(this.current, (timeInStateMs.get(this.current) ?? 0) + running);
    return {
      transitions: this.transitions,
      errors: this.errors,
      uptimeMs: this.now() - this.createdMs,
      timeInStateMs,
    };
  }

  /** Nothing to do for an agent that is ready already: agents are when they are created. */
  initialize(): void {
    if (this.current === "Ready") return;
    this.to("Initializing");
    this.to("Ready");
  }

  start(): void {
    this.to("Running", "started");
  }

  stop(): void {
    this.to("Ready", "stopped");
  }

  pause(): void {
    const from = this.current;
    this.to("Paused");
    this.resumeTo = from === "Running" ? "Running" : "Ready";
  }

  /** Back to where `pause` came from. */
  resume(): void {
    if (this.current !== "Paused") this.refuse(this.resumeTo);
    this.to(this.resumeTo, "resumed");
  }

  terminate(): void {
    if (this.current === "Uninitialized") this.refuse("Terminating");
    this.to("Terminating");
    this.to("Terminated");
  }

  fail(message: string): void {
    this.to("Error", message);
    this.noteError(message);
  }

  /** @throws limit after three recoveries without a successful turn between them */
  recover(): void {
    if (this.current !== "Error") this.refuse("Recovering");
    if (this.attempts >= MAX_RECOVERY_ATTEMPTS) {
      throw new SpellError(
        "limit",
        `Cannot recover agent "${this.agentName}": at most ${MAX_RECOVERY_ATTEMPTS} attempts without a successful turn`,
        { data: { limit: "recovery_attempts" }, hint: "Destroy the agent and build it again" },
      );
    }
    this.attempts++;
    this.to("Recovering");
    this.to("Ready", "recovered");
  }

  /**
   * Enters a turn: an agent in Error recovers by itself first.
   * @returns what to call with the failure, or undefined for success, when the turn has ended
   */
  beginTurn(): (failure?: string) => void {
    if (this.current === "Error") this.recover();
    const wasReady = this.current === "Ready";
    if (wasReady) this.to("Running", "turn");
    else if (this.current !== "Running") {
      throw new SpellError(
        "invalid_argument",
        `Cannot run agent "${this.agentName}": it is ${this.current}`,
        {
          data: { state: this.current },
          hint: this.current === "Paused" ? "Call resume() first" : "Build a new agent",
        },
      );
    }
    return (failure) => {
      this.turnError = failure;
      if (failure === undefined) this.attempts = 0;
      else this.noteError(failure);
      if (!wasReady) return;
      if (this.current === "Running")
        this.to("Ready", failure === undefined ? "turn done" : `turn failed: ${failure}`);
      else if (this.current === "Paused") this.resumeTo = "Ready";
    };
  }

  private noteError(message: string): void {
    this.errors++;
    this.lastErrorText = message;
  }

  private to(next: AgentState, reason?: string): void {
    if (!mayGo(this.current, next)) this.refuse(next);
    const atMs = this.now();
    const elapsedMs = atMs - this.enteredMs;
    this.timeInState.set(this.current, (this.timeInState.get(this.current) ?? 0) + elapsedMs);
    this.changes.push({
      from: this.current,
      to: next,
      atMs,
      elapsedMs,
      ...(reason === undefined ? {} : { reason }),
    });
    if (this.changes.length > HISTORY_LIMIT) this.changes.shift();
    this.transitions++;
    this.current = next;
    this.enteredMs = atMs;
  }

  private refuse(next: AgentState): never {
    const allowed: readonly AgentState[] = MAY_GO_TO[this.current];
    throw new SpellError(
      "invalid_argument",
      `Cannot change the state of agent "${this.agentName}": ${this.current} does not lead to ${next}`,
      {
        data: { from: this.current, to: next },
        hint:
          allowed.length > 0
            ? `From ${this.current} it may go to ${allowed.join(", ")}`
            : "It has ended for good",
      },
    );
  }
}
