import { SpellError } from "../../core/errors.ts";
import type { ChatRequest } from "../../ffi/llama/chat.ts";
import type { GgufHeader } from "./gguf.ts";

/** Models that turn one text into another and were trained on no conversations. */
export function readsPlainText({
  architecture,
  hasChatTemplate,
}: Pick<GgufHeader, "architecture" | "hasChatTemplate">): boolean {
  return architecture === "t5" && !hasChatTemplate;
}

/**
 * A conversation as a model without chat template gets it: what was said, in order, a paragraph each. One message is thus
 * itself: `translate English to German: …` is what T5 was trained on.
 * @throws SpellError invalid_argument for tools, which such a model cannot call
 */
export function plainPrompt(chat: ChatRequest): { text: string; grammar?: string } {
  if (chat.tools !== undefined)
    throw new SpellError(
      "invalid_argument",
      "Cannot call the model: it has no chat template, so it can call no tools",
      { hint: "Leave out the tools, or choose a model that was trained to call them" },
    );
  const said = chat.messages.map(({ content }) => (typeof content === "string" ? content.trim() : ""));
  const text = said.filter((paragraph) => paragraph !== "").join("\n\n");
  const { schema } = chat;
  const grammar =
    chat.grammar ?? (schema === undefined ? undefined : `root ::= ${schema.root}\n${schema.rules}`);
  return grammar === undefined ? { text } : { text, grammar };
}
