import { SpellError } from "../../core/errors.ts";
import type { ChatRequest } from "../../ffi/llama/chat.ts";

/**
 * A conversation as the text a model without chat template gets: what was said, in order, a paragraph each. One message
 * is thus itself: `translate English to German: …` is what T5 was trained on.
 * @throws SpellError invalid_argument for tools, which such a model cannot call
 */
export function plainPrompt({ messages, tools, toolChoice }: ChatRequest): string {
  if ((tools?.length ?? 0) > 0 && toolChoice !== "none")
    throw new SpellError(
      "invalid_argument",
      "Cannot call the model: it has no chat template, so it can call no tools",
      {
        hint: "Leave out the tools, or choose a model that was trained to call them",
      },
    );
  const said = messages.map(({ content }) => (typeof content === "string" ? content.trim() : ""));
  return said.filter((text) => text !== "").join("\n\n");
}
