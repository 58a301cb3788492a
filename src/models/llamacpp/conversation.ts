/** A call in the AI SDK's terms, said in the terms of llama.cpp's chat layer. */
import type { LanguageModelV4CallOptions, LanguageModelV4Prompt, SharedV4Warning } from "@ai-sdk/provider";
import { SpellError } from "../../core/errors.ts";
import type { ChatRequest } from "../../ffi/llama/chat.ts";
import { type SchemaGrammar, schemaGrammar } from "../grammar/schema.ts";
import { toolRules } from "../grammar/tools.ts";
import { MOST_SPECULATIVE_TOKENS, type PromptRequest, type SamplingRequest } from "./protocol.ts";

/** What `providerOptions.llamacpp` may hold. */
export interface LlamaOptions {
  minP?: number;
  repeatPenalty?: number;
  repeatLastN?: number;
  /** Default true. */
  thinking?: boolean;
  parallelToolCalls?: boolean;
  /** Hold tool calls to the tools' schemas while they are written. Default true. */
  constrained?: boolean;
  /** GBNF that the answer must keep to; not together with tools. */
  grammar?: string;
  /** Start from what the context holds of the same prompt. Default true; false for results that depend on the prompt alone. */
  reusePrefix?: boolean;
  /** Where the context is full, forget the older half of what follows the first tokens, and go on. Default: the model's setting. */
  contextShift?: boolean;
  /** With `contextShift`: first tokens that are never forgotten. Default: the prompt, at most half the context. */
  keepTokens?: number;
  /** Most tokens of a repetition that are decoded at once, 0 to 16; 0: one by one. Default: the model's setting. */
  speculativeTokens?: number;
  /** What the answer will probably be, or repeat in large parts: it is made faster then. */
  prediction?: string;
  /** The prompt is one user message whose text is continued as it stands, without the model's chat template. */
  rawPrompt?: boolean;
}

const LLAMA_OPTIONS: Readonly<Record<keyof LlamaOptions, "number" | "boolean" | "string">> = {
  minP: "number",
  repeatPenalty: "number",
  repeatLastN: "number",
  thinking: "boolean",
  parallelToolCalls: "boolean",
  constrained: "boolean",
  grammar: "string",
  reusePrefix: "boolean",
  contextShift: "boolean",
  keepTokens: "number",
  speculativeTokens: "number",
  prediction: "string",
  rawPrompt: "boolean",
};

/** @throws SpellError invalid_argument for a value of the wrong type */
export function llamaOptions(options: LanguageModelV4CallOptions, warnings: SharedV4Warning[]): LlamaOptions {
  const given = options.providerOptions?.llamacpp ?? {};
  for (const [key, value] of Object.entries(given)) {
    const type = LLAMA_OPTIONS[key as keyof LlamaOptions];
    if (type === undefined)
      warnings.push({ type: "unsupported", feature: `providerOptions.llamacpp.${key}` });
    else if (value !== undefined && typeof value !== type)
      throw new SpellError(
        "invalid_argument",
        `Cannot call the model: "${key}" must be a ${type}: ${JSON.stringify(value)}`,
      );
  }
  const { speculativeTokens = 0 } = given as LlamaOptions;
  if (
    !Number.isInteger(speculativeTokens) ||
    speculativeTokens < 0 ||
    speculativeTokens > MOST_SPECULATIVE_TOKENS
  )
    throw new SpellError(
      "invalid_argument",
      `Cannot call the model: "speculativeTokens" must be a whole number from 0 to ${MOST_SPECULATIVE_TOKENS}: ${speculativeTokens}`,
    );
  return given as LlamaOptions;
}

/** What the model is to continue. @throws SpellError invalid_argument for content that a text model cannot read */
export function promptRequest(
  options: LanguageModelV4CallOptions,
  llama: LlamaOptions,
  warnings: SharedV4Warning[],
): PromptRequest {
  if (llama.rawPrompt !== true) return { chat: chatRequest(options, llama, warnings) };
  const [message, ...more] = options.prompt;
  if (message?.role !== "user" || more.length > 0)
    throw new SpellError("invalid_argument", "Cannot call the model: a raw prompt must be one user message");
  const text = message.content.map((part) => textOf(part)).join("");
  const schema = schemaOf(options);
  refuseMixture({ tools: undefined, schema, grammar: llama.grammar });
  const grammar =
    llama.grammar ?? (schema === undefined ? undefined : `root ::= ${schema.root}\n${schema.rules}`);
  return grammar === undefined ? { text } : { text, grammar };
}

