import type { LanguageModelV4Prompt } from "@ai-sdk/provider";

/** Mistral's rule for ids of tool calls. Those of other vendors stand in conversations that a fallback took over. */
const SHORT = /^[a-zA-Z0-9]{9}$/;

/** The prompt with every other id turned into one that keeps to the rule, the same for the same id. */
export function shortCallIds(prompt: LanguageModelV4Prompt): LanguageModelV4Prompt {
  return prompt.map((message) => {
    if (message.role !== "assistant" && message.role !== "tool") return message;
    const content = message.content.map((part) =>
      "toolCallId" in part ? { ...part, toolCallId: short(part.toolCallId) } : part,
    );
    return { ...message, content } as typeof message;
  });
}

function short(id: string): string {
  return SHORT.test(id) ? id : Bun.hash.wyhash(id).toString(36).padStart(9, "0").slice(-9);
}
