import type { Context } from "../../ffi/llama/context.ts";
import {
  applyShifts,
  bestMatch,
  continues,
  heldTokens,
  inOrder,
  leastRecent,
  type Match,
  newSequence,
  type Sequence,
  type SequenceRoom,
  take,
} from "./sequence-room.ts";

/**
 * A room with a part of its own for each sequence. llama.cpp computes together what lies in neighbouring parts: busy sequences
 * have the first ones, and change places for that.
 */
export class SeparateRoom implements SequenceRoom {
  readonly sharesPrefixes = true;
  /** By their ids. */
  private readonly parts: (Sequence | undefined)[];
  private busy = 0;
  private uses = 0;

  /**
   * @param context one with separate parts, of a model that forgets parts of a sequence
   * @param parts as many as there will be busy sequences, or more
   */
  constructor(
    private readonly context: Context,
    readonly longestTokens: number,
    parts: number,
  ) {
    this.parts = Array.from({ length: parts }, () => undefined);
  }

  get size(): number {
    return this.longestTokens * this.parts.length;
  }

  get busyTokens(): number {
    return this.tokensOf(({ busy }) => busy);
  }

  get cachedTokens(): number {
    return this.tokensOf(({ busy }) => !busy);
  }

  get freeTokens(): number {
    return this.size - this.busyTokens;
  }

  get isConsistent(): boolean {
    const held = this.sequences;
    const dense = held.every(({ busy, id }) => busy === id < this.busy);
    const holds = (part: Sequence | undefined) => (part === undefined ? 0 : heldTokens(part));
    return dense && this.parts.every((part, id) => this.context.lengthOf(id) === holds(part));
  }

  get held(): Sequence[] {
    return inOrder(this.sequences);
  }

  match(prompt: ArrayLike<number>): Match | undefined {
    return bestMatch(this.sequences, prompt, true);
  }

  growth({ count }: Match): number {
    return count;
  }

  begin(match: Match | undefined): Sequence {
    const place = this.busy;
    const copies = match !== undefined && !continues(match) && this.vacate(place, match.sequence);
    if (match !== undefined && !copies) {
      const { sequence, count } = match;
      if (count < sequence.tokens.length) this.truncate(sequence, count);
      this.exchange(sequence.id, place);
      sequence.busy = true;
      sequence.lastUse = ++this.uses;
      this.busy++;
      return sequence;
    }
    if (match === undefined) this.vacate(place, undefined);
    const sequence = newSequence(place, ++this.uses);
    this.parts[place] = sequence;
    this.busy++;
    if (match !== undefined && !match.sequence.isLost && this.context.copy(match.sequence.id, place)) {
      match.sequence.lastUse = ++this.uses;
      this.context.forget(place, match.count);
      this.append(sequence, match.sequence.tokens, 0, match.count);
    }
    return sequence;
  }

  makeRoom(): boolean {
    applyShifts(this.sequences, this.context);
    return true;
  }

  append(sequence: Sequence, tokens: ArrayLike<number>, start: number, end: number): void {
    for (let i = start; i < end; i++) sequence.tokens.push(tokens[i]!);
  }

  truncate(sequence: Sequence, length: number): number {
    sequence.tokens.length = this.context.forget(sequence.id, length) ? length : 0;
    return sequence.tokens.length;
  }

  shift(sequence: Sequence, from: number, count: number): boolean {
    sequence.shift = { from, count };
    sequence.soundTokens = Math.min(sequence.soundTokens, from);
    sequence.tokens.splice(from, count);
    return true;
  }

  release(sequence: Sequence, keep: boolean): void {
    sequence.busy = false;
    sequence.lastUse = ++this.uses;
    this.busy--;
    // the context may hold tokens beyond the answer's end
    if (!keep || sequence.isLost || this.truncate(sequence, sequence.tokens.length) === 0)
      this.drop(sequence);
    this.exchange(sequence.id, this.busy);
  }

  clear(): void {
    for (const sequence of this.sequences) if (!sequence.busy) this.drop(sequence);
  }

  takeOver(held: readonly Sequence[], from: Context): void {
    for (const sequence of held) {
      const id = this.parts.indexOf(undefined);
      if (id < 0) return;
      const fits = heldTokens(sequence) <= this.longestTokens;
      if (!take(sequence, from, this.context, id, fits)) continue;
      this.parts[id] = sequence;
      this.uses = Math.max(this.uses, sequence.lastUse);
      if (sequence.busy) this.busy++;
    }
  }

  private get sequences(): Sequence[] {
    return this.parts.filter((part) => part !== undefined);
  }

  private tokensOf(which: (sequence: Sequence) => boolean): number {
    return this.sequences.reduce((sum, each) => sum + (which(each) ? each.tokens.length : 0), 0);
  }

  /**
   * Empties a part: what is kept there moves to another, for which the sequence that was used least recently goes where none
   * is empty. False where only `except` could go.
   */
  private vacate(place: number, except: Sequence | undefined): boolean {
    const kept = this.parts[place];
    if (kept === undefined) return true;
    let empty = this.parts.indexOf(undefined);
    if (empty < 0) {
      const oldest = leastRecent(this.sequences, except);
      if (oldest === undefined) return false;
      empty = oldest.id;
      this.drop(oldest);
    }
    this.exchange(place, empty);
    return true;
  }

  private drop(sequence: Sequence): void {
    this.context.forget(sequence.id, 0);
    sequence.tokens.length = 0;
    this.parts[sequence.id] = undefined;
  }

  /** What two parts hold changes places. A state that does not get there is lost; whoever works with it learns of it. */
  private exchange(a: number, b: number): void {
    if (a === b) return;
    const [first, second] = [this.parts[a], this.parts[b]];
    if (first === undefined && second === undefined) return;
    const [toB, toA] = this.context.exchange(a, b);
    this.put(first, b, toB);
    this.put(second, a, toA);
  }

  private put(sequence: Sequence | undefined, id: number, isThere: boolean): void {
    this.parts[id] = isThere || sequence?.busy ? sequence : undefined;
    if (sequence === undefined) return;
    sequence.id = id;
    if (!isThere) sequence.isLost = true;
  }
}
