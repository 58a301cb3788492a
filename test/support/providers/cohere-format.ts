/** Cohere's chat API, version 2, as its OpenAPI document and its streaming guide have it. */
import {
  type Answer,
  bearer,
  type ChatRequest,
  event,
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
  text,
  whole,
} from "./rules.ts";

const content = either(
  text,
  listOf(
    by("type", {
      text: object({ type: text, text }),
      thinking: object({ type: text, thinking: text }),
      image_url: object({
        type: text,
        image_url: object({ url: matching(/^(data:image\/|https:)/) }, { detail: text }),
      }),
      document: object({ type: text, document: anyObject }),
    }),
  ),
);

const request = object(
  {
    model: text,
    messages: listOf(
      by("role", {
        system: object({ role: text, content }),
        user: object({ role: text, content }),
        assistant: object(
          { role: text },
          {
            content,
            tool_plan: text,
            citations: listOf(anyObject),
            tool_calls: listOf(
              object({
                id: text,
                type: oneOf("function"),
                function: object({ name: text, arguments: text }),
              }),
            ),
          },
        ),
        tool: object({ role: text, tool_call_id: text, content }),
      }),
    ),
  },
  {
    stream: flag,
    tools: listOf(
      object({
        type: oneOf("function"),
        function: object({ name: text, parameters: anyObject }, { description: text }),
      }),
    ),
    tool_choice: oneOf("REQUIRED", "NONE"),
    strict_tools: flag,
    documents: listOf(anyObject),
    citation_options: anyObject,
    response_format: object({ type: oneOf("text", "json_object") }, { json_schema: anyObject }),
    safety_mode: text,
    max_tokens: whole,
    stop_sequences: listOf(text),
    temperature: number(0, 1),
    seed: whole,
    frequency_penalty: number(0, 1),
    presence_penalty: number(0, 1),
    k: whole,
    p: number(0.01, 0.99),
    logprobs: flag,
    thinking: anyObject,
  },
);
const embed = object(
  {
    model: text,
    input_type: oneOf("search_document", "search_query", "classification", "clustering", "image"),
    embedding_types: listOf(oneOf("float", "int8", "uint8", "binary", "ubinary", "base64")),
  },
  {
    texts: listOf(text),
    truncate: oneOf("NONE", "START", "END"),
    output_dimension: whole,
    max_tokens: whole,
  },
);

export function cohereFormat(key: string): WireFormat {
  return {
    wrong(asked) {
      if (!bearer(key, asked)) return `key: invalid api token: ${asked.headers.authorization}`;
      if (asked.path === "/v2/embed") return embed(asked.body, "");
      if (asked.path !== "/v2/chat") return `path not found: ${asked.path}`;
      const wrong = request(asked.body, "");
      const { response_format: format, tools } = asked.body as Record<string, { type?: string } | undefined>;
      if (wrong === undefined && format?.type === "json_object" && tools !== undefined)
        return "cannot use response_format json_object with tools";
      return wrong;
    },
    isStreamed: ({ body }) => body.stream === true,
    whole: (answer) => ({
      id: "c14c80c3-18eb-4519-9460-6c92edd8cfb4",
      finish_reason: reasonOf(answer),
      message: {
        role: "assistant",
        ...(answer.text === undefined ? {} : { content: [{ type: "text", text: answer.text }] }),
        ...(answer.toolCalls === undefined
          ? {}
          : { tool_plan: "I will use a tool.", tool_calls: answer.toolCalls.map(callOf) }),
      },
      usage: usageOf(answer),
    }),
    events: eventsOf,
    error: (_status, message) => ({ id: "0c3b4f5e", message }),
    errorEvent: (message) =>
      event("message-end", { type: "message-end", delta: { error: message, finish_reason: "ERROR" } }),
    embeddings: ({ body }) => ({
      id: "da6e531f",
      embeddings: { float: (body.texts as string[]).map(vectorOf) },
      texts: body.texts,
      meta: { api_version: { version: "2" }, billed_units: { input_tokens: 4 } },
    }),
  };
}

const callOf = ({ id, name, args }: NonNullable<Answer["toolCalls"]>[number]) => ({
  id,
  type: "function",
  function: { name, arguments: args },
});

function reasonOf({ finish, toolCalls }: Answer): string {
  if (toolCalls !== undefined && finish === undefined) return "TOOL_CALL";
  return finish === "length" ? "MAX_TOKENS" : "COMPLETE";
}

const usageOf = ({ input = 9, output = 3, cached }: Answer) => ({
  billed_units: { input_tokens: input, output_tokens: output },
  tokens: { input_tokens: input, output_tokens: output },
  ...(cached === undefined ? {} : { cached_tokens: cached }),
});

function eventsOf(answer: Answer, _asked: ChatRequest): SentEvent[] {
  const events: SentEvent[] = [];
  const add = (type: string, data: object) => events.push(event(type, { type, ...data }));
  const delta = (message: object) => ({ delta: { message } });
  add("message-start", {
    id: "29f14a5a-11de-4cae-9800-25e4747408ea",
    ...delta({ role: "assistant", content: [], tool_plan: "", tool_calls: [], citations: [] }),
  });
  if (answer.toolCalls !== undefined)
    for (const piece of ["I will ", "use a tool."]) add("tool-plan-delta", delta({ tool_plan: piece }));
  if (answer.reasoning !== undefined) {
    add("content-start", { index: 0, ...delta({ content: { type: "thinking", thinking: "" } }) });
    for (const thinking of TEXT_PIECES(answer.reasoning))
      add("content-delta", { index: 0, ...delta({ content: { thinking } }) });
    add("content-end", { index: 0 });
  }
  if (answer.text !== undefined) {
    add("content-start", { index: 0, ...delta({ content: { type: "text", text: "" } }) });
    for (const piece of TEXT_PIECES(answer.text))
      add("content-delta", { index: 0, ...delta({ content: { text: piece } }) });
    add("content-end", { index: 0 });
  }
  for (const [index, call] of (answer.toolCalls ?? []).entries()) {
    const { id, type, function: called } = callOf(call);
    add("tool-call-start", {
      index,
      ...delta({ tool_calls: { id, type, function: { name: called.name, arguments: "" } } }),
    });
    for (const piece of TEXT_PIECES(call.args))
      add("tool-call-delta", { index, ...delta({ tool_calls: { function: { arguments: piece } } }) });
    add("tool-call-end", { index });
  }
  add("message-end", { delta: { finish_reason: reasonOf(answer), usage: usageOf(answer) } });
  return events;
}
