import type { Context } from "../../ffi/llama/context.ts";

/** Tokens that the context holds in order, and the cell in which each one lies. */
export interface Sequence {
  readonly id: number;
  readonly tokens: number[];
  readonly cells: number[];
  /** A request works with it; else it is kept for later requests. */
  busy: boolean;
  /** Larger: used later. */
  lastUse: number;
  /** Tokens behind these were shifted: their state is not that of a prompt which reads the same. */
  soundTokens: number;
}

/** A sequence that begins as a prompt does. */
export interface Match {
  sequence: Sequence;
  /** Tokens in common. */
  count: number;
}

/**
 * The room of a context: which sequence holds which tokens. Sequences that begin alike share the cells of their common
 * tokens. Those that no request uses any more are kept as prefixes for later ones until their room is needed; then the one
 * that was used least recently goes first.
 */
export class SequenceRoom {
  private readonly sequences = new Map<number, Sequence>();
  private readonly freeIds: number[];
  private readonly freeCells: number[];
  /** For each cell: sequences that hold it, and how many of them are busy. */
  private readonly holders: Uint16Array;
  private readonly busyHolders: Uint16Array;
  private cellsInUse = 0;
  private uses = 0;

  /**
   * @param size tokens that all sequences may hold together
   * @param ids sequences of the context
   * @param forgetsParts false for memories that forget a sequence as a whole only (recurrent states)
   */
  constructor(
    private readonly context: Context,
    readonly size: number,
    ids: number,
    private readonly forgetsParts: boolean,
  ) {
    this.freeIds = Array.from({ length: ids }, (_, i) => ids - 1 - i);
    this.freeCells = Array.from({ length: size }, (_, i) => size - 1 - i);
    this.holders = new Uint16Array(size);
    this.busyHolders = new Uint16Array(size);
  }

  /** Tokens of busy sequences, shared ones counted once. */
  get busyTokens(): number {
    return this.cellsInUse;
  }

  /** Tokens that are held for later requests only. */
  get cachedTokens(): number {
    return this.size - this.freeCells.length - this.cellsInUse;
  }

  /** Whether a sequence can begin with a part of another. */
  get sharesPrefixes(): boolean {
    return this.forgetsParts;
  }

  /** The sequence with the longest beginning in common with a prompt, of which at least the last token is left to decode. */
  match(prompt: ArrayLike<number>): Match | undefined {
    let best: Match | undefined;
    for (const sequence of this.sequences.values()) {
      const common = commonLength(sequence.tokens, prompt);
      const count = Math.min(common, prompt.length - 1, sequence.soundTokens);
      if (count <= 0) continue;
      if (!this.forgetsParts && (sequence.busy || count < sequence.tokens.length)) continue;
      if (best === undefined || count > best.count || (count === best.count && continues(sequence, count)))
        best = { sequence, count };
    }
    return best;
  }

  /** How much `busyTokens` would grow if a match were taken. */
  growth({ sequence, count }: Match): number {
    let grown = 0;
    for (let i = 0; i < count; i++) if (this.busyHolders[sequence.cells[i]!] === 0) grown++;
    return grown;
  }

  /** A busy sequence that begins with a match: the matching one itself where nothing else is lost, else a new one. */
  begin(match: Match | undefined): Sequence {
    if (match === undefined) return this.create(this.freeId(undefined)!);
    const { sequence, count } = match;
    const id = continues(sequence, count) ? undefined : this.freeId(sequence);
    if (id === undefined) {
      if (count < sequence.tokens.length) this.truncate(sequence, count);
      this.setBusy(sequence, true);
      return sequence;
    }
    const copy = this.create(id);
    this.context.share(sequence.id, id, count);
    for (let i = 0; i < count; i++) this.hold(copy, sequence.tokens[i]!, sequence.cells[i]!);
    sequence.lastUse = ++this.uses;
    return copy;
  }

  /** Frees cells for so many tokens by forgetting what is kept for later. False where that is not enough. */
  makeRoom(count: number): boolean {
    while (this.freeCells.length < count) {
      const oldest = this.leastRecent(undefined);
      if (oldest === undefined) return false;
      this.drop(oldest);
    }
    return true;
  }

  /** Notes tokens that were decoded at the end of a sequence; `makeRoom` has freed their cells. */
  append(sequence: Sequence, tokens: ArrayLike<number>, start: number, end: number): void {
    for (let i = start; i < end; i++) this.hold(sequence, tokens[i]!, this.freeCells.pop()!);
  }

