/** The most that a call may take, told before it is made. */
import type { LanguageModelV4CallOptions, LanguageModelV4Message } from "@ai-sdk/provider";
import type { SpellModel } from "../service.ts";

/** A file part's tokens are known to its provider only; images take up to about this. */
const FILE_TOKENS = 2000;
/** What templates put around a message, and around the whole. */
const MESSAGE_TOKENS = 16;
/** What vendors say to the model where there are tools. */
const TOOLS_TOKENS = 600;
/** Longest answer of a call under a budget that names none. */
export const DEFAULT_ANSWER_TOKENS = 4096;

/**
 * Tokens that the prompt can have at most: exactly, where the model counts; else one for each byte, as no tokenizer makes
 * more.
 */
export async function promptBound(model: SpellModel, options: LanguageModelV4CallOptions): Promise<number> {
  if (model.countTokens !== undefined) return model.countTokens(options);
  const tools =
    options.tools === undefined ? 0 : TOOLS_TOKENS + Buffer.byteLength(JSON.stringify(options.tools));
  const form = options.responseFormat === undefined ? 0 : JSON.stringify(options.responseFormat).length;
  return options.prompt.reduce((sum, message) => sum + messageBound(message), MESSAGE_TOKENS + tools + form);
}

/** Tokens that a text of so many bytes has about. */
export const bytesEstimate = (bytes: number): number => Math.ceil(bytes / 4);

/** Tokens that a prompt has about. */
export const promptEstimate = (options: LanguageModelV4CallOptions): number =>
  bytesEstimate(
    options.prompt.reduce((sum, message) => sum + messageBound(message), 0) +
      (options.tools === undefined ? 0 : JSON.stringify(options.tools).length),
  );

export const textsBound = (texts: readonly string[]): number =>
  texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 2, 0);

function messageBound({ content }: LanguageModelV4Message): number {
  if (typeof content === "string") return MESSAGE_TOKENS + Buffer.byteLength(content);
  return content.reduce<number>((sum, part) => {
    if (part.type === "file") return sum + FILE_TOKENS;
    return sum + ("text" in part ? Buffer.byteLength(part.text) : Buffer.byteLength(JSON.stringify(part)));
  }, MESSAGE_TOKENS);
}
