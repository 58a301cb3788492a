/** The tool calls of one model answer: checked, run side by side, turned into what the model is told. */

import type {
  LanguageModelV4FunctionTool,
  LanguageModelV4ToolCall,
  LanguageModelV4ToolResultPart,
} from "@ai-sdk/provider";
import { steadyMs } from "../core/clock.ts";
import { messageOf, SpellError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import { runAsTask } from "../core/task.ts";
import { isPlainObject } from "../core/values.ts";
import type { ToolDefinition, ToolResult, ToolService } from "../tools/service.ts";
import type { Approvals } from "./approval.ts";
import { abortError } from "./deadline.ts";
import type { AgentEvent, AgentToolCall } from "./service.ts";

const PARALLEL_CALLS = 4;
const CALL_TIMEOUT_MS = 30_000;

export interface ToolRoundContext {
  tools: ToolService;
  /** The tools the agent may use, by main name. */
  allowed: ReadonlyMap<string, ToolDefinition>;
  /** How many calls the model may still make in this turn, those included that reach no tool. */
  remaining: number;
  maxToolCalls: number;
  approvals: Approvals;
  signal: AbortSignal;
  correlationId: string;
  emit: (event: AgentEvent) => Promise<void>;
}

export interface ToolRound {
  calls: AgentToolCall[];
  /** How many calls were fit to be made. */
  reached: number;
  results: LanguageModelV4ToolResultPart[];
}

/** How a tool is shown to a model. */
export function modelTool(tool: ToolDefinition): LanguageModelV4FunctionTool {
  return {
    type: "function",
    name: tool.name,
    description: tool.description,
    inputSchema: tool.parameters as LanguageModelV4FunctionTool["inputSchema"],
  };
}

export type ToolArguments = Record<string, unknown> | undefined;

/** @returns the arguments of each call, in order; undefined where they are no JSON object */
export function parseArguments(calls: readonly LanguageModelV4ToolCall[]): ToolArguments[] {
  return calls.map((call) => {
    const value = parseJson(call.input);
    return isPlainObject(value) ? value : undefined;
  });
}

function parseJson(text: string): unknown {
  // Models leave the arguments of a tool without parameters empty.
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Failures are results that the model reads; only an aborted turn rejects. */
export async function runToolRound(
  calls: readonly LanguageModelV4ToolCall[],
  args: readonly ToolArguments[],
  ctx: ToolRoundContext,
): Promise<ToolRound> {
  const planned = calls.map((call, i) => {
    const refusal = i < ctx.remaining ? refuse(call, args[i], ctx) : limitReached(ctx);
    return { call, params: args[i] ?? {}, refusal };
  });
  const done: AgentToolCall[] = new Array(planned.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < planned.length; i = next++) {
      const { call, params, refusal } = planned[i]!;
      done[i] = await runCall(call, params, refusal, ctx);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_CALLS, planned.length) }, worker));
  return {
    calls: done,
    reached: planned.filter(({ refusal }) => refusal === undefined).length,
    results: done.map((call) => ({
      type: "tool-result",
      toolCallId: call.toolId,
      toolName: call.toolName,
      output: { type: call.success ? "text" : "error-text", value: call.output },
    })),
  };
}

const limitReached = (ctx: ToolRoundContext) =>
  `The limit of ${ctx.maxToolCalls} tool calls is reached: answer with what you know`;

/** Why a call cannot reach a tool, or undefined. */
function refuse(
  call: LanguageModelV4ToolCall,
  params: ToolArguments,
  ctx: ToolRoundContext,
): string | undefined {
  const names = [...ctx.allowed.keys()];
  const available = names.length > 0 ? `Available tools: ${names.join(", ")}` : "No tools are available";
  const tool = ctx.tools.find(call.toolName);
  if (tool !== undefined && !ctx.allowed.has(tool.name))
    return `Tool "${call.toolName}" is not allowed. ${available}`;
  if (tool === undefined) {
    const near = didYouMean(call.toolName, names);
    return `Unknown tool "${call.toolName}". ${near === undefined ? "" : `${near} `}${available}`;
  }
  if (params === undefined)
    return `The arguments of "${tool.name}" must be a JSON object: ${shown(call.input)}`;
  return undefined;
}

const LONGEST_SHOWN = 300;

/** A model is not told all of a long text that it has just written wrongly. */
const shown = (text: string): string =>
  text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}… (${text.length} characters)`;

async function runCall(
  call: LanguageModelV4ToolCall,
  params: Record<string, unknown>,
  refusal: string | undefined,
  ctx: ToolRoundContext,
): Promise<AgentToolCall> {
  const toolName = ctx.tools.find(call.toolName)?.name ?? call.toolName;
  const verdict = refusal === undefined ? await ctx.approvals.decide(toolName, params) : undefined;
  const parameters = verdict?.parameters ?? params;
  await ctx.emit({ type: "tool-start", callId: call.toolCallId, toolName, args: parameters });
  const startMs = steadyMs();
  const told =
    verdict?.allowed === true
      ? await execute(toolName, call.toolCallId, parameters, ctx)
      : failure(refusal ?? `The call was not approved: ${verdict?.reason}`);
  await ctx.emit({
    type: "tool-end",
    callId: call.toolCallId,
    toolName,
    success: told.success,
    output: told.output,
  });
  const durationMs = steadyMs() - startMs;
  return { toolName, toolId: call.toolCallId, parameters, ...told, durationMs };
}

interface Told {
  success: boolean;
  output: string;
  error?: string;
}

const failure = (error: string): Told => ({ success: false, output: `Error: ${error}`, error });

async function execute(
  toolName: string,
  callId: string,
  params: Record<string, unknown>,
  ctx: ToolRoundContext,
): Promise<Told> {
  try {
    const result = await runAsTask(`call ${callId}`, () =>
      ctx.tools.execute(toolName, params, {
        signal: ctx.signal,
        correlationId: ctx.correlationId,
        timeoutMs: CALL_TIMEOUT_MS,
        callId,
      }),
    );
    if (!result.success) return failure(failureText(result));
    return { success: true, output: modelText(result) };
  } catch (error) {
    if (ctx.signal.aborted) throw abortError(ctx.signal);
    const hint = error instanceof SpellError ? error.hint : undefined;
    return failure(hint === undefined ? messageOf(error) : `${messageOf(error)}. ${hint}`);
  }
}

/** Models read a tool's text as scripts do: the envelope's JSON, or the content of tools that answer with text. */
function modelText(result: ToolResult): string {
  return typeof result.text === "string"
    ? result.text
    : `The result is ${result.text.byteLength} bytes that are not text`;
}

function failureText(result: ToolResult): string {
  const { error, message } = result.envelope as { error?: unknown; message?: unknown };
  if (isPlainObject(error) && typeof error.message === "string") return error.message;
  if (typeof error === "string") return error;
  return typeof message === "string" ? message : "The tool failed and gave no reason";
}
