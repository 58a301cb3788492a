/** A language model that answers from a script, for users' own continuous integration (docs/test-provider.md). */
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4ToolResultOutput,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { SpellError } from "../../../core/errors.ts";
import { checkAnswer } from "../../answer-rule.ts";
import { partStream } from "../../part-stream.ts";
import type { SpellModel } from "../../service.ts";
import type { Question, ScriptedAnswer, TestScript } from "./script.ts";
import { countTokens, cutAtStop, takeTokens, tokensOf } from "./tokens.ts";

interface TestModelOptions {
  /** Key of the configuration table. */
  provider: string;
  modelId: string;
  script: TestScript;
  contextTokens?: number;
}

export function createTestModel({ provider, modelId, script, contextTokens }: TestModelOptions): SpellModel {
  async function* parts(options: LanguageModelV4CallOptions): AsyncGenerator<LanguageModelV4StreamPart> {
    const signal = options.abortSignal;
    yield { type: "stream-start", warnings: [] };
    signal?.throwIfAborted();
    const answer = script.answer(questionOf(modelId, options));
    await wait(answer.delay_ms ?? 0, signal);
    yield { type: "response-metadata", modelId };
    const { text, reason } = limitText(answer, options);
    if (text !== "") {
      yield { type: "text-start", id: "0" };
      for (const delta of tokensOf(text)) {
        yield { type: "text-delta", id: "0", delta };
        await wait(answer.chunk_delay_ms ?? 0, signal);
      }
      yield { type: "text-end", id: "0" };
    }
    if (answer.error !== undefined) {
      throw new SpellError("provider", answer.error, { data: { provider, model: modelId } });
    }
    let outputTokens = countTokens(text);
    let number = callsIn(options);
    for (const call of reason === "length" ? [] : (answer.tool_calls ?? [])) {
      const id = `call_${++number}`;
      const input =
        typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments ?? {});
      outputTokens += countTokens(call.name) + countTokens(input);
      yield { type: "tool-input-start", id, toolName: call.name };
      yield { type: "tool-input-delta", id, delta: input };
      yield { type: "tool-input-end", id };
      yield { type: "tool-call", toolCallId: id, toolName: call.name, input };
    }
    const finishReason = { unified: reason, raw: reason };
    const usage = usageOf(options, outputTokens);
    const hasContent = text !== "" || number > callsIn(options);
    checkAnswer({ provider, modelId }, options, { hasContent, finishReason, usage });
    yield { type: "finish", finishReason, usage };
  }

  return {
    specificationVersion: "v4",
    provider,
    modelId,
    supportedUrls: {},
    ...(contextTokens === undefined ? {} : { contextTokens }),
    countTokens: async (options) => promptTokens(options),
    async doStream(options) {
      return { stream: partStream(parts(options)) };
    },
    async doGenerate(options) {
      return collect(parts(options));
    },
  };
}

async function collect(
  parts: AsyncIterable<LanguageModelV4StreamPart>,
): Promise<LanguageModelV4GenerateResult> {
  const content: LanguageModelV4Content[] = [];
  let text = "";
  let end: { finishReason: LanguageModelV4FinishReason; usage: LanguageModelV4Usage } | undefined;
  for await (const part of parts) {
    if (part.type === "text-delta") text += part.delta;
    else if (part.type === "text-end") content.push({ type: "text", text });
    else if (part.type === "tool-call") content.push(part);
    else if (part.type === "finish") end = { finishReason: part.finishReason, usage: part.usage };
  }
  return { content, ...end!, warnings: [] };
}

/** Applies stop sequences and the token limit as a real model would. */
function limitText(
  answer: ScriptedAnswer,
  options: LanguageModelV4CallOptions,
): { text: string; reason: LanguageModelV4FinishReason["unified"] } {
  const text = cutAtStop(answer.text ?? "", options.stopSequences ?? []);
  const limited = takeTokens(text, options.maxOutputTokens ?? Number.POSITIVE_INFINITY);
  if (limited !== text) return { text: limited, reason: "length" };
  const reason = (answer.tool_calls ?? []).length > 0 ? "tool-calls" : "stop";
  return { text, reason: answer.finish_reason ?? reason };
}

function questionOf(model: string, { prompt }: LanguageModelV4CallOptions): Question {
  const question: Question = { model, system: "", prompt: "", toolResults: [] };
  for (const message of prompt) {
    if (message.role === "system") {
      question.system += (question.system === "" ? "" : "\n") + message.content;
    } else if (message.role === "user") {
      question.prompt = message.content.flatMap((part) => (part.type === "text" ? part.text : [])).join("\n");
      question.toolResults = [];
    } else if (message.role === "assistant") {
      question.toolResults = [];
    } else {
      for (const part of message.content) {
        if (part.type === "tool-result")
          question.toolResults.push({ tool: part.toolName, text: resultText(part.output) });
      }
    }
  }
  return question;
}

function resultText(output: LanguageModelV4ToolResultOutput): string {
  switch (output.type) {
    case "text":
    case "error-text":
      return output.value;
    case "json":
    case "error-json":
      return JSON.stringify(output.value);
    case "execution-denied":
      return output.reason ?? "";
    case "content":
      return output.value.flatMap((part) => (part.type === "text" ? part.text : [])).join("\n");
  }
}

/** Tool calls so far, so that ids stay unique in a conversation and the same from run to run. */
function callsIn({ prompt }: LanguageModelV4CallOptions): number {
  return prompt
    .flatMap((message) => (message.role === "assistant" ? message.content : []))
    .filter((part) => part.type === "tool-call").length;
}

function promptTokens({ prompt, tools }: LanguageModelV4CallOptions): number {
  const offered = (tools ?? []).map((tool) => countTokens(JSON.stringify(tool)));
  const said = prompt.map((message) => countTokens(textOf(message.content)));
  return [...offered, ...said].reduce((sum, tokens) => sum + tokens, 0);
}

type Content = LanguageModelV4CallOptions["prompt"][number]["content"];

function textOf(content: Content): string {
  if (typeof content === "string") return content;
  return content
    .map((part) => {
      if (part.type === "text" || part.type === "reasoning") return part.text;
      if (part.type === "tool-call") return `${part.toolName} ${JSON.stringify(part.input)}`;
      if (part.type === "tool-result") return resultText(part.output);
      return "";
    })
    .join("\n");
}

function usageOf(options: LanguageModelV4CallOptions, outputTokens: number): LanguageModelV4Usage {
  const input = promptTokens(options);
  return {
    inputTokens: { total: input, noCache: input, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: outputTokens, text: outputTokens, reasoning: 0 },
  };
}

function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (ms === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
