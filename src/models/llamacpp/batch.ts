import type { Context } from "../../ffi/llama/context.ts";
import type { Answering } from "./answering.ts";

/** Prompt tokens of a step in which others generate: more would make these wait long for their next token. */
const PROMPT_BESIDE_GENERATION = 128;

/** What a step decodes for one request: its feed from `start` to `end`, in batch entries that end before `entriesEnd`. */
export interface Part {
  answering: Answering;
  start: number;
  end: number;
  entriesEnd: number;
}

/**
 * Shares a step among requests: one token for each that generates, and for prompts what is left of `batchTokens`, in equal
 * shares. While some generate, prompts get a small part only.
 */
export function shareOut(running: readonly Answering[], batchTokens: number): Map<Answering, number> {
  const shares = new Map<Answering, number>();
  const reading: Answering[] = [];
  for (const answering of running)
    if (answering.left === 1) shares.set(answering, 1);
    else reading.push(answering);

  let budget = batchTokens - shares.size;
  if (shares.size > 0) budget = Math.min(budget, PROMPT_BESIDE_GENERATION);
  // the shortest first: what they do not need goes to the others
  reading.sort((a, b) => a.left - b.left);
  for (const [i, answering] of reading.entries()) {
    const share = Math.min(answering.left, Math.ceil(budget / (reading.length - i)));
    if (share > 0) shares.set(answering, share);
    budget -= share;
  }
  return shares;
}

/** Writes a step's tokens into the context's batch, in the order of the sequences: neighbours are computed together. */
export function fillBatch(context: Context, shares: ReadonlyMap<Answering, number>): Part[] {
  const parts: Part[] = [];
  let entry = 0;
  const ordered = [...shares].sort(([a], [b]) => a.sequence!.id - b.sequence!.id);
  for (const [answering, share] of ordered) {
    const { feed, fed } = answering;
    const { id, tokens } = answering.sequence!;
    for (let i = 0; i < share; i++, entry++) {
      context.tokens[entry] = feed[fed + i]!;
      context.positions[entry] = tokens.length + i;
      context.sequences[entry] = id;
      context.outputs[entry] = 0;
    }
    if (share === answering.left) context.outputs[entry - 1] = 1; // the next token is chosen from its logits
    parts.push({ answering, start: fed, end: fed + share, entriesEnd: entry });
  }
  return parts;
}

/** A request's cancel stops the decoding of these parts only where all are cancelled. */
export function watchCancels(context: Context, parts: readonly Part[]): void {
  context.abortOn(...parts.map(({ answering }) => answering.words));
}
