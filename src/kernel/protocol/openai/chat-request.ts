/** `POST /v1/chat/completions`: the request. */
import type { JSONObject, LanguageModelV4CallOptions, LanguageModelV4ToolChoice } from "@ai-sdk/provider";
import { type Static, Type } from "typebox";
import { Message, promptOf } from "./messages.ts";
import { badRequest, type Fields, readAs } from "./read.ts";
import { type Call, callOf, REFUSED, type Refused, settingFields, supportedFields } from "./settings.ts";

const MAX_TOOLS = 128;
const NAME = "^[a-zA-Z0-9_.-]{1,64}$";
const closed = { additionalProperties: false } as const;
const Schema = Type.Record(Type.String(), Type.Unknown());
const strict = Type.Optional(Type.Union([Type.Null(), Type.Boolean()]));

const Tool = Type.Object(
  {
    type: Type.Literal("function"),
    function: Type.Object(
      {
        name: Type.String({ pattern: NAME }),
        description: Type.Optional(Type.String()),
        parameters: Type.Optional(Schema),
        strict,
      },
      closed,
    ),
  },
  closed,
);

const ToolChoice = Type.Union([
  Type.Enum(["none", "auto", "required"]),
  Type.Object(
    {
      type: Type.Literal("function"),
      function: Type.Object({ name: Type.String({ minLength: 1 }) }, closed),
    },
    closed,
  ),
]);

const ResponseFormat = Type.Object(
  {
    type: Type.Enum(["text", "json_object", "json_schema"]),
    json_schema: Type.Optional(
      Type.Object(
        {
          name: Type.String({ pattern: NAME }),
          description: Type.Optional(Type.String()),
          schema: Type.Optional(Schema),
          strict,
        },
        closed,
      ),
    ),
  },
  closed,
);

const Prediction = Type.Object(
  {
    type: Type.Literal("content"),
    content: Type.Union([
      Type.String(),
      Type.Array(Type.Object({ type: Type.Literal("text"), text: Type.String() }, closed)),
    ]),
  },
  closed,
);

const ChatRequest = Type.Object(
  {
    ...settingFields,
    messages: Type.Array(Message, { minItems: 1 }),
    max_completion_tokens: settingFields.max_tokens,
    tools: Type.Optional(Type.Array(Tool, { maxItems: MAX_TOOLS })),
    tool_choice: Type.Optional(ToolChoice),
    parallel_tool_calls: Type.Optional(Type.Boolean()),
    response_format: Type.Optional(ResponseFormat),
    reasoning_effort: Type.Optional(Type.Literal("none")),
    prediction: Type.Optional(Type.Union([Type.Null(), Prediction])),
  },
  closed,
);
type ChatRequest = Static<typeof ChatRequest>;

const CHAT_REFUSED: Refused = {
  ...REFUSED,
  modalities: { only: [["text"]] },
  audio: { only: [] },
  verbosity: { only: [] },
  web_search_options: { only: [] },
  functions: { only: [], hint: 'Use "tools"' },
  function_call: { only: [], hint: 'Use "tool_choice"' },
};

/** @throws SpellError invalid_argument, the parameter in `data.param` */
export function chatCall(fields: Fields): Call {
  const request = readAs(ChatRequest, supportedFields(fields, CHAT_REFUSED));
  const { max_completion_tokens: most, max_tokens: olderMost } = request;
  if (most !== undefined && olderMost !== undefined && most !== olderMost)
    throw badRequest('"max_tokens" and "max_completion_tokens" differ', "max_tokens");
  const settings = most === undefined ? request : { ...request, max_tokens: most };
  return callOf(settings, [
    {
      prompt: promptOf(request.messages),
      ...toolOptions(request),
      ...formatOptions(request),
      providerOptions: { llamacpp: llamaOptions(request) },
      ...(request.reasoning_effort === "none" ? { reasoning: "none" as const } : {}),
    },
  ]);
}

function toolOptions({
  tools,
  tool_choice,
  parallel_tool_calls,
}: ChatRequest): Partial<LanguageModelV4CallOptions> {
  if (tools === undefined || tools.length === 0) {
    if (tool_choice !== undefined && tool_choice !== "none" && tool_choice !== "auto")
      throw badRequest('"tool_choice" is allowed only with "tools"', "tool_choice");
    if (parallel_tool_calls !== undefined)
      throw badRequest('"parallel_tool_calls" is allowed only with "tools"', "parallel_tool_calls");
    return {};
  }
  const names = tools.map((tool) => tool.function.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw badRequest(`two tools have the same name: "${twice}"`, "tools");
  return {
    tools: tools.map(({ function: { name, description, parameters } }) => ({
      type: "function",
      name,
      ...(description === undefined ? {} : { description }),
      inputSchema: parameters ?? { type: "object", properties: {} },
    })),
    ...(tool_choice === undefined ? {} : { toolChoice: choiceOf(tool_choice, names) }),
  };
}

function llamaOptions({ parallel_tool_calls: parallelToolCalls, prediction }: ChatRequest): JSONObject {
  const content = prediction?.content;
  const text = typeof content === "object" ? content.map((part) => part.text).join("") : content;
  return {
    ...(parallelToolCalls === undefined ? {} : { parallelToolCalls }),
    ...(text === undefined ? {} : { prediction: text }),
  };
}

function choiceOf(choice: Static<typeof ToolChoice>, names: readonly string[]): LanguageModelV4ToolChoice {
  if (typeof choice === "string") return { type: choice as "none" | "auto" | "required" };
  const { name } = choice.function;
  if (!names.includes(name))
    throw badRequest(`"tool_choice" names no tool of "tools": "${name}"`, "tool_choice");
  return { type: "tool", toolName: name };
}

function formatOptions({ response_format: format }: ChatRequest): Partial<LanguageModelV4CallOptions> {
  if (format?.json_schema !== undefined && format.type !== "json_schema")
    throw badRequest('"response_format.json_schema" goes with the type "json_schema"', "response_format");
  if (format === undefined || format.type === "text") return {};
  if (format.type === "json_object") return { responseFormat: { type: "json" } };
  if (format.json_schema === undefined)
    throw badRequest('"response_format.json_schema" is required', "response_format.json_schema");
  const { name, description, schema } = format.json_schema;
  return {
    responseFormat: {
      type: "json",
      name,
      ...(description === undefined ? {} : { description }),
      ...(schema === undefined ? {} : { schema }),
    },
  };
}