/** @throws SpellError invalid_argument for content that a text model cannot read */
function chatRequest(
  options: LanguageModelV4CallOptions,
  llama: LlamaOptions,
  warnings: SharedV4Warning[],
): ChatRequest {
  const request: ChatRequest = { messages: options.prompt.flatMap(messagesOf) };
  const choice = options.toolChoice ?? { type: "auto" };
  const tools = (options.tools ?? []).flatMap((tool) => {
    if (tool.type === "provider") {
      warnings.push({ type: "unsupported", feature: `provider tool ${tool.id}` });
      return [];
    }
    return choice.type === "tool" && tool.name !== choice.toolName ? [] : [tool];
  });
  if (tools.length > 0 && choice.type !== "none") {
    request.tools = tools.map(({ name, description = "", inputSchema: parameters }) => ({
      type: "function",
      function: { name, description, parameters },
    }));
    if (llama.constrained !== false) request.toolRules = toolRules(tools);
    request.toolChoice = choice.type === "auto" ? "auto" : "required";
    if (llama.parallelToolCalls !== undefined) request.parallelToolCalls = llama.parallelToolCalls;
  }
  const schema = schemaOf(options);
  if (schema !== undefined) request.schema = schema;
  if (llama.grammar !== undefined) request.grammar = llama.grammar;
  refuseMixture(request);
  if (options.reasoning === "none" || llama.thinking === false) request.thinking = false;
  return request;
}

/** @throws SpellError invalid_argument for a schema that an answer cannot be held to */
function schemaOf({ responseFormat }: LanguageModelV4CallOptions): SchemaGrammar | undefined {
  if (responseFormat?.type !== "json") return undefined;
  return schemaGrammar(responseFormat.schema ?? { type: "object" });
}

function refuseMixture(request: { tools?: unknown; schema?: unknown; grammar?: unknown }): void {
  const { tools, schema, grammar } = request;
  const given = Object.entries({ tools, "a JSON schema": schema, "a grammar": grammar });
  const names = given.flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (names.length < 2) return;
  throw new SpellError(
    "invalid_argument",
    `Cannot call the model: one answer cannot be held to ${names.join(" and to ")}`,
    { hint: "Let the model use its tools first, then ask for the answer without them" },
  );
}

/** The settings a call states; nothing for those it leaves to the model. */
export function samplingRequest(options: LanguageModelV4CallOptions, llama: LlamaOptions): SamplingRequest {
  const stated: Record<string, number | boolean | undefined> = {
    temperature: options.temperature,
    topK: options.topK,
    topP: options.topP,
    minP: llama.minP,
    repeatPenalty: llama.repeatPenalty,
    repeatLastN: llama.repeatLastN,
    presencePenalty: options.presencePenalty,
    frequencyPenalty: options.frequencyPenalty,
    seed: options.seed,
    constrained: llama.constrained,
  };
  for (const [key, value] of Object.entries(stated))
    if (typeof value === "number" && !Number.isFinite(value))
      throw new SpellError(
        "invalid_argument",
        `Cannot call the model: "${key}" must be a finite number: ${value}`,
      );
  return Object.fromEntries(
    Object.entries(stated).filter(([, value]) => value !== undefined),
  ) as SamplingRequest;
}

type Message = LanguageModelV4Prompt[number];

function messagesOf(message: Message): Record<string, unknown>[] {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }];
    case "user":
      return [{ role: "user", content: message.content.map((part) => textOf(part)).join("") }];
    case "assistant":
      return [assistantMessage(message.content)];
    case "tool":
      return message.content.flatMap((part) =>
        part.type === "tool-result"
          ? [
              {
                role: "tool",
                name: part.toolName,
                tool_call_id: part.toolCallId,
                content: toolOutput(part.output),
              },
            ]
          : [],
      );
  }
}

function assistantMessage(
  parts: Extract<Message, { role: "assistant" }>["content"],
): Record<string, unknown> {
  const text = parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
  const reasoning = parts.flatMap((part) => (part.type === "reasoning" ? [part.text] : [])).join("");
  const calls = parts.flatMap((part) =>
    part.type === "tool-call"
      ? [
          {
            type: "function",
            id: part.toolCallId,
            function: { name: part.toolName, arguments: jsonText(part.input) },
          },
        ]
      : [],
  );
  return {
    role: "assistant",
    content: text === "" && calls.length > 0 ? null : text,
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

function textOf(part: { type: string; text?: string; mediaType?: string }): string {
  if (part.type === "text") return part.text ?? "";
  throw new SpellError(
    "invalid_argument",
    `Cannot call the model: local models read text only: ${part.mediaType ?? part.type}`,
  );
}

function jsonText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? {});
}

type ToolOutput = Extract<
  Extract<Message, { role: "tool" }>["content"][number],
  { type: "tool-result" }
>["output"];

function toolOutput(output: ToolOutput): string {
  switch (output.type) {
    case "text":
    case "error-text":
      return output.value;
    case "json":
    case "error-json":
      return JSON.stringify(output.value);
    case "execution-denied":
      return output.reason ?? "The call was not allowed";
    case "content":
      return output.value.map((part) => textOf(part)).join("");
  }
}
