/** Whether a prompt fits its context, and whether Ollama took the whole of it. */
import { DEFAULT_CONTEXT_TOKENS } from "../llamacpp/protocol.ts";
import { type Asking, overflow } from "./failures.ts";
import type { OllamaChat } from "./request.ts";
import type { ModelFacts } from "./shapes.ts";

/** No vocabulary of a chat model has a longer token. */
const LONGEST_TOKEN_BYTES = 512;
/** Text has fewer letters a token, white space and repetitions aside: more of them were not all read. */
const MOST_LETTERS_A_TOKEN = 8;

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
 * Tokens that a text has at least: no token goes over white space. It takes Ollama to count them.
 * @param longestBytes of a token; infinite for models that have one token for all words they do not know
 */
export function leastTokens(text: string, longestBytes = LONGEST_TOKEN_BYTES): number {
  let tokens = 0;
  for (const [word] of text.matchAll(/\S+/g))
    tokens +=
      word.length <= longestBytes / 4 ? 1 : Math.max(1, Math.ceil(Buffer.byteLength(word) / longestBytes));
  return tokens;
}

/** The same of a prompt, what its template adds left out. */
export const leastPromptTokens = (request: Sent): number =>
  textsOf(request).reduce((sum, text) => sum + leastTokens(text), 0);

/**
 * Before the call, where it clearly cannot fit.
 * @param what does not: `the prompt`
 * @throws context_overflow
 */
export function refuseOverflow(
  asking: Asking,
  what: string,
  least: number,
  contextTokens: number | undefined,
  hint?: string,
): void {
  if (contextTokens === undefined || least < contextTokens) return;
  const data = { promptTokens: least, overTokens: least + 1 - contextTokens };
  throw overflow(asking, `${what} of at least ${least} tokens`, contextTokens, data, hint);
}

/**
 * After the call, for servers that cut: fewer tokens than the prompt has were read.
 * @param readTokens what Ollama counted; undefined where it did not say
 * @throws context_overflow
 */
export function refuseCut(
  asking: Asking,
  request: Sent,
  readTokens: number | undefined,
  contextTokens: number | undefined,
): void {
  if (readTokens === undefined) return;
  const least = leastPromptTokens(request);
  const isSparse = contextTokens !== undefined && densityTokens(request) > readTokens;
  if (readTokens >= least && !isSparse) return;
  throw overflow(asking, "the prompt, of which Ollama read only a part,", contextTokens, {
    readTokens,
    leastTokens: least,
  });
}

/** Fewer than any text that somebody wrote has; lines of one character are left out. */
function densityTokens(request: Sent): number {
  const letters = textsOf(request).reduce(
    (sum, text) => sum + text.replace(/(.)\1{2,}|\s+/gsu, "").length,
    0,
  );
  return letters / MOST_LETTERS_A_TOKEN;
}

function textsOf({ messages = [], tools }: Sent): string[] {
  const texts = messages.map(({ content }) => content);
  // Arguments of calls and the tools' own form are rendered by the template in its own way; names stay.
  for (const tool of tools ?? []) texts.push(`${tool.function.name} ${tool.function.description ?? ""}`);
  return texts;
}
