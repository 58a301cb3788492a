/** Model calls as spans, in the words of OpenTelemetry's conventions for generative AI. */
import type {
  EmbeddingModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
  LanguageModelV4ToolResultPart,
  LanguageModelV4Usage,
  RerankingModelV4,
} from "@ai-sdk/provider";
import { stringifyJson } from "../core/json.ts";
import { COST, type Span, type SpanAttributes, type SpanInput, span } from "../core/span.ts";
import { failureFacts } from "./call-facts.ts";

interface AnyModel {
  readonly provider: string;
  readonly modelId: string;
}

/** What a call has given, as far as it is told. */
export interface ModelOutcome {
  finishReason?: string;
  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
  costUsd?: number | undefined;
  /** Read only where content is recorded. */
  answer?: () => {
    text: string;
    toolCalls: readonly { toolCallId: string; toolName: string; input: string }[];
  };
}

type Told = (outcome: ModelOutcome) => void;

/** One call of a language model; `work` tells what came of it. */
export function observeChat<T>(
  model: AnyModel,
  options: LanguageModelV4CallOptions,
  work: (tell: Told) => Promise<T>,
): Promise<T> {
  const asked: SpanAttributes = {
    "gen_ai.request.temperature": options.temperature,
    "gen_ai.request.max_tokens": options.maxOutputTokens,
    "gen_ai.request.top_p": options.topP,
    "gen_ai.request.top_k": options.topK,
    "gen_ai.request.seed": options.seed,
    "gen_ai.request.stop_sequences": options.stopSequences,
    "gen_ai.output.type": options.responseFormat?.type,
  };
  return span(modelSpan("agent", "chat", model, asked), (watched) => {
    if (watched.holdsContent) watched.set(inputContent(options));
    return work((outcome) => tellOutcome(watched, outcome)).catch((error: unknown) => {
      const { counted, costUsd } = failureFacts(error);
      tellOutcome(watched, {
        inputTokens: counted?.promptTokens,
        outputTokens: counted?.completionTokens,
        costUsd,
      });
      throw error;
    });
  });
}

/** The same model, its calls observed. */
export function observedEmbedding(model: EmbeddingModelV4): EmbeddingModelV4 {
  const { specificationVersion, provider, modelId, maxEmbeddingsPerCall, supportsParallelCalls } = model;
  return {
    specificationVersion,
    provider,
    modelId,
    maxEmbeddingsPerCall,
    supportsParallelCalls,
    doEmbed: (options) =>
      span(modelSpan("vector", "embeddings", model), async (watched) => {
        const result = await model.doEmbed(options);
        watched.set({
          "gen_ai.usage.input_tokens": result.usage?.tokens,
          "gen_ai.embeddings.dimension.count": result.embeddings[0]?.length,
        });
        return result;
      }),
  };
}

/** The same model, its calls observed. */
export function observedReranking(model: RerankingModelV4): RerankingModelV4 {
  const { specificationVersion, provider, modelId } = model;
  return {
    specificationVersion,
    provider,
    modelId,
    doRerank: (options) => span(modelSpan("vector", "rerank", model), async () => model.doRerank(options)),
  };
}

/** What a provider counted. */
export function usageOf({ inputTokens, outputTokens }: LanguageModelV4Usage) {
  return { inputTokens: inputTokens.total, outputTokens: outputTokens.total };
}

function modelSpan(
  category: "agent" | "vector",
  operation: string,
  { provider, modelId }: AnyModel,
  attributes: SpanAttributes = {},
): SpanInput {
  return {
    category,
    operation,
    name: `${operation} ${modelId}`,
    isClient: true,
    attributes: {
      "gen_ai.operation.name": operation,
      "gen_ai.provider.name": provider,
      "gen_ai.request.model": modelId,
      ...attributes,
    },
  };
}

function tellOutcome(
  watched: Span,
  { finishReason, inputTokens, outputTokens, costUsd, answer }: ModelOutcome,
): void {
  watched.set({
    "gen_ai.response.finish_reasons": finishReason === undefined ? undefined : [finishReason],
    "gen_ai.usage.input_tokens": inputTokens,
    "gen_ai.usage.output_tokens": outputTokens,
    [COST]: costUsd,
  });
  if (!watched.holdsContent || answer === undefined) return;
  const { text, toolCalls } = answer();
  const parts = [
    ...(text === "" ? [] : [{ type: "text", content: text }]),
    ...toolCalls.map((call) => ({
      type: "tool_call",
      id: call.toolCallId,
      name: call.toolName,
      arguments: call.input,
    })),
  ];
  const message = { role: "assistant", parts, finish_reason: finishReason ?? "stop" };
  watched.set({ "gen_ai.output.messages": stringifyJson([message]) });
}

function inputContent({ prompt }: LanguageModelV4CallOptions): SpanAttributes {
  const system = prompt.filter((message) => message.role === "system");
  const others = prompt.filter((message) => message.role !== "system");
  return {
    "gen_ai.system_instructions":
      system.length === 0
        ? undefined
        : stringifyJson(system.map(({ content }) => ({ type: "text", content }))),
    "gen_ai.input.messages": stringifyJson(
      others.map((message) => ({ role: message.role, parts: partsOf(message) })),
    ),
  };
}

function partsOf({ content }: LanguageModelV4Message): object[] {
  if (typeof content === "string") return [{ type: "text", content }];
  return content.map((part) => {
    switch (part.type) {
      case "text":
      case "reasoning":
        return { type: part.type, content: part.text };
      case "tool-call":
        return { type: "tool_call", id: part.toolCallId, name: part.toolName, arguments: part.input };
      case "tool-result":
        return { type: "tool_call_response", id: part.toolCallId, response: responseOf(part) };
      case "file":
        return { type: "blob", mime_type: part.mediaType };
      default:
        return { type: part.type };
    }
  });
}

function responseOf({ output }: LanguageModelV4ToolResultPart): unknown {
  return "value" in output ? output.value : output.type;
}