  /** Forgets a sequence from a position on, as a whole where the memory cannot do otherwise. Returns what it holds then. */
  truncate(sequence: Sequence, length: number): number {
    const left = this.context.forget(sequence.id, length) ? length : 0;
    while (sequence.tokens.length > left) this.letGo(sequence);
    return sequence.tokens.length;
  }

  /**
   * Forgets `count` tokens from a position on and moves those behind them up. False where other busy sequences hold some of
   * these cells: nothing is done then.
   */
  shift(sequence: Sequence, from: number, count: number): boolean {
    const shared = () => sequence.cells.slice(from).some((cell) => this.holders[cell]! > 1);
    for (const other of [...this.sequences.values()]) if (!other.busy && shared()) this.drop(other);
    if (shared()) return false;
    this.context.shift(sequence.id, from, count);
    sequence.soundTokens = Math.min(sequence.soundTokens, from);
    sequence.tokens.splice(from, count);
    for (const cell of sequence.cells.splice(from, count)) this.releaseCell(cell, true);
    return true;
  }

  /** Ends a request's use of a sequence. @param keep for later requests that begin alike */
  release(sequence: Sequence, keep: boolean): void {
    // the context may hold tokens beyond the answer's end
    if (!keep || this.truncate(sequence, sequence.tokens.length) === 0) {
      this.drop(sequence);
      return;
    }
    this.setBusy(sequence, false);
    sequence.lastUse = ++this.uses;
  }

  /** Forgets all that is kept for later requests. */
  clear(): void {
    this.makeRoom(Number.POSITIVE_INFINITY);
  }

  /** What llama.cpp holds is what is noted here; for tests. */
  get isConsistent(): boolean {
    const lengths = [...this.sequences.values()].every(
      ({ id, tokens }) => this.context.lengthOf(id) === tokens.length,
    );
    return lengths && this.freeIds.every((id) => this.context.lengthOf(id) === 0);
  }

  private create(id: number): Sequence {
    const lastUse = ++this.uses;
    const sequence = {
      id,
      tokens: [],
      cells: [],
      busy: true,
      lastUse,
      soundTokens: Number.POSITIVE_INFINITY,
    };
    this.sequences.set(id, sequence);
    return sequence;
  }

  /** An id that is free, or of the kept sequence that was used least recently but for `except`. */
  private freeId(except: Sequence | undefined): number | undefined {
    if (this.freeIds.length === 0) {
      const oldest = this.leastRecent(except);
      if (oldest !== undefined) this.drop(oldest);
    }
    return this.freeIds.pop();
  }

  private leastRecent(except: Sequence | undefined): Sequence | undefined {
    let oldest: Sequence | undefined;
    for (const sequence of this.sequences.values())
      if (!sequence.busy && sequence !== except && sequence.lastUse < (oldest?.lastUse ?? Infinity))
        oldest = sequence;
    return oldest;
  }

  private drop(sequence: Sequence): void {
    this.truncate(sequence, 0);
    this.sequences.delete(sequence.id);
    this.freeIds.push(sequence.id);
  }

  private setBusy(sequence: Sequence, busy: boolean): void {
    if (sequence.busy === busy) return;
    sequence.busy = busy;
    for (const cell of sequence.cells) this.countBusy(cell, busy ? 1 : -1);
  }

  private hold(sequence: Sequence, token: number, cell: number): void {
    sequence.tokens.push(token);
    sequence.cells.push(cell);
    this.holders[cell]!++;
    if (sequence.busy) this.countBusy(cell, 1);
  }

  private letGo(sequence: Sequence): void {
    sequence.tokens.pop();
    this.releaseCell(sequence.cells.pop()!, sequence.busy);
  }

  private releaseCell(cell: number, busy: boolean): void {
    if (busy) this.countBusy(cell, -1);
    if (--this.holders[cell]! === 0) this.freeCells.push(cell);
  }

  private countBusy(cell: number, change: 1 | -1): void {
    const before = this.busyHolders[cell]!;
    this.busyHolders[cell] = before + change;
    if (before + change === 0) this.cellsInUse--;
    else if (before === 0) this.cellsInUse++;
  }
}

/** Taking it over loses nothing: a kept sequence that ends where the prompt goes on. */
function continues(sequence: Sequence, count: number): boolean {
  return !sequence.busy && sequence.tokens.length === count;
}

export function commonLength(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const most = Math.min(a.length, b.length);
  let n = 0;
  while (n < most && a[n] === b[n]) n++;
  return n;
}
