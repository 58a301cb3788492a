/**
 * Chat completions as OpenAI's API reference has them, and the differences that Groq, Mistral, Perplexity and Together
 * document. Unknown fields are refused everywhere, as Mistral and OpenAI do.
 */
import {
  type Answer,
  bearer,
  type ChatRequest,
  type SentEvent,
  TEXT_PIECES,
  vectorOf,
  type WireFormat,
} from "./format.ts";
import {
  anyObject,
  by,
  either,
  flag,
  listOf,
  matching,
  number,
  object,
  oneOf,
  type Rule,
  text,
  whole,
} from "./rules.ts";

export interface OpenAIVariant {
  key: string;
  /** Of chats; embeddings stand beside. */
  path: string;
  /** Fields of a request besides `model` and `messages`. */
  fields?: Record<string, Rule>;
  without?: readonly string[];
  /** What a tool call's id must look like. */
  callId?: RegExp;
  /** Changes to the last event, and to whole answers. */
  usageKey?: "usage" | "x_groq";
  stopWord?: string;
  endsWithDone?: boolean;
  /** Tool calls come in one piece. */
  wholeCalls?: boolean;
  /** Every event tells of sources and usage. */
  tellsSources?: boolean;
  acceptsStrict?: boolean;
  /** Field of thoughts, for vendors that tell them. */
  reasoning?: "reasoning" | "reasoning_content";
  nameIsOptional?: boolean;
  error?: (status: number, message: string) => unknown;
}

const textPart = object({ type: oneOf("text"), text });
const imagePart = object({
  type: oneOf("image_url"),
  image_url: either(
    matching(/^(data:image\/(png|jpeg|gif|webp);base64,|https:)/),
    object({ url: matching(/^(data:image\/(png|jpeg|gif|webp);base64,|https:)/) }, { detail: text }),
  ),
});
const parts = listOf(by("type", { text: textPart, image_url: imagePart }));

const messages = (callId: RegExp): Rule =>
  listOf(
    by("role", {
      system: object({ role: text, content: either(parts, text) }, { name: text }),
      developer: object({ role: text, content: either(parts, text) }, { name: text }),
      user: object({ role: text, content: either(parts, text) }, { name: text }),
      assistant: object(
        { role: text },
        {
          content: either(text, oneOf(null), parts),
          name: text,
          refusal: text,
          prefix: flag,
          reasoning: text,
          reasoning_content: text,
          tool_calls: listOf(
            object(
              {
                id: matching(callId),
                function: object({ name: text, arguments: text }),
              },
              { type: oneOf("function"), index: whole },
            ),
          ),
        },
      ),
      tool: object(
        { role: text, content: either(text, parts), tool_call_id: matching(callId) },
        { name: text },
      ),
    }),
  );

const tools = listOf(
  object({
    type: oneOf("function"),
    function: object(
      { name: matching(/^[a-zA-Z0-9_-]{1,64}$/) },
      { description: text, parameters: anyObject, strict: flag },
    ),
  }),
);

const format = (nameIsOptional: boolean): Rule =>
  by("type", {
    text: object({ type: text }),
    json_object: object({ type: text }),
    json_schema: object({
      type: text,
      json_schema: object(nameIsOptional ? { schema: anyObject } : { name: text, schema: anyObject }, {
        description: text,
        strict: flag,
        name: text,
      }),
    }),
  });

const FIELDS: Record<string, Rule> = {
  stream: flag,
  stream_options: object({}, { include_usage: flag }),
  temperature: number(0, 2),
  top_p: number(0, 1),
  max_tokens: whole,
  max_completion_tokens: whole,
  seed: whole,
  stop: either(text, listOf(text)),
  frequency_penalty: number(-2, 2),
  presence_penalty: number(-2, 2),
  tools,
  tool_choice: either(oneOf("auto", "none", "required"), anyObject),
  parallel_tool_calls: flag,
  user: text,
  reasoning_effort: text,
  n: whole,
};

export function openAIFormat(variant: OpenAIVariant): WireFormat {
  const { callId = /^.+$/, without = [] } = variant;
  const fields = {
    ...Object.fromEntries(Object.entries(FIELDS).filter(([name]) => !without.includes(name))),
    ...(without.includes("response_format")
      ? {}
      : { response_format: format(variant.nameIsOptional ?? false) }),
    ...variant.fields,
  };
  const request = object({ model: text, messages: messages(callId) }, fields);
  const embedding = object(
    { model: text, input: either(text, listOf(text)) },
    { encoding_format: oneOf("float"), dimensions: whole, user: text, output_dimension: whole },
  );
  return {
    wrong(asked) {
      if (!bearer(variant.key, asked))
        return `key: Incorrect API key provided: ${asked.headers.authorization}`;
      if (asked.path === variant.path.replace("/chat/completions", "/embeddings"))
        return embedding(asked.body, "");
      if (asked.path !== variant.path) return `Unknown request URL: POST ${asked.path}`;
      return request(asked.body, "") ?? callsMatch(asked) ?? strictSchema(asked, variant);
    },
    isStreamed: ({ body }) => body.stream === true,
    whole: (answer, asked) => ({
      ...head(asked, "chat.completion"),
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: answer.text ?? null,
            refusal: null,
            ...(answer.toolCalls === undefined ? {} : { tool_calls: callsOf(answer) }),
          },
          logprobs: null,
          finish_reason: reasonOf(answer, variant),
        },
      ],
      usage: usageOf(answer),
      ...(variant.tellsSources ? SOURCES : {}),
    }),
    events: (answer, asked) => eventsOf(answer, asked, variant),
    error: variant.error ?? openAIError,
    errorEvent: (message) => ({ data: JSON.stringify(openAIError(500, message)) }),
    embeddings: ({ body }) => ({
      id: "embd-aad6fc62b17349b192ef09225058bc45",
      object: "list",
      model: body.model,
      data: [body.input].flat().map((value, index) => ({
        object: "embedding",
        index,
        embedding: vectorOf(value as string),
      })),
      usage: { prompt_tokens: 4, total_tokens: 4 },
    }),
  };
}

