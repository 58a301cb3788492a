/** Agents made of agents. */
import { SpellError } from "../core/errors.ts";
import { isBudgetRefusal } from "../models/calls/budget.ts";
import { abortError, withDeadline } from "./deadline.ts";
import { runWithSignal } from "./run-scope.ts";
import { type Agent, type AgentInput, type AgentOutput, addUsage, noUsage } from "./service.ts";
import type { Behaviour, Turn } from "./turn.ts";

/**
 * - `sequential`: each member gets the text of the one before; the last one's is the answer.
 * - `parallel`: every member gets the input; the answer holds all texts under the members' names.
 * - `vote`: every member gets the input; the text most of them gave is the answer (case and outer space aside).
 * - `delegate`: the first member answers, and may ask the others as tools.
 * - `custom`: the input's parameter `agent` names the member; without it the first one answers.
 */
export const STRATEGIES = ["sequential", "parallel", "vote", "delegate", "custom"] as const;

export interface CompositeRouting {
  strategy: (typeof STRATEGIES)[number];
  /** For `vote`: the least share of members that must agree, 0 to 1. Undefined: the most frequent text wins. */
  threshold?: number;
  /** Answers when the strategy fails: a member fails, no text reaches the threshold, the time is up. */
  fallbackAgent?: string;
  timeoutMs?: number;
}

type Output = Omit<AgentOutput, "durationMs">;

export class CompositeBehaviour implements Behaviour {
  readonly heldBytes = 0;

  constructor(
    private readonly name: string,
    private readonly members: readonly Agent[],
    private readonly routing: CompositeRouting,
    private readonly fallback: Agent | undefined,
    /** For `delegate`: the tools that ask the other members. */
    private readonly tools: readonly string[] = [],
  ) {}

  async run(turn: Turn): Promise<Output> {
    const output = await this.answer(turn);
    await turn.emit({ type: "text", text: output.text });
    return output;
  }

  private async answer(turn: Turn): Promise<Output> {
    const { timeoutMs } = this.routing;
    const expired = () =>
      new SpellError(
        "timeout",
        `Cannot finish the turn of agent "${this.name}": timeout_ms is ${timeoutMs}`,
        {
          data: { limit: "timeout_ms", timeoutMs },
        },
      );
    try {
      if (timeoutMs === undefined) return await this.route(turn.input, turn);
      return await withDeadline(timeoutMs, expired, [turn.signal], (signal) =>
        this.route(turn.input, { ...turn, signal }),
      );
    } catch (error) {
      if (turn.signal.aborted) throw abortError(turn.signal);
      if (this.fallback === undefined) throw error;
      const output = await runMember(this.fallback, turn.input, turn);
      return combine([output], output.text, output.finishReason, this.routing.strategy);
    }
  }

  private route(input: AgentInput, turn: Turn): Promise<Output> {
    switch (this.routing.strategy) {
      case "sequential":
        return this.sequential(input, turn);
      case "parallel":
        return this.parallel(input, turn);
      case "vote":
        return this.vote(input, turn);
      case "delegate":
        return this.delegated(input, turn);
      case "custom":
        return this.chosen(input, turn);
    }
  }

  private async sequential(input: AgentInput, turn: Turn): Promise<Output> {
    const outputs: MemberOutput[] = [];
    let text = input.text;
    for (const member of this.members) {
      const output = await runMember(member, { ...input, text }, turn);
      outputs.push(output);
      text = output.text;
    }
    return combine(outputs, text, outputs.at(-1)!.finishReason, "sequential");
  }

  /** The first failure ends the others; where a budget is used up, those that have been paid for may end. */
  private async parallel(input: AgentInput, turn: Turn): Promise<Output> {
    const failed = new AbortController();
    const together = { ...turn, signal: AbortSignal.any([turn.signal, failed.signal]) };
    const running = this.members.map((member) => runMember(member, input, together));
    try {
      const outputs = await Promise.all(running);
      const text = outputs.map((output) => `${output.agent}: ${output.text}`).join("\n\n");
      return combine(outputs, text, "stop", "parallel");
    } catch (error) {
      if (isBudgetRefusal(error)) await Promise.allSettled(running);
      failed.abort(
        new SpellError("interrupted", `Another member of agent "${this.name}" failed`, { cause: error }),
      );
      throw error;
    }
  }

  /** A member that fails has no vote; when all fail, the first failure is the composite's. */
  private async vote(input: AgentInput, turn: Turn): Promise<Output> {
    const ballots = await Promise.allSettled(this.members.map((member) => runMember(member, input, turn)));
    const outputs = ballots.flatMap((ballot) => (ballot.status === "fulfilled" ? [ballot.value] : []));
    const votes = new Map<string, { text: string; count: number }>();
    for (const { text } of outputs) {
      const key = text.trim().toLowerCase();
      const vote = votes.get(key) ?? { text, count: 0 };
      vote.count++;
      votes.set(key, vote);
    }
    const failed = ballots.find((ballot) => ballot.status === "rejected");
    if (votes.size === 0 && failed !== undefined) throw failed.reason;
    // The first of those with most votes, in the members' order.
    const winner = [...votes.values()].reduce((best, vote) => (vote.count > best.count ? vote : best));
    const { threshold } = this.routing;
    if (threshold !== undefined && winner.count / this.members.length < threshold) {
      throw new SpellError(
        "tool_failed",
        `Cannot finish the vote of agent "${this.name}": ${winner.count} of ${this.members.length} agree, threshold is ${threshold}`,
        {
          data: { votes: winner.count, members: this.members.length, threshold },
          hint: "Name a fallback_agent",
        },
      );
    }
    return combine(outputs, winner.text, "stop", "vote");
  }

  private async delegated(input: AgentInput, turn: Turn): Promise<Output> {
    const output = await runMember(this.members[0]!, { ...input, tools: this.tools }, turn);
    const asked = output.toolCalls.flatMap(({ toolName, success, output: text }) => {
      const member = this.members[this.tools.indexOf(toolName) + 1];
      return success && this.tools.includes(toolName) ? [[member!.name, text] as const] : [];
    });
    const combined = combine([output], output.text, output.finishReason, "delegate");
    return { ...combined, members: { ...combined.members, ...Object.fromEntries(asked) } };
  }

  private async chosen(input: AgentInput, turn: Turn): Promise<Output> {
    const { agent: wanted, ...parameters } = input.parameters ?? {};
    const member = wanted === undefined ? this.members[0]! : this.members.find((m) => m.name === wanted);
    if (member === undefined) {
      throw new SpellError(
        "not_found",
        `Cannot run agent "${this.name}": no such member: ${String(wanted)}`,
        {
          hint: `Members are ${this.members.map((m) => m.name).join(", ")}`,
        },
      );
    }
    const output = await runMember(member, { ...input, parameters }, turn);
    return combine([output], output.text, output.finishReason, "custom");
  }
}

type MemberOutput = AgentOutput & { agent: string };

async function runMember(member: Agent, input: AgentInput, turn: Turn): Promise<MemberOutput> {
  const output = await member.execute(input, runWithSignal(turn.run, turn.signal));
  return { ...output, agent: member.name };
}

function combine(
  outputs: readonly MemberOutput[],
  text: string,
  finishReason: string,
  strategy: string,
): Output {
  return {
    text,
    finishReason,
    toolCalls: outputs.flatMap((output) => output.toolCalls),
    usage: outputs.reduce((sum, output) => addUsage(sum, output.usage), noUsage()),
    model: strategy,
    provider: "composite",
    members: Object.fromEntries(outputs.map((output) => [output.agent, output.text])),
  };
}
