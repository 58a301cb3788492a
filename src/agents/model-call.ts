/** One call of a model, always streamed: the same path whether anyone listens or not. */
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
  LanguageModelV4ReasoningPart,
  LanguageModelV4StreamPart,
  LanguageModelV4TextPart,
  LanguageModelV4ToolCall,
  SharedV4ProviderMetadata,
} from "@ai-sdk/provider";
import { callFacts, tokensOf } from "../models/call-facts.ts";
import { observeChat } from "../models/observe.ts";
import { brokeOff, providerError } from "../models/provider-error.ts";
import type { SpellModel } from "../models/service.ts";
import { abortable, abortError } from "./deadline.ts";
import type { AgentEvent, AgentUsage } from "./service.ts";

export interface ModelAnswer {
  text: string;
  toolCalls: LanguageModelV4ToolCall[];
  /** Text and reasoning in the order in which they came, as the prompt's next message needs them. */
  parts: (LanguageModelV4TextPart | LanguageModelV4ReasoningPart)[];
  finishReason: string;
  usage: AgentUsage;
  /** The one of a chain of models that answered, where that is told. */
  answeredBy?: { provider: string; model: string };
}

type Emit = (event: AgentEvent) => Promise<void>;

/** Brings a local model into memory. @throws SpellError as `callModel` */
export async function loadModel(
  model: SpellModel,
  signal: AbortSignal,
  onProgress: (share: number) => void,
): Promise<void> {
  await guard(model, signal, async () => model.load?.({ signal, onProgress }));
}

/** @throws SpellError provider, model_invalid, interrupted, timeout: whatever the signal was aborted with */
export function callModel(
  model: SpellModel,
  options: LanguageModelV4CallOptions,
  signal: AbortSignal,
  emit: Emit,
): Promise<ModelAnswer> {
  return observeChat(model, options, async (tell) => {
    const answer = await streamAnswer(model, options, signal, emit);
    const { finishReason, usage, toolCalls } = answer;
    tell({
      finishReason: toolCalls.length > 0 ? "tool_calls" : finishReason,
      inputTokens: usage.promptTokens,
      outputTokens: usage.completionTokens,
      costUsd: usage.costUsd,
      answer: () => answer,
    });
    return answer;
  });
}

