/** What a step does: a tool's call, an agent's turn, another workflow's run. */
import { withDeadline } from "../../agents/deadline.ts";
import { runWithSignal, withRun } from "../../agents/run-scope.ts";
import type { Agent } from "../../agents/service.ts";
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { isPlainObject } from "../../core/values.ts";
import { builtinTools } from "../../tools/registry.ts";
import type { AgentStep, Step, ToolStep, WorkflowStep } from "../model.ts";
import { type StepOutcome, textOf } from "../outcome.ts";
import type { Frame } from "./frame.ts";

export type Performed = Pick<StepOutcome, "target" | "value" | "fields" | "agents">;

/** Runs a nested workflow in the place of a step; given so that workflows and steps need not import each other. */
export type RunNested = (
  frame: Frame,
  step: WorkflowStep,
  input: unknown,
  path: string,
) => Promise<Performed>;

/** Within the step's time. @throws SpellError of what it does, timeout */
export function perform(
  frame: Frame,
  step: Step,
  input: unknown,
  path: string,
  runNested: RunNested,
): Promise<Performed> {
  const { timeoutMs } = step;
  const expired = () =>
    new SpellError("timeout", `step "${step.name}" timed out: timeout_ms is ${timeoutMs}`, {
      data: { limit: "timeout_ms", timeoutMs },
      hint: `Raise timeout_ms of step "${step.name}"`,
    });
  return withDeadline(timeoutMs, expired, [frame.signal], (signal) => {
    const within = frame.withSignal(signal);
    switch (step.type) {
      case "tool":
        return callTool(within, step, input);
      case "agent":
        return runAgent(within, step, input);
      case "workflow":
        return runNested(within, step, input, path);
    }
  });
}

async function callTool(frame: Frame, step: ToolStep, input: unknown): Promise<Performed> {
  const { run } = frame;
  const tools = await frame.dependencies.tools();
  const params = isPlainObject(input) ? input : {};
  const result = await withRun(run, () =>
    tools.execute(step.tool, params, { signal: run.signal, correlationId: run.id }),
  );
  if (!result.success) {
    const { message = "The tool reports a failure", code } = result.error ?? {};
    throw new SpellError("tool_failed", message, {
      data: { tool: result.tool, ...(code == null ? {} : { reason: code }) },
    });
  }
  const fields = result.result ?? result.envelope;
  return { target: result.tool, value: result.primary ?? result.result ?? result.text, fields, agents: [] };
}

async function runAgent(frame: Frame, step: AgentStep, input: unknown): Promise<Performed> {
  const agent = await agentOf(frame, step);
  const isTable = isPlainObject(input) && ("text" in input || "prompt" in input || "input" in input);
  const asked = frame.dependencies.agentInput(isTable ? input : textOf(input));
  const { text, parsed } = await agent.execute(asked, runWithSignal(frame.run, frame.signal));
  return {
    target: agent.name,
    value: text,
    fields: parsed?.value ?? jsonOf(text),
    agents: [[agent.name, text]],
  };
}

/** @throws SpellError not_found */
export async function agentOf(frame: Frame, { agent }: AgentStep): Promise<Agent> {
  if (typeof agent !== "string") return agent;
  const agents = await frame.dependencies.agents();
  const found = agents.get(agent);
  if (found !== undefined) return found;
  const hint = didYouMean(
    agent,
    agents.list().map(({ name }) => name),
  );
  throw new SpellError("not_found", `no such agent: ${agent}`, hint === undefined ? {} : { hint });
}

/** Fields of an answer that is JSON. */
function jsonOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/**
 * Whether a step may be done twice: what it says itself, else where it can change nothing. A tool of ours that reaches neither
 * files nor the network can't, nor an agent that has no other tools; of a script's own tools nothing is known.
 */
export async function isRepeatable(frame: Frame, step: Step, input: unknown): Promise<boolean> {
  if (step.repeatable !== undefined) return step.repeatable;
  if (step.type === "workflow") return true; // its own steps say it
  const tools = await frame.dependencies.tools();
  const isHarmless = (name: string, params: Record<string, unknown>): boolean => {
    const tool = tools.find(name);
    if (tool === undefined) return true; // it fails before it does anything
    return builtinTools.includes(tool) && (tool.needs.length === 0 || tool.isPure?.(params) === true);
  };
  if (step.type === "tool") return isHarmless(step.tool, isPlainObject(input) ? input : {});
  const isMild = (agent: Agent): boolean =>
    agent.toolNames.every((name) => {
      const tool = tools.find(name);
      return tool !== undefined && builtinTools.includes(tool) && tool.needs.length === 0;
    }) && agent.members.every(isMild);
  const agent =
    typeof step.agent === "string" ? (await frame.dependencies.agents()).get(step.agent) : step.agent;
  return agent === undefined || isMild(agent);
}
