import type { LanguageModelV4Message } from "@ai-sdk/provider";
import { randomId, steadyMs } from "../core/clock.ts";
import { messageOf, SpellError } from "../core/errors.ts";
import { type RecorderSource, recorded } from "../core/recording.ts";
import { span } from "../core/span.ts";
import { currentTasks, runAsTask, type Task, TaskLock } from "../core/task.ts";
import type { RunContext } from "../kernel/services.ts";
import { Payer, payFor } from "../models/calls/payer.ts";
import { AgentAlerts, type HealthReport } from "./alerts.ts";
import { COMPACT_PROMPT, type Compacted, type CompactOptions, KEPT_TURNS } from "./compaction.ts";
import type { TurnMessages } from "./conversation.ts";
import { abortError, withDeadline } from "./deadline.ts";
import { type ActiveHooks, AgentHooks } from "./hooks.ts";
import { Lifecycle } from "./lifecycle.ts";
import { AgentMetrics } from "./metrics.ts";
import { withRun } from "./run-scope.ts";
import type { SavedConversations } from "./saved-state.ts";
import type { Agent, AgentEvent, AgentInput, AgentKind, AgentListener, AgentOutput } from "./service.ts";
import type { ResolvedConfig } from "./settings.ts";
import type { Behaviour } from "./turn.ts";

export interface AgentParts {
  /** Default: a new one. */
  id?: string;
  hooks?: ActiveHooks;
  kind: AgentKind;
  config: ResolvedConfig;
  behaviour: Behaviour;
  model?: Agent["model"];
  toolNames?: readonly string[];
  members?: readonly Agent[];
  recorder: RecorderSource | undefined;
}

/** Tasks that are agents' turns, for counting how deep they are nested. */
const turns = new WeakSet<Task>();

/** The frame around the turns of every kind of agent: order, limits, state, measures, events. */
export class ManagedAgent implements Agent {
  readonly id: string;
  readonly kind: AgentKind;
  readonly name: string;
  readonly description: string;
  readonly config: ResolvedConfig;
  readonly model: Agent["model"];
  readonly toolNames: readonly string[];
  readonly members: readonly Agent[];
  readonly lifecycle: Lifecycle;
  readonly metrics: AgentMetrics;
  readonly alerts: AgentAlerts;
  readonly hooks: AgentHooks;
  readonly payer: Payer;
  private readonly behaviour: Behaviour;
  private readonly recorder: RecorderSource | undefined;
  private readonly lock: TaskLock;
  private readonly ended = new AbortController();

  constructor(parts: AgentParts) {
    this.id = parts.id ?? randomId();
    this.kind = parts.kind;
    this.config = parts.config;
    this.name = parts.config.name;
    this.description = parts.config.description;
    this.behaviour = parts.behaviour;
    this.recorder = parts.recorder;
    this.model = parts.model;
    this.toolNames = parts.toolNames ?? [];
    this.members = parts.members ?? [];
    this.payer = new Payer("agent", this.name, parts.config.budget);
    this.lock = new TaskLock(`agent "${this.name}"`);
    this.lifecycle = new Lifecycle(this.name);
    this.metrics = new AgentMetrics(() => this.behaviour.heldBytes, this.payer.usage);
    this.alerts = new AgentAlerts(
      () => this.metrics.values(),
      () => this.health(),
    );
    this.hooks = new AgentHooks(parts.hooks ?? (() => undefined), this);
    this.lifecycle.initialize();
  }

  health(): HealthReport {
    const { healthy, state, lastError } = this.lifecycle;
    if (!healthy)
      return { status: "Unhealthy", message: `The agent is ${state}${lastError ? `: ${lastError}` : ""}` };
    const last = this.lifecycle.lastTurnError;
    return last === undefined ? { status: "Healthy" } : { status: "Degraded", message: last };
  }

  conversations(): SavedConversations {
    return this.behaviour.memory?.conversations() ?? {};
  }

  restore(conversations: SavedConversations): void {
    this.behaviour.memory?.restore(conversations);
  }

  async compact(options: CompactOptions, run: RunContext): Promise<Compacted> {
    const count = (turns: readonly TurnMessages[]) =>
      turns.reduce((sum, messages) => sum + messages.length, 0);
    const { keepTurns = KEPT_TURNS, prompt = COMPACT_PROMPT, maxTokens } = options;
    const { turns: before = [], replaced = [] } = this.conversations()[""] ?? {};
    const messagesBefore = count(before);
    const compactedTurns = before.length - keepTurns;
    if (compactedTurns <= (replaced.length > 0 ? 1 : 0))
      // a summary alone is short already
      return { summary: undefined, compactedTurns: 0, messagesBefore, messagesAfter: messagesBefore };
    const input = {
      text: prompt,
      compaction: { keepTurns },
      ...(maxTokens === undefined ? {} : { maxTokens }),
    };
    const { text: summary } = await this.execute(input, run);
    const messagesAfter = count(this.conversations()[""]?.turns ?? []);
    return { summary, compactedTurns, messagesBefore, messagesAfter };
  }

  expand(): boolean {
    return this.behaviour.memory?.expand("") ?? false;
  }

  history(): LanguageModelV4Message[] {
    return this.behaviour.memory?.original("") ?? [];
  }

