/** The hook points of one agent: spec/kernel.md section 17.1. */
import { SpellError } from "../core/errors.ts";
import { isPlainObject } from "../core/values.ts";
import type { HookComponent, HookService } from "../hooks/service.ts";
import type { ModelAnswer } from "./model-call.ts";
import type { AgentOutput } from "./service.ts";

export type ActiveHooks = () => HookService | undefined;

type Output = Omit<AgentOutput, "durationMs">;

export interface Round {
  /** What the user said in this turn. */
  input: string;
  model: string;
  /** Counts the model calls of a turn, from 1. */
  number: number;
  /** What else the model is told. */
  identity: () => string;
  signal: AbortSignal;
  correlationId: string;
}

const NO_USAGE = { promptTokens: 0, completionTokens: 0, totalTokens: 0 };

export class AgentHooks {
  private readonly component: HookComponent;

  constructor(
    private readonly active: ActiveHooks,
    private readonly agent: {
      id: string;
      name: string;
      model: { provider: string; modelId: string } | undefined;
    },
  ) {
    this.component = { type: "Agent", name: agent.name, id: agent.id };
  }

  /** One call of the model. @param work gets the input as hooks left it */
  async round(round: Round, work: (input: string) => Promise<ModelAnswer>): Promise<ModelAnswer> {
    const { input, model, number, identity, signal, correlationId } = round;
    const hooks = this.active();
    if (hooks === undefined || !(hooks.has("BeforeAgentExecution") || hooks.has("AfterAgentExecution")))
      return work(input);
    return hooks.around<ModelAnswer>(
      {
        before: "BeforeAgentExecution",
        after: "AfterAgentExecution",
        component: this.component,
        data: { ...this.moves("Ready", "Running", "model call"), input, model, round: number },
        metadata: this.metadata,
        signal,
        correlationId,
        identity,
        resultKey: "output",
        describe: ({ text, usage, toolCalls }) => ({
          from_state: "Running",
          to_state: "Ready",
          output: text,
          tokens: {
            prompt_tokens: usage.promptTokens,
            completion_tokens: usage.completionTokens,
            total_tokens: usage.totalTokens,
          },
          tool_calls: toolCalls.map((call) => ({ name: call.toolName, arguments: call.input })),
        }),
        adopt: (value, before) => answerOf(textOf(value), before),
        skipped: () => ({ ...answerOf(""), finishReason: "skipped" }),
      },
      (data) => work(typeof data.input === "string" ? data.input : input),
    );
  }

  /** A whole turn, which hooks may repeat or answer when it fails. */
  async turn(
    input: string,
    signal: AbortSignal,
    correlationId: string,
    work: () => Promise<Output>,
  ): Promise<Output> {
    const hooks = this.active();
    if (!hooks?.has("AgentError")) return work();
    const { provider = "hook", modelId = "hook" } = this.agent.model ?? {};
    return hooks.around<Output>(
      {
        error: "AgentError",
        component: this.component,
        data: { ...this.moves("Running", "Ready", "turn failed"), input, model: modelId },
        metadata: this.metadata,
        signal,
        correlationId,
        adopt: (value) => ({
          text: textOf(value),
          toolCalls: [],
          usage: NO_USAGE,
          finishReason: "stop",
          model: modelId,
          provider,
        }),
      },
      work,
    );
  }

  /** @param work makes the agent */
  async init<T>(work: () => Promise<T>): Promise<T> {
    return this.life("Init", ["Uninitialized", "Initializing"], ["Initializing", "Ready"], "created", work);
  }

  /** @param work ends the agent */
  async shutdown<T>(reason: string, work: () => Promise<T> | T): Promise<T> {
    return this.life("Shutdown", ["Ready", "Terminating"], ["Terminating", "Terminated"], reason, work);
  }

  /** A custom point of the reference: `agent_paused`, `agent_recovering`. */
  async notify(name: string, from: string, to: string): Promise<void> {
    const point = `custom:${name}`;
    const hooks = this.active();
    if (!hooks?.has(point)) return;
    const data = this.moves(from, to, name);
    await hooks.run({ point, component: this.component, data, metadata: this.metadata });
  }

  private async life<T>(
    what: "Init" | "Shutdown",
    before: readonly [string, string],
    after: readonly [string, string],
    reason: string,
    work: () => Promise<T> | T,
  ): Promise<T> {
    const hooks = this.active();
    if (!hooks?.has(`BeforeAgent${what}`) && !hooks?.has(`AfterAgent${what}`)) return work();
    return hooks.around<T>(
      {
        before: `BeforeAgent${what}`,
        after: `AfterAgent${what}`,
        component: this.component,
        data: this.moves(...before, reason),
        metadata: this.metadata,
        resultKey: "agent",
        describe: () => this.moves(...after, reason),
        adopt: () => {
          throw new SpellError(
            "invalid_argument",
            `Cannot run agent "${this.agent.name}": a hook cannot replace it`,
          );
        },
      },
      work,
    );
  }

  private get metadata(): Record<string, string> {
    return { agent_id: this.agent.id, agent_name: this.agent.name };
  }

  private moves(from: string, to: string, reason: string) {
    return { agent_id: this.agent.id, agent_name: this.agent.name, from_state: from, to_state: to, reason };
  }
}

/** Text, or a table with `text` or `output`. */
function textOf(value: unknown): string {
  if (isPlainObject(value)) return textOf(value.text ?? value.output ?? "");
  return value === undefined || value === null ? "" : String(value);
}

/** An answer with this text: of what the model said before, calls and usage stay. */
function answerOf(text: string, before?: ModelAnswer): ModelAnswer {
  return {
    toolCalls: [],
    finishReason: "stop",
    usage: NO_USAGE,
    ...before,
    text,
    parts: [{ type: "text", text }],
  };
}
