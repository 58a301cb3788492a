/** Whether a prompt fits its context, and whether Ollama took the whole of it. */
import { DEFAULT_CONTEXT_TOKENS } from "../llamacpp/protocol.ts";
import { type Asking, overflow } from "./failures.ts";
import type { OllamaChat } from "./request.ts";
import type { ModelFacts } from "./shapes.ts";

/** No vocabulary in use has a longer token. */
const LONGEST_TOKEN_BYTES = 128;
/** Text of any kind has fewer bytes a token, white space aside: more of them were not all read. */
const MOST_BYTES_A_TOKEN = 8;

type Sent = Pick<OllamaChat, "messages" | "tools">;

export interface Room {
  /** What requests ask for; undefined: Ollama's own choice. */
  asked: number | undefined;
  /** What the model runs with, as far as it is known before a call. */
  contextTokens: number | undefined;
  /** The server cuts in silence what does not fit. */
  mayCut: boolean;
}

/**
 * @param wanted by the call or the configuration
 * @param refusesOverflow the server says when a prompt does not fit; else the length must be known, so it is asked for
 * @param seen what the model was seen to run with
 */
export function roomFor(
  { trainedTokens = Number.POSITIVE_INFINITY, presetTokens }: ModelFacts,
  wanted: number | undefined,
  refusesOverflow: boolean,
  seen: (asked: number | undefined) => number | undefined,
): Room {
  const length = wanted ?? (refusesOverflow ? undefined : (presetTokens ?? DEFAULT_CONTEXT_TOKENS));
  const asked = length === undefined ? undefined : Math.min(length, trainedTokens);
  const preset = presetTokens === undefined ? undefined : Math.min(presetTokens, trainedTokens);
  return { asked, contextTokens: seen(asked) ?? asked ?? preset, mayCut: !refusesOverflow };
}

/**
 * Tokens that a prompt has at least: tokens do not go over white space. It takes Ollama to count them.
 * The template and the tools' form in it are left out.
 */
export function leastTokens(request: Sent): number {
  let tokens = 0;
  for (const text of textsOf(request)) {
    for (const [word] of text.matchAll(/\S+/g))
      tokens +=
        word.length <= LONGEST_TOKEN_BYTES / 4 ? 1 : Math.ceil(Buffer.byteLength(word) / LONGEST_TOKEN_BYTES);
  }
  return tokens;
}

/** Before the call. @throws context_overflow where it clearly cannot fit */
export function refuseOverflow(asking: Asking, least: number, contextTokens: number | undefined): void {
  if (contextTokens === undefined || least < contextTokens) return;
  const data = { promptTokens: least, overTokens: least + 1 - contextTokens };
  throw overflow(asking, `the prompt of at least ${least} tokens`, contextTokens, data);
}

/**
 * After the call, for servers that cut: fewer tokens than the prompt has were read.
 * @param readTokens what Ollama counted; undefined where it did not say
 * @throws context_overflow
 */
export function refuseCut(
  asking: Asking,
  request: OllamaChat,
  least: number,
  readTokens: number | undefined,
  contextTokens: number | undefined,
): void {
  if (readTokens === undefined) return;
  const bytes = textsOf(request).reduce((sum, text) => sum + Buffer.byteLength(text.replace(/\s+/g, "")), 0);
  const isSparse =
    contextTokens !== undefined && bytes / MOST_BYTES_A_TOKEN > readTokens && bytes / 4 > contextTokens;
  if (readTokens >= least && !isSparse) return;
  throw overflow(asking, "the prompt, of which Ollama read only a part,", contextTokens, {
    readTokens,
    leastTokens: least,
  });
}

function textsOf({ messages = [], tools }: Sent): string[] {
  const texts = messages.map(({ content }) => content);
  // Arguments of calls and the tools' own form are rendered by the template in its own way; names stay.
  for (const tool of tools ?? []) texts.push(`${tool.function.name} ${tool.function.description ?? ""}`);
  return texts;
}