  terminate(): void {
    if (this.lifecycle.state === "Terminated") return;
    this.lifecycle.terminate();
    this.ended.abort(
      new SpellError("interrupted", `Cannot finish the turn: agent "${this.name}" was terminated`),
    );
  }

  async execute(input: AgentInput, run: RunContext, listener?: AgentListener): Promise<AgentOutput> {
    if (input.text.trim() === "") {
      throw new SpellError(
        "invalid_argument",
        `Cannot run agent "${this.name}": the input text must not be empty`,
        {
          hint: 'Pass {text = "..."} or a string',
        },
      );
    }
    const emit = this.emitter(run, listener);
    try {
      const output = await this.watched(() =>
        runAsTask(`agent "${this.name}"`, (task) => this.locked(task, input, run, emit)),
      );
      await emit({ type: "end", output });
      return output;
    } catch (error) {
      // Not awaited: a listener that hangs or has failed must not keep the caller from the failure.
      emit({ type: "error", error }).catch(() => undefined);
      throw error;
    }
  }

  private watched(turn: () => Promise<AgentOutput>): Promise<AgentOutput> {
    const attributes = {
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.agent.id": this.id,
      "gen_ai.agent.name": this.name,
      "gen_ai.agent.description": this.description === "" ? undefined : this.description,
      "gen_ai.provider.name": this.model?.provider,
      "gen_ai.request.model": this.model?.modelId,
    };
    const name = `invoke_agent ${this.name}`;
    return span({ category: "agent", operation: "invoke_agent", name, attributes }, async (watched) => {
      const output = await turn();
      watched.set({
        "gen_ai.usage.input_tokens": output.usage.promptTokens,
        "gen_ai.usage.output_tokens": output.usage.completionTokens,
        "gen_ai.response.finish_reasons": [output.finishReason],
      });
      return output;
    });
  }

  private async locked(task: Task, input: AgentInput, run: RunContext, emit: Emit): Promise<AgentOutput> {
    this.checkDepth();
    turns.add(task);
    payFor(task, this.payer);
    const waiting = AbortSignal.any([run.signal, this.ended.signal]);
    const release = await this.lock.acquire(task, run.blockedTasks(), waiting).catch((error: unknown) => {
      throw waiting.aborted ? abortError(waiting) : error;
    });
    try {
      if (run.signal.aborted) throw abortError(run.signal);
      if (this.lifecycle.state === "Error")
        await this.hooks.notify("agent_recovering", "Error", "Recovering");
      return await recorded(
        this.recorder,
        { kind: "agent", name: this.name, input: recordedInput(input), correlationId: run.id },
        () => this.turn(input, run, emit),
        ({ text, finishReason, usage }) => ({ text, finish_reason: finishReason, usage }),
      );
    } finally {
      release();
    }
  }

  private async turn(input: AgentInput, run: RunContext, emit: Emit): Promise<AgentOutput> {
    const endTurn = this.lifecycle.beginTurn();
    const measured = this.metrics.beginTurn();
    const startMs = steadyMs();
    const seconds = this.config.maxExecutionTimeSeconds;
    const expired = () =>
      new SpellError(
        "timeout",
        `Cannot finish the turn of agent "${this.name}": max_execution_time is ${seconds} s`,
        {
          data: { limit: "max_execution_time", seconds },
          hint: "Raise max_execution_time, or ask for less",
        },
      );
    try {
      const ending = AbortSignal.any([run.signal, this.ended.signal]);
      const attempt = () =>
        withDeadline(seconds * 1000, expired, [ending], (signal) =>
          withRun(run, () =>
            runAsTask(
              `turn of agent "${this.name}"`,
              () => this.behaviour.run({ input, run, signal, emit, hooks: this.hooks }),
              signal,
            ),
          ),
        );
      const result = await this.hooks.turn(input.text, ending, run.id, attempt);
      const output = { ...result, durationMs: steadyMs() - startMs };
      measured("done");
      endTurn();
      return output;
    } catch (error) {
      measured("failed");
      endTurn(messageOf(error));
      throw error;
    } finally {
      this.alerts.check();
    }
  }

  private checkDepth(): void {
    const depth = currentTasks().filter((task) => turns.has(task)).length;
    if (depth < this.config.maxRecursionDepth) return;
    throw new SpellError(
      "limit",
      `Cannot run agent "${this.name}": agents are nested deeper than max_recursion_depth: ${this.config.maxRecursionDepth}`,
      {
        data: { limit: "max_recursion_depth" },
        hint: "Agents that call each other through tools need an end",
      },
    );
  }

  /** Hands events on one after another, so that a listener never sees two at once, and nothing after the last. */
  private emitter(run: RunContext, listener: AgentListener | undefined): Emit {
    let last = Promise.resolve();
    let over = false;
    return (event) => {
      // A tool that does not heed the signal of a cancelled turn may come back much later.
      if (over) return last;
      over = event.type === "end" || event.type === "error";
      if (event.type === "tool-start") this.metrics.toolInvocations++;
      if (event.type === "text" && this.kind !== "composite") {
        run.emit({ type: "token", agent: this.name, text: event.text });
      }
      if (listener !== undefined) last = last.then(() => listener(event));
      return last;
    };
  }
}

const recordedInput = ({ text, parameters }: AgentInput) => ({
  text,
  ...(parameters === undefined ? {} : { parameters }),
});

type Emit = (event: AgentEvent) => Promise<void>;
