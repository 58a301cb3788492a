/** A call in the AI SDK's terms, said in those of Ollama's chat API. */
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4ToolResultOutput,
  SharedV4Warning,
} from "@ai-sdk/provider";
import type { ChatRequest, Message, Tool } from "ollama/browser";
import { SpellError } from "../../core/errors.ts";
import type { OllamaSettings } from "./settings.ts";
import type { ModelFacts } from "./shapes.ts";

/** What `providerOptions.ollama` may hold. */
export interface OllamaOptions {
  /** Context length in tokens, for this call; another one than before makes Ollama load the model anew. */
  numCtx?: number;
  keepAlive?: string | number;
  minP?: number;
  repeatPenalty?: number;
  repeatLastN?: number;
  /** Default: as the model is made. */
  thinking?: boolean;
}

const OPTION_TYPES: Readonly<Record<keyof OllamaOptions, readonly string[]>> = {
  numCtx: ["number"],
  keepAlive: ["string", "number"],
  minP: ["number"],
  repeatPenalty: ["number"],
  repeatLastN: ["number"],
  thinking: ["boolean"],
};

/** A chat, with what the client's types do not know. */
export type OllamaChat = Omit<ChatRequest, "options"> & {
  stream: true;
  options: Record<string, unknown>;
  /** Refuse a prompt that does not fit, instead of cutting it. */
  truncate: false;
  /** End an answer where the context is full, instead of forgetting its beginning. */
  shift: false;
};

/** @throws SpellError invalid_argument for a value of the wrong type */
export function ollamaOptions(
  options: LanguageModelV4CallOptions,
  warnings: SharedV4Warning[],
): OllamaOptions {
  const given = options.providerOptions?.ollama ?? {};
  for (const [key, value] of Object.entries(given)) {
    const types = Object.hasOwn(OPTION_TYPES, key) ? OPTION_TYPES[key as keyof OllamaOptions] : undefined;
    if (types === undefined) warnings.push({ type: "unsupported", feature: `providerOptions.ollama.${key}` });
    else if (value !== undefined && !types.includes(typeof value))
      throw new SpellError(
        "invalid_argument",
        `Cannot call the model: "${key}" must be a ${types.join(" or a ")}: ${JSON.stringify(value)}`,
      );
  }
  return given as OllamaOptions;
}

interface Parts {
  model: string;
  facts: ModelFacts;
  settings: OllamaSettings;
  own: OllamaOptions;
  /** Context length that is asked for; undefined: Ollama's choice. */
  contextTokens: number | undefined;
  warnings: SharedV4Warning[];
}

/** @throws SpellError invalid_argument for what the model, or Ollama, cannot do */
export function chatRequest(call: LanguageModelV4CallOptions, parts: Parts): OllamaChat {
  const { model, facts, settings, own, warnings } = parts;
  const tools = toolsOf(call, warnings);
  const format = formatOf(call);
  if (tools.length > 0 && format !== undefined)
    throw new SpellError(
      "invalid_argument",
      "Cannot call the model: one answer cannot be held to tools and to a JSON schema",
      { hint: "Let the model use its tools first, then ask for the answer without them" },
    );
  if (tools.length > 0)
    refuseUnable(facts, model, "tools", "Choose a model with tools, such as llama3.1 or qwen3");
  const messages = call.prompt.flatMap(messagesOf);
  if (messages.some(({ images }) => images !== undefined))
    refuseUnable(
      facts,
      model,
      "vision",
      "Choose a model that sees images, such as gemma3 or llama3.2-vision",
    );
  const think = thinkOf(call, own, facts, warnings);
  const keepAlive = own.keepAlive ?? settings.keepAlive;
  return {
    model,
    messages,
    stream: true,
    truncate: false,
    shift: false,
    options: samplingOf(call, parts),
    ...(tools.length === 0 ? {} : { tools }),
    ...(format === undefined ? {} : { format }),
    ...(think === undefined ? {} : { think }),
    ...(keepAlive === undefined ? {} : { keep_alive: keepAlive }),
  };
}

/** Refuses what the server has already said that the model cannot do. Silent where it did not say. */
function refuseUnable(facts: ModelFacts, model: string, ability: string, hint: string): void {
  if (facts.capabilities === undefined || facts.capabilities.has(ability)) return;
  throw new SpellError(
    "invalid_argument",
    `Cannot call model ollama/${model}: the model does not support ${ability}`,
    {
      data: { model, capabilities: [...facts.capabilities] },
      hint,
    },
  );
}

function toolsOf(call: LanguageModelV4CallOptions, warnings: SharedV4Warning[]): Tool[] {
  const choice = call.toolChoice ?? { type: "auto" };
  if (choice.type === "none") return [];
  const tools = (call.tools ?? []).flatMap((tool): Tool[] => {
    if (tool.type === "provider") {
      warnings.push({ type: "unsupported", feature: `provider tool ${tool.id}` });
      return [];
    }
    if (choice.type === "tool" && tool.name !== choice.toolName) return [];
    const { name, description = "", inputSchema: parameters } = tool;
    return [{ type: "function", function: { name, description, parameters } } as Tool];
  });
  if (tools.length > 0 && choice.type !== "auto")
    warnings.push({ type: "unsupported", feature: "toolChoice", details: "Ollama lets the model choose" });
  return tools;
}

