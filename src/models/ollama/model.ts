import type {
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamResult,
  LanguageModelV4ToolCall,
  LanguageModelV4Usage,
  SharedV4ProviderMetadata,
  SharedV4Warning,
} from "@ai-sdk/provider";
import type { ChatResponse, ToolCall } from "ollama/browser";
import { checkAnswer } from "../answer-rule.ts";
import { addRetries, withFacts } from "../call-facts.ts";
import { StreamParts } from "../llamacpp/stream-parts.ts";
import { pushedParts } from "../part-stream.ts";
import type { SpellModel } from "../service.ts";
import type { Request } from "./connection.ts";
import { wrongShape } from "./failures.ts";
import { chatRequest, type OllamaChat, ollamaOptions } from "./request.ts";
import { leastPromptTokens, type Room, refuseCut, refuseOverflow, roomFor } from "./room.ts";
import type { OllamaServer } from "./server.ts";

/**
 * A model of an Ollama server. Nothing is asked before the first call.
 * @param provider key of the configuration table
 */
export function createOllamaModel(server: OllamaServer, provider: string, modelId: string): SpellModel {
  return new OllamaModel(server, provider, modelId);
}

interface Answer {
  text: string;
  reasoning: string;
  calls: LanguageModelV4ToolCall[];
  last: ChatResponse;
}

/** An answer that is whole, and what came before it. */
interface Result extends Pick<LanguageModelV4GenerateResult, "content" | "finishReason" | "usage"> {
  providerMetadata: SharedV4ProviderMetadata;
}

type Tell = (event: { type: "text" | "reasoning"; text: string }) => void;

class OllamaModel implements SpellModel {
  readonly specificationVersion = "v4";
  readonly supportedUrls = {};
  /** As it is set; a model may have been trained for less. */
  readonly contextTokens?: number;

  constructor(
    private readonly server: OllamaServer,
    readonly provider: string,
    readonly modelId: string,
  ) {
    const { contextTokens } = server.settings;
    if (contextTokens !== undefined) this.contextTokens = contextTokens;
  }

  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    const warnings: SharedV4Warning[] = [];
    const result = await this.run(options, warnings);
    return { ...result, response: { modelId: this.modelId }, warnings };
  }

  /** The stream ends with exactly one `finish` or `error` part. */
  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    return pushedParts(options, async (send, abortSignal) => {
      const warnings: SharedV4Warning[] = [];
      const parts = new StreamParts(send);
      send({ type: "stream-start", warnings });
      send({ type: "response-metadata", modelId: this.modelId });
      const { content, ...end } = await this.run({ ...options, abortSignal }, warnings, (event) =>
        parts.add(event),
      );
      parts.end(content);
      send({ type: "finish", ...end });
    });
  }

  private async run(
    options: LanguageModelV4CallOptions,
    warnings: SharedV4Warning[],
    tell?: Tell,
  ): Promise<Result> {
    let retries = 0;
    const { server, modelId: model } = this;
    const signal = options.abortSignal;
    const request: Request = {
      what: `Cannot call model ${this.provider}/${model}`,
      model,
      signal,
      isStream: true,
      onRetry: () => retries++,
    };
    const own = ollamaOptions(options, warnings);
    try {
      const { refusesOverflow } = await server.ready(request);
      const facts = await server.show(model, { ...request, isStream: false });
      const wanted = own.numCtx ?? server.settings.contextTokens;
      const room = roomFor(facts, wanted, refusesOverflow, (asked) => server.seenContext(model, asked));
      const { settings } = server;
      const chat = chatRequest(options, { model, facts, settings, own, contextTokens: room.asked, warnings });
      const answer = await this.chat(chat, room, request, tell);
      const result = {
        content: contentOf(answer),
        finishReason: finishReasonOf(answer),
        usage: usageOf(answer.last),
      };
      const hasContent = answer.text !== "" || answer.calls.length > 0;
      checkAnswer(this, options, { ...result, hasContent });
      return { ...result, providerMetadata: withFacts(metadataOf(answer.last), { retries }) };
    } catch (error) {
      server.forgetHealth(error);
      throw addRetries(error, retries);
    }
  }

  private async chat(
    chat: OllamaChat,
    room: Room,
    request: Request,
    tell: Tell | undefined,
  ): Promise<Answer> {
    const asking = this.server.connection.asking(request);
    refuseOverflow(asking, "the prompt", leastPromptTokens(chat), room.contextTokens);
    const client = await this.server.connection.client(request);
    const answer = { text: "", reasoning: "", calls: [] as LanguageModelV4ToolCall[] };
    for await (const chunk of await client.chat(chat)) {
      const { message, done } = chunk;
      if (message === undefined && !done) throw wrongShape(asking, "message");
      const { thinking, content, tool_calls: calls } = message ?? {};
      if (thinking) {
        answer.reasoning += thinking;
        tell?.({ type: "reasoning", text: thinking });
      }
      if (content) {
        answer.text += content;
        tell?.({ type: "text", text: content });
      }
      for (const call of calls ?? []) answer.calls.push(toolCallOf(call, answer.calls.length));
      if (!done) continue;
      await this.server.lookAtContext(this.modelId, room.asked, request.signal);
      if (room.mayCut) refuseCut(asking, chat, countOf(chunk.prompt_eval_count), room.contextTokens);
      return { ...answer, last: chunk };
    }
    throw wrongShape(asking, "done"); // what ends without it was refused line by line before
  }
}

const countOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** Ids come with newer servers only; they must be unique within a conversation. */
function toolCallOf(
  { function: called, id }: ToolCall & { id?: string },
  index: number,
): LanguageModelV4ToolCall {
  const { name, arguments: input } = called;
  return {
    type: "tool-call",
    toolCallId: id || `call_${Bun.randomUUIDv7("base64url")}_${index}`,
    toolName: name,
    input: typeof input === "string" ? input : JSON.stringify(input ?? {}),
  } as LanguageModelV4ToolCall;
}

function contentOf({ text, reasoning, calls }: Answer): LanguageModelV4Content[] {
  return [
    ...(reasoning === "" ? [] : [{ type: "reasoning" as const, text: reasoning }]),
    ...(text === "" ? [] : [{ type: "text" as const, text }]),
    ...calls,
  ];
}

function finishReasonOf({ calls, last }: Answer): LanguageModelV4FinishReason {
  const raw = last.done_reason;
  if (raw === "length") return { unified: "length", raw };
  return { unified: calls.length > 0 ? "tool-calls" : "stop", raw };
}

function usageOf({ prompt_eval_count, eval_count }: ChatResponse): LanguageModelV4Usage {
  const total = countOf(prompt_eval_count);
  return {
    inputTokens: { total, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: countOf(eval_count), text: undefined, reasoning: undefined },
  };
}

/** Ollama tells nanoseconds. */
function metadataOf(last: ChatResponse): SharedV4ProviderMetadata {
  const times = {
    totalMs: last.total_duration,
    loadMs: last.load_duration,
    promptMs: last.prompt_eval_duration,
    outputMs: last.eval_duration,
  };
  const told = Object.entries(times).filter(([, ns]) => typeof ns === "number");
  return { ollama: Object.fromEntries(told.map(([name, ns]) => [name, ns / 1e6])) };
}
