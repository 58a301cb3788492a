/** An agent's turn with a model: call it, run the tools it asks for, until it answers. */
import type { LanguageModelV4CallOptions, LanguageModelV4Message } from "@ai-sdk/provider";
import { stringifyJson } from "../core/json.ts";
import type { SpellModel } from "../models/service.ts";
import type { ToolDefinition, ToolService } from "../tools/service.ts";
import { assistantMessage, callModel, loadModel, type ModelAnswer } from "./model-call.ts";
import type { AgentEvent, AgentToolCall, AgentUsage } from "./service.ts";
import { ensureFits } from "./tokens.ts";
import { modelTool, parseArguments, runToolRound } from "./tool-round.ts";

export interface LoopRequest {
  model: SpellModel;
  /** System prompt, earlier turns and the user's new message. */
  prompt: readonly LanguageModelV4Message[];
  settings: Pick<
    LanguageModelV4CallOptions,
    "temperature" | "maxOutputTokens" | "topP" | "topK" | "seed" | "stopSequences"
  >;
  tools: ToolService;
  allowed: ReadonlyMap<string, ToolDefinition>;
  maxToolCalls: number;
  contextWindow: number | undefined;
  signal: AbortSignal;
  correlationId: string;
  emit: (event: AgentEvent) => Promise<void>;
  /** Share of a local model that has been loaded. */
  onLoading: (share: number) => void;
}

export interface LoopResult {
  text: string;
  toolCalls: AgentToolCall[];
  usage: AgentUsage;
  finishReason: string;
  /** What the turn adds to the conversation after the user's message. */
  messages: LanguageModelV4Message[];
}

/**
 * When the calls run out or only repeat what is known already, the model is asked once more, with tools switched off, so
 * that a turn always ends with an answer; `finishReason` then says `tool-limit` or `repeated-call`.
 */
export async function runLoop(request: LoopRequest): Promise<LoopResult> {
  const messages: LanguageModelV4Message[] = [];
  const toolCalls: AgentToolCall[] = [];
  const usage = { promptTokens: 0, completionTokens: 0, totalTokens: 0 };
  /** Outputs by tool and arguments. */
  const known = new Map<string, string>();
  let remaining = request.maxToolCalls;
  let forced: "tool-limit" | "repeated-call" | undefined;

  while (true) {
    const answer = await ask(request, messages, forced !== undefined);
    usage.promptTokens += answer.usage.promptTokens;
    usage.completionTokens += answer.usage.completionTokens;
    usage.totalTokens += answer.usage.totalTokens;
    if (forced !== undefined || answer.toolCalls.length === 0) {
      const message = assistantMessage({ ...answer, toolCalls: [] }, []);
      messages.push(message ?? { role: "assistant", content: [{ type: "text", text: "" }] });
      return { text: answer.text, toolCalls, usage, finishReason: forced ?? answer.finishReason, messages };
    }

    const args = parseArguments(answer.toolCalls);
    messages.push(assistantMessage(answer, args)!);
    const round = await runToolRound(answer.toolCalls, args, { ...request, remaining });
    messages.push({ role: "tool", content: round.results });
    toolCalls.push(...round.calls);
    remaining -= round.calls.length;
    if (round.calls.every((call) => known.get(callKey(call)) === call.output)) forced = "repeated-call";
    else if (remaining <= 0) forced = "tool-limit";
    for (const call of round.calls) known.set(callKey(call), call.output);
  }
}

async function ask(
  request: LoopRequest,
  added: readonly LanguageModelV4Message[],
  final: boolean,
): Promise<ModelAnswer> {
  const options: LanguageModelV4CallOptions = { ...request.settings, prompt: [...request.prompt, ...added] };
  if (request.allowed.size > 0) {
    options.tools = [...request.allowed.values()].map(modelTool);
    options.toolChoice = { type: final ? "none" : "auto" };
  }
  await loadModel(request.model, request.signal, request.onLoading);
  await ensureFits(request.model, { ...options, abortSignal: request.signal }, request.contextWindow);
  return callModel(request.model, options, request.signal, request.emit);
}

const callKey = (call: AgentToolCall): string => `${call.toolName} ${stringifyJson(call.parameters)}`;
