import type { Context } from "../../ffi/llama/context.ts";

/** Tokens that the context holds in order. */
export interface Sequence {
  id: number;
  readonly tokens: number[];
  /** A request works with it; else it is kept for later requests. */
  busy: boolean;
  /** Larger: used later. */
  lastUse: number;
  /** Tokens behind these were shifted: their state is not that of a prompt which reads the same. */
  soundTokens: number;
  /** What the context is still to forget of these, before anything is decoded: a state that is moved must not wait for it. */
  shift: { from: number; count: number } | undefined;
  /** Its state could not be moved: the context no longer holds these tokens. */
  isLost: boolean;
}

/** A sequence that begins as a prompt does. */
export interface Match {
  sequence: Sequence;
  /** Tokens in common. */
  count: number;
}

/**
 * The room of a context: which sequence holds which tokens. Sequences that no request uses any more are kept as prefixes for
 * later ones until their room is needed; then the one that was used least recently goes first.
 */
export interface SequenceRoom {
  /** Tokens that all sequences may hold together. */
  readonly size: number;
  /** Tokens that one sequence may hold. */
  readonly longestTokens: number;
  /** Tokens of busy sequences, shared ones counted once. */
  readonly busyTokens: number;
  /** Tokens that are held for later requests only. */
  readonly cachedTokens: number;
  /** Tokens that can be taken before anything kept has to go. */
  readonly freeTokens: number;
  /** Whether a sequence can begin with a part of another. */
  readonly sharesPrefixes: boolean;
  /** All that it holds, busy ones first, then those that were used last. */
  readonly held: Sequence[];
  /** What llama.cpp holds is what is noted here; for tests. */
  readonly isConsistent: boolean;
  /** The sequence with the longest beginning in common with a prompt, of which at least the last token is left to decode. */
  match(prompt: ArrayLike<number>): Match | undefined;
  /** How much `busyTokens` would grow if a match were taken. */
  growth(match: Match): number;
  /** A busy sequence that begins with a match: the matching one itself where nothing else is lost, else a new one. */
  begin(match: Match | undefined): Sequence;
  /** Before a decode: frees room for so many tokens by forgetting what is kept for later. False where that is not enough. */
  makeRoom(count: number): boolean;
  /** Notes tokens that were decoded at the end of a sequence; `makeRoom` has made the room for them. */
  append(sequence: Sequence, tokens: ArrayLike<number>, start: number, end: number): void;
  /** Forgets a sequence from a position on, as a whole where the memory cannot do otherwise. Returns what it holds then. */
  truncate(sequence: Sequence, length: number): number;
  /**
   * Forgets `count` tokens from a position on and moves those behind them up. False where other busy sequences hold some of
   * these: nothing is done then.
   */
  shift(sequence: Sequence, from: number, count: number): boolean;
  /** Ends a request's use of a sequence. @param keep for later requests that begin alike */
  release(sequence: Sequence, keep: boolean): void;
  /** Forgets all that is kept for later requests. */
  clear(): void;
  /** An empty room takes over what another context holds, as far as it can. What it cannot of busy sequences is lost. */
  takeOver(held: readonly Sequence[], from: Context): void;
}

export function newSequence(id: number, lastUse: number): Sequence {
  return {
    id,
    tokens: [],
    busy: true,
    lastUse,
    soundTokens: Number.POSITIVE_INFINITY,
    shift: undefined,
    isLost: false,
  };
}

/**
 * Moves what a sequence holds to another context, and gives it the id that it has there. A busy one that could not be moved
 * is lost and has its id all the same. False for a kept one: it is not taken over.
 * @param fits whether there is room for it
 */
export function take(sequence: Sequence, from: Context, to: Context, id: number, fits: boolean): boolean {
  const isMoved = fits && from.moveTo(to, sequence.id, id);
  if (!isMoved && !sequence.busy) return false;
  sequence.id = id;
  sequence.isLost ||= !isMoved;
  return true;
}

/** Tokens that the context holds of a sequence at the moment. */
export function heldTokens({ tokens, shift }: Sequence): number {
  return tokens.length + (shift?.count ?? 0);
}

/** Has the context do the shifts that were noted. */
export function applyShifts(sequences: Iterable<Sequence>, context: Context): void {
  for (const sequence of sequences) {
    if (sequence.shift === undefined) continue;
    context.shift(sequence.id, sequence.shift.from, sequence.shift.count);
    sequence.shift = undefined;
  }
}

/** As `SequenceRoom.held` orders them. */
export function inOrder(sequences: Iterable<Sequence>): Sequence[] {
  const rank = ({ busy, lastUse }: Sequence) => (busy ? Number.POSITIVE_INFINITY : lastUse);
  return [...sequences].sort((a, b) => (a.busy && b.busy ? a.id - b.id : rank(b) - rank(a)));
}

/** What `SequenceRoom.match` gives. @param forgetsParts whether a sequence can be continued from within */
export function bestMatch(
  sequences: Iterable<Sequence>,
  prompt: ArrayLike<number>,
  forgetsParts: boolean,
): Match | undefined {
  let best: Match | undefined;
  for (const sequence of sequences) {
    if (sequence.isLost) continue;
    const common = commonLength(sequence.tokens, prompt);
    const count = Math.min(common, prompt.length - 1, sequence.soundTokens);
    if (count <= 0) continue;
    if (!forgetsParts && (sequence.busy || count < sequence.tokens.length)) continue;
    if (best === undefined || count > best.count || (count === best.count && continues({ sequence, count })))
      best = { sequence, count };
  }
  return best;
}

/** The kept sequence that was used least recently but for `except`. */
export function leastRecent(
  sequences: Iterable<Sequence>,
  except: Sequence | undefined,
): Sequence | undefined {
  let oldest: Sequence | undefined;
  for (const sequence of sequences)
    if (!sequence.busy && sequence !== except && sequence.lastUse < (oldest?.lastUse ?? Infinity))
      oldest = sequence;
  return oldest;
}

/** Taking it over loses nothing: a kept sequence that ends where the prompt goes on. */
export function continues({ sequence, count }: Match): boolean {
  return !sequence.busy && sequence.tokens.length === count;
}

export function commonLength(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const most = Math.min(a.length, b.length);
  let n = 0;
  while (n < most && a[n] === b[n]) n++;
  return n;
}