async function streamAnswer(
  model: SpellModel,
  options: LanguageModelV4CallOptions,
  signal: AbortSignal,
  emit: Emit,
): Promise<ModelAnswer> {
  const stream = await guard(model, signal, () => model.doStream({ ...options, abortSignal: signal }));
  const reader = stream.stream.getReader();
  const answer = new AnswerBuilder(model, emit);
  // Ends a read that waits, also where the model does not heed the signal.
  const abort = () => reader.cancel(signal.reason).catch(() => undefined);
  signal.addEventListener("abort", abort, { once: true });
  try {
    while (true) {
      const next = await reader.read().catch((error: unknown) => {
        throw signal.aborted ? abortError(signal) : providerError(model, error);
      });
      if (signal.aborted) throw abortError(signal);
      if (next.done) return answer.done();
      await answer.take(next.value);
    }
  } catch (error) {
    // The failure is already known; a reader that also fails to cancel has nothing to add.
    reader.cancel(error).catch(() => undefined);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function guard<T>(model: SpellModel, signal: AbortSignal, step: () => PromiseLike<T>): Promise<T> {
  if (signal.aborted) throw abortError(signal);
  try {
    return await abortable(Promise.resolve(step()), signal);
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    throw providerError(model, error);
  }
}

type TextPartType =
  | "text-start"
  | "text-delta"
  | "text-end"
  | "reasoning-start"
  | "reasoning-delta"
  | "reasoning-end";

class AnswerBuilder {
  private readonly toolCalls: LanguageModelV4ToolCall[] = [];
  private readonly parts: ModelAnswer["parts"] = [];
  /** The open part of each text or reasoning block, and the tool name of each tool input. */
  private readonly open = new Map<string, ModelAnswer["parts"][number]>();
  private readonly inputNames = new Map<string, string>();
  private end: Extract<LanguageModelV4StreamPart, { type: "finish" }> | undefined;

  constructor(
    private readonly model: SpellModel,
    private readonly emit: Emit,
  ) {}

  async take(part: LanguageModelV4StreamPart): Promise<void> {
    switch (part.type) {
      case "text-start":
      case "text-delta":
      case "text-end":
      case "reasoning-start":
      case "reasoning-delta":
      case "reasoning-end":
        return this.takeText(part);
      case "tool-input-start":
        this.inputNames.set(part.id, part.toolName);
        return;
      case "tool-input-delta": {
        const toolName = this.inputNames.get(part.id) ?? "";
        return this.emit({ type: "tool-input", callId: part.id, toolName, partialArgs: part.delta });
      }
      case "tool-call":
        if (!part.providerExecuted) this.toolCalls.push(part);
        return;
      case "error":
        throw providerError(this.model, part.error);
      case "finish":
        this.end = part;
    }
  }

  private async takeText(part: Extract<LanguageModelV4StreamPart, { type: TextPartType }>): Promise<void> {
    const type = part.type.startsWith("text") ? "text" : "reasoning";
    const key = `${type} ${part.id}`;
    const block: ModelAnswer["parts"][number] = this.open.get(key) ?? { type, text: "" };
    if (!this.open.has(key)) {
      this.open.set(key, block);
      this.parts.push(block);
    }
    // Signatures of reasoning blocks come with any of the three and must be sent back as they were.
    if (part.providerMetadata !== undefined) block.providerOptions = part.providerMetadata;
    if (part.type === "text-end" || part.type === "reasoning-end") this.open.delete(key);
    if (!("delta" in part) || part.delta === "") return;
    block.text += part.delta;
    await this.emit({ type, text: part.delta });
  }

  done(): ModelAnswer {
    if (this.end === undefined) throw brokeOff(this.model);
    const { unified } = this.end.finishReason;
    const parts = this.parts.filter((part) => part.text !== "" || part.providerOptions !== undefined);
    const { promptTokens, completionTokens, cachedTokens } = tokensOf(this.end.usage);
    const { providerMetadata } = this.end;
    const { retries = 0, cached = false, costUsd, firstTokenMs, answeredBy } = callFacts(providerMetadata);
    return {
      text: parts.reduce((text, part) => (part.type === "text" ? text + part.text : text), ""),
      toolCalls: this.toolCalls,
      parts,
      finishReason: unified === "tool-calls" ? "stop" : unified,
      usage: {
        promptTokens,
        completionTokens,
        totalTokens: promptTokens + completionTokens,
        ...(cachedTokens === 0 ? {} : { cachedTokens }),
        calls: 1,
        ...(cached ? { cachedCalls: 1 } : {}),
        ...(retries === 0 ? {} : { retries }),
        ...(costUsd === undefined ? {} : { costUsd }),
        ...(firstTokenMs === undefined ? {} : { firstTokenMs }),
      },
      ...(answeredBy === undefined ? {} : { answeredBy }),
    };
  }
}

/** The assistant's message that stands for an answer in later prompts; undefined for an empty answer. */
export function assistantMessage(
  answer: ModelAnswer,
  args: readonly unknown[],
): LanguageModelV4Message | undefined {
  const calls = answer.toolCalls.map((call, i) => ({
    type: "tool-call" as const,
    toolCallId: call.toolCallId,
    toolName: call.toolName,
    input: args[i] ?? {},
    ...providerOptions(call.providerMetadata),
  }));
  const content = [...answer.parts, ...calls];
  return content.length > 0 ? { role: "assistant", content } : undefined;
}

function providerOptions(metadata: SharedV4ProviderMetadata | undefined) {
  return metadata === undefined ? {} : { providerOptions: metadata };
}
