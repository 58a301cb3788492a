/** An agent's turn with a model: call it, run the tools it asks for, until it answers. */
import type { LanguageModelV4CallOptions, LanguageModelV4Message } from "@ai-sdk/provider";
import { stringifyJson } from "../core/json.ts";
import { type RecorderSource, recorded } from "../core/recording.ts";
import type { ModelChoice } from "../models/recorded.ts";
import type { SpellModel } from "../models/service.ts";
import type { ToolDefinition, ToolService } from "../tools/service.ts";
import {
  type AnswerForm,
  askForRepair,
  checkForm,
  formOptions,
  readAnswer,
  refuseAnswer,
} from "./answer-form.ts";
import type { Approvals } from "./approval.ts";
import type { AgentHooks } from "./hooks.ts";
import { checkShift, localOptions } from "./local-options.ts";
import { assistantMessage, callModel, loadModel, type ModelAnswer } from "./model-call.ts";
import { recordedAnswer, recordedQuestion } from "./recorded-model.ts";
import { type AgentEvent, type AgentToolCall, type AgentUsage, addUsage, noUsage } from "./service.ts";
import { ensureFits } from "./tokens.ts";
import { modelTool, parseArguments, runToolRound } from "./tool-round.ts";

export interface LoopRequest {
  model: SpellModel;
  /** What the model was asked for by, for recordings. */
  choice: ModelChoice;
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
  /** How often an answer that is not of the form is asked for again. */
  maxSchemaRetries: number;
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
  /** The one of a chain of models that gave the last answer, where that is told. */
  answeredBy?: NonNullable<ModelAnswer["answeredBy"]>;
}

type Forced = "tool-limit" | "repeated-call" | "malformed-calls";
/** Rounds in a row of which no call can be made. */
const MALFORMED_ROUNDS = 3;

/**
 * When the calls run out, only repeat what is known already or cannot be made time after time, the model is asked once more,
 * with tools switched off, so that a turn always ends with an answer; `finishReason` then says why.
 *
 * A model with tools answers freely as long as it may call them; an answer that is not of the form is asked for once more,
 * without tools and held to the form. One that is held and is not of the form all the same is given back with what is wrong.
 */
export async function runLoop(request: LoopRequest): Promise<LoopResult> {
  const { form, model } = request;
  checkForm(form, model);
  checkShift(request.contextShift, model);
  const messages: LanguageModelV4Message[] = [];
  const toolCalls: AgentToolCall[] = [];
  const usage = noUsage();
  /** Outputs by tool and arguments. */
  const known = new Map<string, string>();
  let rounds = 0;
  let remaining = request.maxToolCalls;
  let malformed = 0;
  let forced: Forced | undefined;
  /** Answers that were given back, and what is wrong with them. */
  let repairs: LanguageModelV4Message[] = [];
  let repairsLeft = request.maxSchemaRetries;

  let isHeld = form !== undefined && request.allowed.size === 0;
  while (true) {
    const answer = await ask(request, [...messages, ...repairs], {
      isFinal: forced !== undefined,
      isHeld,
      number: ++rounds,
    });
    addUsage(usage, answer.usage);
    if (forced !== undefined || answer.toolCalls.length === 0) {
      const parsed = readAnswer(form, answer.text);
      if (form !== undefined && parsed === undefined) {
        if (!isHeld) {
          isHeld = true;
          continue;
        }
        if ("schema" in form && answer.finishReason !== "length") {
          if (repairsLeft-- <= 0) throw refuseAnswer(form, model, answer.text);
          repairs = askForRepair(form, answer.text);
          continue;
        }
      }
      if (isDraft(request, isHeld)) await request.emit({ type: "text", text: answer.text });
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
        ...(answer.answeredBy === undefined ? {} : { answeredBy: answer.answeredBy }),
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
    malformed = round.reached === 0 ? malformed + 1 : 0;
    if (malformed >= MALFORMED_ROUNDS) forced ??= "malformed-calls";
    if (forced !== undefined) isHeld = form !== undefined;
    for (const call of round.calls) known.set(callKey(call), call.output);
  }
}

async function ask(
  request: LoopRequest,
  added: readonly LanguageModelV4Message[],
  { isFinal, isHeld, number }: { isFinal: boolean; isHeld: boolean; number: number },
): Promise<ModelAnswer> {
  const { model } = request;
  const options: LanguageModelV4CallOptions = { ...request.settings, prompt: [...request.prompt, ...added] };
  if (isHeld) Object.assign(options, formOptions(request.form!));
  // services want to know the tools of calls in the conversation; grammars and tools do not go together
  const isToldTools = !isHeld || (model.holdsToGrammar !== true && added.some(({ role }) => role === "tool"));
  if (isToldTools && request.allowed.size > 0) {
    options.tools = [...request.allowed.values()].map(modelTool);
    options.toolChoice = { type: isFinal || isHeld ? "none" : "auto" };
  }
  options.providerOptions = localOptions(options, request);
  await loadModel(model, request.signal, request.onLoading);
  const isShifted = request.contextShift ?? model.contextShift ?? false;
  await ensureFits(model, { ...options, abortSignal: request.signal }, request.contextWindow, isShifted);
  const isHidden = isDraft(request, isHeld);
  const emit = async (event: AgentEvent) => {
    if (!isHidden || event.type !== "text") await request.emit(event);
  };
  const { hooks, input, signal, correlationId, recorder, settings } = request;
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
        input: recordedQuestion(request.choice, settings, { ...options, prompt }),
        correlationId,
      },
      () => callModel(model, { ...options, prompt }, signal, emit),
      recordedAnswer,
    );
  });
  if (!isAsked && answer.text !== "") await emit({ type: "text", text: answer.text });
  return answer;
}

/** Whether an answer may have to be asked for again in its form, and is not shown while it is written. */
function isDraft({ form, model, maxSchemaRetries }: LoopRequest, isHeld: boolean): boolean {
  if (form === undefined) return false;
  return !isHeld || ("schema" in form && model.holdsToGrammar !== true && maxSchemaRetries > 0);
}

/** The prompt with another text in the user's last message. */
function withInput(
  prompt: readonly LanguageModelV4Message[],
  before: string,
  after: string,
): LanguageModelV4Message[] {
  const at = prompt.findLastIndex(
    ({ role, content }) =>
      role === "user" && content.some((part) => part.type === "text" && part.text.startsWith(before)),
  );
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