const SOURCES = {
  citations: ["https://example.com/a"],
  search_results: [{ title: "A", url: "https://example.com/a", date: "2025-01-01" }],
};

const ERROR_TYPES: Record<number, string> = {
  400: "invalid_request_error",
  401: "invalid_request_error",
  403: "insufficient_permissions",
  404: "invalid_request_error",
  429: "requests",
};

function openAIError(status: number, message: string): unknown {
  const type = ERROR_TYPES[status] ?? "server_error";
  return { error: { message, type, param: null, code: status === 401 ? "invalid_api_key" : null } };
}

/** "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'." */
function callsMatch({ body }: ChatRequest): string | undefined {
  let open = new Set<string>();
  for (const [i, message] of (body.messages as Record<string, unknown>[]).entries()) {
    if (message.role === "tool") {
      if (!open.delete(message.tool_call_id as string))
        return `messages.${i}: a tool message must answer a call of the message before`;
      continue;
    }
    if (open.size > 0) return `messages.${i}: tool calls without an answer: ${[...open].join(", ")}`;
    open = new Set(((message.tool_calls ?? []) as { id: string }[]).map(({ id }) => id));
  }
  return open.size > 0 ? `messages: tool calls without an answer: ${[...open].join(", ")}` : undefined;
}

/** Strict mode: "additionalProperties" must be false, and all properties must be required. */
function strictSchema({ body }: ChatRequest, { acceptsStrict }: OpenAIVariant): string | undefined {
  const given = (body.response_format as { json_schema?: { strict?: boolean; schema: unknown } } | undefined)
    ?.json_schema;
  if (given?.strict !== true || acceptsStrict) return undefined;
  const check = (schema: unknown): string | undefined => {
    if (typeof schema !== "object" || schema === null) return undefined;
    const {
      type,
      properties = {},
      required = [],
      additionalProperties,
      items,
    } = schema as Record<string, never>;
    if (type === "object") {
      if (additionalProperties !== false)
        return "Invalid schema for response_format: 'additionalProperties' is required to be supplied and to be false";
      const missing = Object.keys(properties).find((name) => !(required as string[]).includes(name));
      if (missing !== undefined)
        return `Invalid schema for response_format: 'required' must include '${missing}'`;
    }
    return [...Object.values(properties), items].map(check).find((wrong) => wrong !== undefined);
  };
  return check(given.schema);
}

const head = ({ body }: ChatRequest, kind: string) => ({
  id: "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
  object: kind,
  created: 1_741_569_952,
  model: body.model,
});

const callsOf = ({ toolCalls = [] }: Answer) =>
  toolCalls.map(({ id, name, args }) => ({ id, type: "function", function: { name, arguments: args } }));

function reasonOf({ finish, toolCalls }: Answer, { stopWord = "stop" }: OpenAIVariant): string {
  if (toolCalls !== undefined && finish === undefined) return "tool_calls";
  return { stop: stopWord, length: "length", filter: "content_filter" }[finish ?? "stop"];
}

const usageOf = ({ input = 9, output = 3, cached }: Answer) => ({
  prompt_tokens: input,
  completion_tokens: output,
  total_tokens: input + output,
  ...(cached === undefined ? {} : { prompt_tokens_details: { cached_tokens: cached } }),
});

function eventsOf(answer: Answer, asked: ChatRequest, variant: OpenAIVariant): SentEvent[] {
  const { usageKey = "usage", endsWithDone = true, tellsSources = false, wholeCalls = false } = variant;
  const wantsUsage = (asked.body.stream_options as { include_usage?: boolean } | undefined)?.include_usage;
  const usage = usageOf(answer);
  const chunk = (delta: object, reason: string | null = null, more: object = {}): SentEvent => ({
    data: JSON.stringify({
      ...head(asked, "chat.completion.chunk"),
      choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }],
      ...(tellsSources ? { ...SOURCES, usage } : {}),
      ...more,
    }),
  });
  const events = [chunk({ role: "assistant", content: "" })];
  if (variant.reasoning !== undefined)
    for (const piece of TEXT_PIECES(answer.reasoning ?? ""))
      events.push(chunk({ [variant.reasoning]: piece }));
  for (const content of TEXT_PIECES(answer.text ?? "")) events.push(chunk({ content }));
  for (const [index, { id, name, args }] of (answer.toolCalls ?? []).entries()) {
    const call = (fields: object) => chunk({ tool_calls: [{ index, ...fields }] });
    const first = { id, type: "function" };
    if (wholeCalls) {
      events.push(call({ ...first, function: { name, arguments: args } }));
      continue;
    }
    events.push(call({ ...first, function: { name, arguments: "" } }));
    for (const piece of TEXT_PIECES(args)) events.push(call({ function: { arguments: piece } }));
  }
  const isAsked =
    usageKey === "usage" && "stream_options" in FIELDS && !variant.without?.includes("stream_options");
  const last = usageKey === "x_groq" ? { x_groq: { id: "req_01", usage } } : isAsked ? {} : { usage };
  events.push(chunk({}, reasonOf(answer, variant), last));
  if (isAsked && wantsUsage)
    events.push({ data: JSON.stringify({ ...head(asked, "chat.completion.chunk"), choices: [], usage }) });
  if (endsWithDone) events.push({ data: "[DONE]" });
  return events;
}
