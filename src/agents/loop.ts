/** An agent's turn with a model: call it, run the tools it asks for, until it answers. */
import type { LanguageModelV4CallOptions, LanguageModelV4Message } from "@ai-sdk/provider";
import { stringifyJson } from "../core/json.ts";
import { type RecorderSource, recorded } from "../core/recording.ts";
import type { SpellModel } from "../models/service.ts";
import type { ToolDefinition, ToolService } from "../tools/service.ts";
import { type AnswerForm, checkForm, formOptions, readAnswer, refuseAnswer } from "./answer-form.ts";
import type { Approvals } from "./approval.ts";
import type { AgentHooks } from "./hooks.ts";
import { checkShift, localOptions } from "./local-options.ts";
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
  approvals: Approvals;
  contextWindow: number | undefined;
  /** Undefined: as the model is set. */
  contextShift: boolean | undefined;
  /** What the final answer has to be. */
  form: AnswerForm | undefined;
  signal: AbortSignal;
  correlationId: string;
  recorder: RecorderSource | undefined;
  emit: (event: AgentEvent) => Promise<void>;
  hooks: AgentHooks;
  /** What the user said. */
  input: string;
  /** Share of a local model that has been loaded. */
  onLoading: (share: number) => void;
}

export interface LoopResult {
  text: string;
  /** The value of an answer that was held to a schema; absent where it was cut off. */
  parsed?: { value: unknown };
  toolCalls: AgentToolCall[];
  usage: AgentUsage;
  finishReason: string;
  /** What the turn adds to the conversation after the user's message. */
  messages: LanguageModelV4Message[];
}

/**
 * When the calls run out or only repeat what is known already, the model is asked once more, with tools switched off, so
 * that a turn always ends with an answer; `finishReason` then says `tool-limit` or `repeated-call`.
 *
 * A model with tools answers freely as long as it may call them; an answer that is not of the form is asked for once more,
 * without tools and held to the form.
 */
export async function runLoop(request: LoopRequest): Promise<LoopResult> {
  const { form, model } = request;
  checkForm(form, model);
  checkShift(request.contextShift, model);
  const messages: LanguageModelV4Message[] = [];
  const toolCalls: AgentToolCall[] = [];
  const usage = { promptTokens: 0, completionTokens: 0, totalTokens: 0 };
  /** Outputs by tool and arguments. */
  const known = new Map<string, string>();
  let rounds = 0;
  let remaining = request.maxToolCalls;
  let forced: "tool-limit" | "repeated-call" | undefined;

  let isHeld = form !== undefined && request.allowed.size === 0;
  while (true) {
    const answer = await ask(request, messages, { isFinal: forced !== undefined, isHeld, number: ++rounds });
    usage.promptTokens += answer.usage.promptTokens;
    usage.completionTokens += answer.usage.completionTokens;
    usage.totalTokens += answer.usage.totalTokens;
    if (forced !== undefined || answer.toolCalls.length === 0) {
      const parsed = readAnswer(form, answer.text);
      if (form !== undefined && parsed === undefined) {
        if (!isHeld) {
          isHeld = true;
          continue;
        }
        if ("schema" in form && answer.finishReason !== "length")
          throw refuseAnswer(form, model, answer.text);
      }
      if (form !== undefined && !isHeld) await request.emit({ type: "text", text: answer.text });
      const message = assistantMessage({ ...answer, toolCalls: [] }, []);
      messages.push(message ?? { role: "assistant", content: [{ type: "text", text: "" }] });
      const isCut = form !== undefined && answer.finishReason === "length";
      const finishReason = isCut ? "length" : (forced ?? answer.finishReason);
      return {
        text: answer.text,
        ...(parsed && !isCut ? { parsed } : {}),
        toolCalls,
        usage,
        finishReason,
        messages,
      };
    }

    const args = parseArguments(answer.toolCalls);
    messages.push(assistantMessage(answer, args)!);
    const round = await runToolRound(answer.toolCalls, args, { ...request, remaining });
    messages.push({ role: "tool", content: round.results });
    toolCalls.push(...round.calls);
    remaining -= round.calls.length;
    if (round.calls.every((call) => known.get(callKey(call)) === call.output)) forced = "repeated-call";
    else if (remaining <= 0) forced = "tool-limit";
    if (forced !== undefined) isHeld = form !== undefined;
    for (const call of round.calls) known.set(callKey(call), call.output);
  }
}

async function ask(
  request: LoopRequest,
  added: readonly LanguageModelV4Message[],
  { isFinal, isHeld, number }: { isFinal: boolean; isHeld: boolean; number: number },
): Promise<ModelAnswer> {
  const options: LanguageModelV4CallOptions = { ...request.settings, prompt: [...request.prompt, ...added] };
  if (isHeld) Object.assign(options, formOptions(request.form!));
  else if (request.allowed.size > 0) {
    options.tools = [...request.allowed.values()].map(modelTool);
    options.toolChoice = { type: isFinal ? "none" : "auto" };
  }
  options.providerOptions = localOptions(options, request);
  await loadModel(request.model, request.signal, request.onLoading);
  const isShifted = request.contextShift ?? request.model.contextShift ?? false;
  await ensureFits(
    request.model,
    { ...options, abortSignal: request.signal },
    request.contextWindow,
    isShifted,
  );
  // what may be asked for again in its form is no answer yet
  const isDraft = request.form !== undefined && !isHeld;
  const emit = async (event: AgentEvent) => {
    if (!isDraft || event.type !== "text") await request.emit(event);
  };
  const { hooks, input, model, signal, correlationId, recorder, settings } = request;
  let isAsked = false;
  const round = {
    input,
    model: model.modelId,
    number,
    identity: () => stringifyJson([options.prompt, request.settings]),
    signal,
    correlationId,
  };
  const answer = await hooks.round(round, (text) => {
    isAsked = true;
    const prompt = text === input ? options.prompt : withInput(options.prompt, input, text);
    return recorded(
      recorder,
      {
        kind: "model",
        name: `${model.provider}/${model.modelId}`,
        input: { prompt, settings, tools: [...request.allowed.keys()] },
        correlationId,
      },
      () => callModel(model, { ...options, prompt }, signal, emit),
      recordedAnswer,
    );
  });
  if (!isAsked && answer.text !== "") await emit({ type: "text", text: answer.text });
  return answer;
}

const recordedAnswer = ({ text, toolCalls, finishReason, usage }: ModelAnswer) => ({
  text,
  tool_calls: toolCalls.map(({ toolName, input }) => ({ tool: toolName, input })),
  finish_reason: finishReason,
  usage,
});

/** The prompt with another text in the user's last message. */
function withInput(
  prompt: readonly LanguageModelV4Message[],
  before: string,
  after: string,
): LanguageModelV4Message[] {
  const at = prompt.findLastIndex(({ role }) => role === "user");
  return prompt.map((message, i) => {
    if (i !== at || message.role !== "user") return message;
    const content = message.content.map((part) =>
      part.type === "text" && part.text.startsWith(before)
        ? { ...part, text: after + part.text.slice(before.length) }
        : part,
    );
    return { ...message, content };
  });
}

const callKey = (call: AgentToolCall): string => `${call.toolName} ${stringifyJson(call.parameters)}`;
