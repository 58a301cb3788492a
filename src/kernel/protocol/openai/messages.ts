/** Chat messages in OpenAI's shape, said as the AI SDK's prompt. */
import type { LanguageModelV4Prompt } from "@ai-sdk/provider";
import { type Static, Type } from "typebox";
import { badRequest } from "./read.ts";

const nothing = Type.Optional(Type.Null());

const Content = Type.Union([Type.Null(), Type.String(), Type.Array(Type.Object({ type: Type.String() }))]);

const ToolCall = Type.Object(
  {
    id: Type.String({ minLength: 1 }),
    type: Type.Literal("function"),
    function: Type.Object(
      { name: Type.String({ minLength: 1 }), arguments: Type.String() },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

/** With the empty fields of an answer that a client hands back as it came. */
export const Message = Type.Object(
  {
    role: Type.Enum(["system", "developer", "user", "assistant", "tool"]),
    content: Type.Optional(Content),
    name: Type.Optional(Type.String()),
    tool_calls: Type.Optional(Type.Union([Type.Null(), Type.Array(ToolCall)])),
    tool_call_id: Type.Optional(Type.String()),
    reasoning_content: Type.Optional(Type.Union([Type.Null(), Type.String()])),
    refusal: Type.Optional(Type.Union([Type.Null(), Type.String()])),
    annotations: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 0 })),
    audio: nothing,
    function_call: nothing,
  },
  { additionalProperties: false },
);

type Message = Static<typeof Message>;
type PromptMessage = LanguageModelV4Prompt[number];
type AssistantPart = Extract<PromptMessage, { role: "assistant" }>["content"][number];

/** Fields that only some roles have. */
const OF_ROLE: Readonly<Record<string, readonly Message["role"][]>> = {
  tool_calls: ["assistant"],
  reasoning_content: ["assistant"],
  refusal: ["assistant"],
  tool_call_id: ["tool"],
};

/** @throws SpellError invalid_argument for content that a text model cannot read, or an answer to no tool call */
export function promptOf(messages: readonly Message[]): LanguageModelV4Prompt {
  const toolNames = new Map<string, string>();
  return messages.map((message, i) => {
    const place = `messages[${i}]`;
    for (const [field, roles] of Object.entries(OF_ROLE))
      if (message[field as keyof Message] != null && !roles.includes(message.role))
        throw badRequest(`a message of role "${message.role}" has no "${field}"`, `${place}.${field}`);
    return promptMessage(message, place, toolNames);
  });
}

/** @param toolNames of the calls so far, by their ids; those of this message are added */
function promptMessage(message: Message, place: string, toolNames: Map<string, string>): PromptMessage {
  switch (message.role) {
    case "system":
    case "developer":
      return { role: "system", content: textOf(message, place) };
    case "user":
      return { role: "user", content: [{ type: "text", text: textOf(message, place) }] };
    case "assistant": {
      const content = assistantParts(message, place);
      for (const part of content)
        if (part.type === "tool-call") toolNames.set(part.toolCallId, part.toolName);
      return { role: "assistant", content };
    }
    case "tool": {
      const toolCallId = message.tool_call_id ?? "";
      const toolName = toolNames.get(toolCallId);
      if (toolName === undefined)
        throw badRequest(
          `a message of role "tool" must answer an earlier tool call: "${toolCallId}"`,
          `${place}.tool_call_id`,
        );
      const output = { type: "text" as const, value: textOf(message, place) };
      return { role: "tool", content: [{ type: "tool-result", toolCallId, toolName, output }] };
    }
  }
}

function assistantParts(message: Message, place: string): AssistantPart[] {
  const parts: AssistantPart[] = [];
  const calls = message.tool_calls ?? [];
  if (message.reasoning_content) parts.push({ type: "reasoning", text: message.reasoning_content });
  if (message.content != null) parts.push({ type: "text", text: textOf(message, place) });
  else if (message.refusal) parts.push({ type: "text", text: message.refusal });
  else if (calls.length === 0) throw badRequest(`"${place}.content" is required`, `${place}.content`);
  calls.forEach((call, i) => {
    const input = call.function.arguments;
    if (!isJsonObject(input))
      throw badRequest(
        "the arguments of a tool call must be a JSON object",
        `${place}.tool_calls[${i}].function.arguments`,
      );
    parts.push({ type: "tool-call", toolCallId: call.id, toolName: call.function.name, input });
  });
  return parts;
}

function textOf({ content, role }: Message, place: string): string {
  if (typeof content === "string") return content;
  if (content == null) throw badRequest(`"${place}.content" is required`, `${place}.content`);
  return content
    .map((part: { type: string; text?: unknown; refusal?: unknown }, i) => {
      const text = part.type === "refusal" && role === "assistant" ? part.refusal : part.text;
      const isText = part.type === "text" || (part.type === "refusal" && role === "assistant");
      const param = `${place}.content[${i}]`;
      if (!isText) throw badRequest(`local models read text only: "${part.type}"`, `${param}.type`);
      if (typeof text !== "string") throw badRequest(`"${param}.text" must be a string`, `${param}.text`);
      return text;
    })
    .join("");
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false; // the answer is the question
  }
}
