/** Anthropic's Messages API, as its reference and its streaming guide have it. */
import {
  type Answer,
  type ChatRequest,
  event,
  type SentEvent,
  SIGNATURE,
  TEXT_PIECES,
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
  text,
  whole,
} from "./rules.ts";

const cache = { cache_control: object({ type: oneOf("ephemeral") }, { ttl: oneOf("5m", "1h") }) };
const textBlock = object({ type: text, text: matching(/\S/) }, cache);
const imageBlock = object(
  {
    type: text,
    source: by("type", {
      base64: object({
        type: text,
        media_type: oneOf("image/jpeg", "image/png", "image/gif", "image/webp"),
        data: matching(/^[A-Za-z0-9+/]+=*$/),
      }),
      url: object({ type: text, url: text }),
    }),
  },
  cache,
);

const userBlocks = listOf(
  by("type", {
    text: textBlock,
    image: imageBlock,
    tool_result: object(
      { type: text, tool_use_id: matching(/^[a-zA-Z0-9_-]+$/) },
      {
        content: either(text, listOf(by("type", { text: textBlock, image: imageBlock }))),
        is_error: flag,
        ...cache,
      },
    ),
  }),
);
const assistantBlocks = listOf(
  by("type", {
    text: textBlock,
    thinking: object({ type: text, thinking: text, signature: text }),
    tool_use: object({ type: text, id: matching(/^[a-zA-Z0-9_-]+$/), name: text, input: anyObject }, cache),
  }),
);

const request = object(
  {
    model: text,
    max_tokens: whole,
    messages: listOf(
      by("role", {
        user: object({ role: text, content: either(text, userBlocks) }),
        assistant: object({ role: text, content: either(text, assistantBlocks) }),
      }),
    ),
  },
  {
    system: either(text, listOf(textBlock)),
    stream: flag,
    temperature: number(0, 1),
    top_p: number(0, 1),
    top_k: whole,
    stop_sequences: listOf(text),
    metadata: object({}, { user_id: text }),
    tools: listOf(
      object(
        { name: matching(/^[a-zA-Z0-9_-]{1,128}$/), input_schema: anyObject },
        { description: text, type: oneOf("custom"), strict: flag, eager_input_streaming: flag, ...cache },
      ),
    ),
    tool_choice: by("type", {
      auto: object({ type: text }, { disable_parallel_tool_use: flag }),
      any: object({ type: text }, { disable_parallel_tool_use: flag }),
      tool: object({ type: text, name: text }, { disable_parallel_tool_use: flag }),
      none: object({ type: text }),
    }),
    thinking: anyObject,
    service_tier: text,
    output_config: object(
      {},
      { format: object({ type: oneOf("json_schema"), schema: anyObject }), effort: text },
    ),
  },
);

const ERROR_TYPES: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  500: "api_error",
  529: "overloaded_error",
};

export function anthropicFormat(key: string): WireFormat {
  return {
    wrong(asked) {
      const { path, headers, body } = asked;
      if (headers["x-api-key"] !== key) return `key: invalid x-api-key: ${headers["x-api-key"]}`;
      if (headers["anthropic-version"] !== "2023-06-01") return "anthropic-version: header is required";
      if (path !== "/v1/messages") return `Not found: ${path}`;
      return request(body, "") ?? turns(asked);
    },
    isStreamed: ({ body }) => body.stream === true,
    whole: (answer, asked) => ({
      ...message(asked),
      content: [
        ...(answer.text === undefined ? [] : [{ type: "text", text: answer.text }]),
        ...(answer.toolCalls ?? []).map(({ id, name, args }) => ({
          type: "tool_use",
          id,
          name,
          input: JSON.parse(args) as unknown,
        })),
      ],
      stop_reason: reasonOf(answer),
      usage: { ...inputUsage(answer), output_tokens: answer.output ?? 3 },
    }),
    events: eventsOf,
    error: (status, text) => errorOf(ERROR_TYPES[status] ?? "api_error", text),
    errorEvent: (text) => event("error", errorOf("overloaded_error", text)),
  };
}

const errorOf = (type: string, message: string) => ({
  type: "error",
  error: { type, message },
  request_id: "req_011CSHoEeqs5C35K2UUqR7Fy",
});

/** Results stand right after the calls they answer; calls in the conversation want the tools to be told. */
function turns({ body }: ChatRequest): string | undefined {
  const messages = body.messages as { role: string; content: string | Record<string, unknown>[] }[];
  if (messages[0]?.role !== "user") return "messages: first message must use the user role";
  let open = new Set<unknown>();
  let hasCalls = false;
  for (const [i, { content }] of messages.entries()) {
    const blocks = typeof content === "string" ? [] : content;
    for (const { type, tool_use_id } of blocks)
      if (type === "tool_result" && !open.delete(tool_use_id))
        return `messages.${i}: unexpected tool_use_id in tool_result: ${String(tool_use_id)}`;
    if (open.size > 0) return `messages.${i}: tool_use ids were found without tool_result blocks`;
    open = new Set(blocks.filter(({ type }) => type === "tool_use").map(({ id }) => id));
    hasCalls ||= open.size > 0;
  }
  return hasCalls && body.tools === undefined
    ? "Requests which include tool_use or tool_result blocks must define tools"
    : undefined;
}

const message = ({ body }: ChatRequest) => ({
  id: "msg_01XFDUDYJgAACzvnptvVoYEL",
  type: "message",
  role: "assistant",
  model: body.model,
  content: [] as unknown[],
  stop_reason: null as string | null,
  stop_sequence: null,
});

/** The prompt's tokens are told in three parts. */
const inputUsage = ({ input = 9, cached = 0 }: Answer) => ({
  input_tokens: input - cached,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: cached,
});

function reasonOf({ finish, toolCalls }: Answer): string {
  if (toolCalls !== undefined && finish === undefined) return "tool_use";
  return { stop: "end_turn", length: "max_tokens", filter: "refusal" }[finish ?? "stop"];
}

function eventsOf(answer: Answer, asked: ChatRequest): SentEvent[] {
  const usage = { ...inputUsage(answer), output_tokens: 1 };
  const events = [
    event("message_start", { type: "message_start", message: { ...message(asked), usage } }),
    event("ping", { type: "ping" }),
  ];
  let index = 0;
  const block = (start: object, deltas: object[]) => {
    events.push(event("content_block_start", { type: "content_block_start", index, content_block: start }));
    for (const delta of deltas)
      events.push(event("content_block_delta", { type: "content_block_delta", index, delta }));
    events.push(event("content_block_stop", { type: "content_block_stop", index }));
    index++;
  };
  if (answer.reasoning !== undefined)
    block({ type: "thinking", thinking: "", signature: "" }, [
      ...TEXT_PIECES(answer.reasoning).map((thinking) => ({ type: "thinking_delta", thinking })),
      { type: "signature_delta", signature: SIGNATURE },
    ]);
  if (answer.text !== undefined)
    block(
      { type: "text", text: "" },
      TEXT_PIECES(answer.text).map((piece) => ({ type: "text_delta", text: piece })),
    );
  for (const { id, name, args } of answer.toolCalls ?? [])
    block(
      { type: "tool_use", id, name, input: {} },
      ["", ...TEXT_PIECES(args)].map((partial_json) => ({ type: "input_json_delta", partial_json })),
    );
  events.push(
    event("message_delta", {
      type: "message_delta",
      delta: { stop_reason: reasonOf(answer), stop_sequence: null },
      usage: { output_tokens: answer.output ?? 3 },
    }),
    event("message_stop", { type: "message_stop" }),
  );
  return events;
}