function formatOf({ responseFormat }: LanguageModelV4CallOptions): string | object | undefined {
  if (responseFormat?.type !== "json") return undefined;
  return responseFormat.schema ?? "json";
}

const LEVELS: Readonly<Record<string, "low" | "medium" | "high">> = {
  minimal: "low",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "high",
  max: "high",
};

/** Servers that do not say how a model thinks mix its thoughts into the answer, unless they are asked for apart. */
function thinkOf(
  { reasoning }: LanguageModelV4CallOptions,
  { thinking }: OllamaOptions,
  { capabilities, saysThinking }: ModelFacts,
  warnings: SharedV4Warning[],
): ChatRequest["think"] {
  const canThink = capabilities?.has("thinking") === true;
  if (reasoning === "none" || thinking === false) return canThink ? false : undefined;
  const level = LEVELS[reasoning ?? ""];
  if (!canThink) {
    if (level !== undefined || thinking === true)
      warnings.push({ type: "unsupported", feature: "reasoning" });
    return undefined;
  }
  return level ?? (thinking === true || !saysThinking ? true : undefined);
}

function samplingOf(
  call: LanguageModelV4CallOptions,
  { settings, own, contextTokens }: Parts,
): Record<string, unknown> {
  const stated: Record<string, unknown> = {
    temperature: call.temperature,
    num_predict: call.maxOutputTokens,
    top_p: call.topP,
    top_k: call.topK,
    min_p: own.minP,
    seed: call.seed,
    stop: call.stopSequences?.length ? call.stopSequences : undefined,
    presence_penalty: call.presencePenalty,
    frequency_penalty: call.frequencyPenalty,
    repeat_penalty: own.repeatPenalty,
    repeat_last_n: own.repeatLastN,
    num_ctx: contextTokens,
  };
  for (const [key, value] of Object.entries(stated))
    if (typeof value === "number" && !Number.isFinite(value))
      throw new SpellError(
        "invalid_argument",
        `Cannot call the model: "${key}" must be a finite number: ${value}`,
      );
  return {
    ...settings.options,
    ...Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== undefined)),
  };
}

function messagesOf(message: LanguageModelV4Message): Message[] {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }];
    case "user":
      return [{ role: "user", ...contentOf(message.content) }];
    case "assistant":
      return [assistantMessage(message.content)];
    case "tool":
      return message.content.flatMap((part) =>
        part.type === "tool-result"
          ? [
              {
                role: "tool",
                tool_name: part.toolName,
                tool_call_id: part.toolCallId,
                ...toolOutput(part.output),
              } as Message,
            ]
          : [],
      );
  }
}

function assistantMessage(parts: Extract<LanguageModelV4Message, { role: "assistant" }>["content"]): Message {
  const join = (type: "text" | "reasoning") =>
    parts.flatMap((part) => (part.type === type ? [part.text] : [])).join("");
  const thinking = join("reasoning");
  const calls = parts.flatMap((part) =>
    part.type === "tool-call"
      ? [
          {
            id: part.toolCallId,
            type: "function",
            function: { name: part.toolName, arguments: argumentsOf(part.input) },
          },
        ]
      : [],
  );
  return {
    role: "assistant",
    content: join("text"),
    ...(thinking === "" ? {} : { thinking }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

/** Ollama takes an object, whatever the model once wrote. */
function argumentsOf(input: unknown): Record<string, unknown> {
  if (typeof input === "object" && input !== null && !Array.isArray(input))
    return input as Record<string, unknown>;
  return input === undefined || input === null ? {} : { input };
}

type Part = { type: "text"; text: string } | Pick<LanguageModelV4FilePart, "type" | "data" | "mediaType">;

function contentOf(parts: readonly (Part | { type: string })[]): { content: string; images?: string[] } {
  let content = "";
  const images: string[] = [];
  for (const part of parts as readonly Part[]) {
    if (part.type === "text") content += part.text;
    else if (part.type === "file") images.push(imageOf(part));
    else throw unreadable((part as { type: string }).type);
  }
  return { content, ...(images.length === 0 ? {} : { images }) };
}

/** @returns base64 */
function imageOf({ data, mediaType }: Pick<LanguageModelV4FilePart, "data" | "mediaType">): string {
  if (!mediaType.startsWith("image") || data.type !== "data") throw unreadable(mediaType);
  return typeof data.data === "string" ? data.data : Buffer.from(data.data).toString("base64");
}

function unreadable(what: string): SpellError {
  return new SpellError(
    "invalid_argument",
    `Cannot call the model: Ollama's models read text and images only: ${what}`,
    {
      hint: "Give images as data, not as URLs",
    },
  );
}

function toolOutput(output: LanguageModelV4ToolResultOutput): { content: string; images?: string[] } {
  switch (output.type) {
    case "text":
    case "error-text":
      return { content: output.value };
    case "json":
    case "error-json":
      return { content: JSON.stringify(output.value) };
    case "execution-denied":
      return { content: output.reason ?? "The call was not allowed" };
    case "content":
      return contentOf(output.value);
  }
}
