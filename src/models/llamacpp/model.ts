import type {
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamResult,
  LanguageModelV4Usage,
  SharedV4Warning,
} from "@ai-sdk/provider";
import { checkAnswer } from "../answer-rule.ts";
import { pushedParts } from "../part-stream.ts";
import type { LoadOptions, SpellModel } from "../service.ts";
import { disposeInference, type InferenceClient, inference } from "./client.ts";
import { llamaOptions, promptRequest, samplingRequest } from "./conversation.ts";
import { LlamaFile, type LlamaModelOptions } from "./model-file.ts";
import type { GenerateEvent, GenerateRequest, GenerateResult } from "./protocol.ts";
import { StreamParts } from "./stream-parts.ts";

/** A local GGUF model. Nothing is read or started before the first call. */
export function createLlamaModel(options: LlamaModelOptions): SpellModel {
  return new LlamaModel(options);
}

/** Paths of the models that are in memory. Starts nothing. */
export async function loadedLlamaModels(): Promise<string[]> {
  return (await inference().loaded()).map(({ path }) => path);
}

/** Where warnings go, such as of a GPU that failed. Starts nothing. */
export function onLlamaWarning(tell: InferenceClient["onWarning"]): void {
  inference().onWarning = tell;
}

/** Frees a file's model, where it is loaded. Starts nothing. */
export async function unloadLlamaModel(path: string): Promise<void> {
  await inference().unload(path);
}

/** Cancels what runs, frees all models and ends the inference thread. */
export const disposeLlama = disposeInference;

class LlamaModel implements SpellModel {
  readonly specificationVersion = "v4";
  readonly provider = "llamacpp";
  readonly holdsToGrammar = true;
  readonly supportedUrls = {};
  readonly modelId: string;
  readonly contextTokens?: number;
  readonly readsPlainText: boolean;
  private readonly file: LlamaFile;
  readonly contextShift: boolean;
  private readonly speculativeTokens: number | undefined;

  constructor(options: LlamaModelOptions) {
    this.modelId = options.id;
    this.readsPlainText = options.readsPlainText ?? false;
    if (options.contextTokens) this.contextTokens = options.contextTokens;
    this.contextShift = options.contextShift ?? false;
    this.speculativeTokens = options.speculativeTokens;
    this.file = new LlamaFile(options);
  }

  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    const warnings: SharedV4Warning[] = [];
    const result = await this.run(options, warnings);
    return {
      content: contentOf(result),
      finishReason: finishReasonOf(result),
      usage: usageOf(result),
      providerMetadata: { llamacpp: { promptMs: result.promptMs, outputMs: result.outputMs } },
      response: { modelId: this.modelId },
      warnings,
    };
  }

  /** The stream ends with exactly one `finish` or `error` part. */
  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    return pushedParts(options, async (send, abortSignal) => {
      const warnings: SharedV4Warning[] = [];
      const parts = new StreamParts(send);
      send({ type: "stream-start", warnings });
      send({ type: "response-metadata", modelId: this.modelId });
      const result = await this.run({ ...options, abortSignal }, warnings, (event) => parts.add(event));
      parts.end(contentOf(result));
      send({ type: "finish", finishReason: finishReasonOf(result), usage: usageOf(result) });
    });
  }

  async load({ signal, onProgress }: LoadOptions): Promise<void> {
    await this.file.probe(signal);
    await this.file.client.load(this.file.spec, {
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
  }

  async countTokens(options: LanguageModelV4CallOptions): Promise<number> {
    const warnings: SharedV4Warning[] = [];
    const prompt = promptRequest(options, llamaOptions(options, warnings), warnings);
    const signal = options.abortSignal === undefined ? {} : { signal: options.abortSignal };
    await this.file.probe(options.abortSignal);
    return this.file.client.count(this.file.spec, prompt, signal);
  }

  private async run(
    options: LanguageModelV4CallOptions,
    warnings: SharedV4Warning[],
    onEvent?: (event: GenerateEvent) => void,
  ): Promise<GenerateResult> {
    const llama = llamaOptions(options, warnings);
    const { speculativeTokens = this.speculativeTokens } = llama;
    const request: GenerateRequest = {
      prompt: promptRequest(options, llama, warnings),
      sampling: samplingRequest(options, llama),
      stops: options.stopSequences ?? [],
      reusePrefix: llama.reusePrefix ?? true,
      ...(options.maxOutputTokens === undefined ? {} : { maxTokens: options.maxOutputTokens }),
      ...((llama.contextShift ?? this.contextShift)
        ? { contextShift: llama.keepTokens === undefined ? {} : { keepTokens: llama.keepTokens } }
        : {}),
      ...(speculativeTokens === undefined ? {} : { speculativeTokens }),
      ...(llama.prediction === undefined ? {} : { prediction: llama.prediction }),
    };
    await this.file.probe(options.abortSignal);
    const result = await this.file.client.generate(this.file.spec, request, {
      ...(options.abortSignal === undefined ? {} : { signal: options.abortSignal }),
      ...(onEvent === undefined ? {} : { onEvent }),
    });
    const { content, toolCalls } = result.answer;
    checkAnswer(this, options, {
      hasContent: content !== "" || toolCalls.length > 0,
      finishReason: finishReasonOf(result),
      usage: usageOf(result),
    });
    return result;
  }
}

function contentOf({ answer }: GenerateResult): LanguageModelV4Content[] {
  const content: LanguageModelV4Content[] = [];
  if (answer.reasoning !== "") content.push({ type: "reasoning", text: answer.reasoning });
  if (answer.content !== "") content.push({ type: "text", text: answer.content });
  answer.toolCalls.forEach((call, index) => {
    content.push({
      type: "tool-call",
      toolCallId: toolCallId(call.id, index),
      toolName: call.name,
      input: call.arguments,
    });
  });
  return content;
}

/** Unique within a conversation: most templates name no id, and the next turn must not repeat this turn's. */
function toolCallId(id: string, index: number): string {
  return id !== "" ? id : `call_${Bun.randomUUIDv7("base64url")}_${index}`;
}

function finishReasonOf({ end, answer }: GenerateResult): LanguageModelV4FinishReason {
  if (end === "limit" || end === "context") return { unified: "length", raw: end };
  return { unified: answer.toolCalls.length > 0 ? "tool-calls" : "stop", raw: end };
}

/** `raw` tells what speculation was worth, in the OpenAI API's names. */
function usageOf(result: GenerateResult): LanguageModelV4Usage {
  const { promptTokens, cachedTokens, tokens, draftedTokens, acceptedTokens } = result;
  return {
    inputTokens: {
      total: promptTokens,
      noCache: promptTokens - cachedTokens,
      cacheRead: cachedTokens,
      cacheWrite: undefined,
    },
    outputTokens: { total: tokens.length, text: undefined, reasoning: undefined },
    raw: {
      accepted_prediction_tokens: acceptedTokens,
      rejected_prediction_tokens: draftedTokens - acceptedTokens,
    },
  };
}
