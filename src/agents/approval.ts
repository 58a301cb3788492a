/** Whether a call that an agent's model wants to make may be made: decided before each one. */
import { messageOf, SpellError } from "../core/errors.ts";
import { stringifyJson } from "../core/json.ts";
import { didYouMean } from "../core/nearest.ts";
import { span } from "../core/span.ts";
import { isPlainObject } from "../core/values.ts";
import type { RunContext } from "../kernel/services.ts";
import type { ToolService } from "../tools/service.ts";

/** - `auto`: run it. - `ask`: ask the person at the terminal; where there is none it is refused. - `deny`: refuse it. */
export const APPROVAL_RULES = ["auto", "ask", "deny"] as const;
export type ApprovalRule = (typeof APPROVAL_RULES)[number];

export interface ProposedCall {
  agent: string;
  tool: string;
  parameters: Record<string, unknown>;
}

export interface Verdict {
  allowed: boolean;
  /** The parameters to call it with instead. */
  parameters?: Record<string, unknown>;
  /** Told to the model. */
  reason?: string;
}

export type ApprovalPolicy =
  /** By main name or alias of a tool. */
  | { kind: "rules"; tools: Readonly<Record<string, ApprovalRule>>; others: ApprovalRule }
  | { kind: "function"; decide: (call: ProposedCall) => Promise<Verdict> };

/** @throws SpellError not_found for a rule about no tool */
export function checkPolicy(policy: ApprovalPolicy | undefined, agent: string, tools: ToolService): void {
  if (policy?.kind !== "rules") return;
  for (const name of Object.keys(policy.tools)) {
    if (tools.find(name) !== undefined) continue;
    const hint = didYouMean(
      name,
      tools.list().map((tool) => tool.name),
    );
    throw new SpellError("not_found", `Cannot build agent "${agent}": "approval" names no tool: ${name}`, {
      data: { tool: name },
      hint: hint ?? 'See "llmspell tool list"',
    });
  }
}

/** The approvals of one turn. Questions come one after another, however many calls wait. */
export class Approvals {
  private asking: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly agent: string,
    private readonly policy: ApprovalPolicy | undefined,
    private readonly tools: ToolService,
    private readonly run: RunContext,
  ) {}

  /** @param tool main name. A policy that fails refuses the call. */
  async decide(tool: string, parameters: Record<string, unknown>): Promise<Verdict> {
    const call = { agent: this.agent, tool, parameters };
    if (this.policy === undefined) return { allowed: true };
    const rule = this.policy.kind === "function" ? "function" : this.ruleFor(tool);
    if (rule === "auto") return { allowed: true };
    return span(
      {
        category: "security",
        operation: "approve_tool",
        attributes: {
          "llmspell.security.rule": rule,
          "gen_ai.agent.name": this.agent,
          "gen_ai.tool.name": tool,
        },
      },
      async (watched) => {
        const verdict = await this.verdict(rule, call);
        watched.set({ "llmspell.security.allowed": verdict.allowed });
        if (!verdict.allowed) watched.fail("permission_denied", verdict.reason);
        return verdict;
      },
    );
  }

  private async verdict(rule: "function" | "deny" | "ask", call: ProposedCall): Promise<Verdict> {
    if (rule === "deny") return { allowed: false, reason: "the agent's approval policy denies this tool" };
    if (rule === "ask") return this.ask(call);
    const policy = this.policy as Extract<ApprovalPolicy, { kind: "function" }>;
    try {
      return await policy.decide(call);
    } catch (error) {
      if (this.run.signal.aborted) throw error;
      return { allowed: false, reason: `its approval failed: ${messageOf(error)}` };
    }
  }

  private ruleFor(tool: string): ApprovalRule {
    const { tools, others } = this.policy as Extract<ApprovalPolicy, { kind: "rules" }>;
    const named = Object.entries(tools).find(([name]) => this.tools.find(name)?.name === tool);
    return named?.[1] ?? others;
  }

  private ask({ agent, tool, parameters }: ProposedCall): Promise<Verdict> {
    const question = `Agent "${agent}" wants to call ${tool} ${stringifyJson(parameters)}\nAllow? [y/N] `;
    const answered = this.asking.then(async (): Promise<Verdict> => {
      const asked = this.run.ask?.(question);
      if (asked === undefined)
        return { allowed: false, reason: "it needs approval, and nobody is there to ask" };
      const line = await asked;
      const answer = line === null ? "" : new TextDecoder().decode(line).trim().toLowerCase();
      return answer === "y" || answer === "yes"
        ? { allowed: true }
        : { allowed: false, reason: "the user refused it" };
    });
    this.asking = answered.catch(() => undefined); // told to its own caller
    return answered;
  }
}

/** What a policy function has said: true or false, changed parameters, or why not. */
export function verdictOf(said: unknown): Verdict {
  if (said === true) return { allowed: true };
  if (typeof said === "string") return { allowed: false, reason: said };
  if (isPlainObject(said)) return { allowed: true, parameters: said };
  return { allowed: false, reason: "the agent's approval policy refuses it" };
}
