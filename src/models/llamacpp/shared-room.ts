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

/** A room whose cells any sequence may use. Sequences that begin alike share the cells of their common tokens. */
export class SharedRoom implements SequenceRoom {
  private readonly sequences = new Map<number, Sequence>();
  private readonly freeIds: number[];
  private readonly freeCells: number[];
  /** For each sequence, by its id: the cell in which each token lies. */
  private readonly cells: number[][];
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
    this.cells = Array.from({ length: ids }, () => []);
    this.holders = new Uint16Array(size);
    this.busyHolders = new Uint16Array(size);
  }

  get busyTokens(): number {
    return this.cellsInUse;
  }

  get cachedTokens(): number {
    return this.size - this.freeCells.length - this.cellsInUse;
  }

  get longestTokens(): number {
    return this.size;
  }

  get freeTokens(): number {
    return this.freeCells.length;
  }

  get sharesPrefixes(): boolean {
    return this.forgetsParts;
  }

  match(prompt: ArrayLike<number>): Match | undefined {
    return bestMatch(this.sequences.values(), prompt, this.forgetsParts);
  }

  growth({ sequence, count }: Match): number {
    const cells = this.cellsOf(sequence);
    let grown = 0;
    for (let i = 0; i < count; i++) if (this.busyHolders[cells[i]!] === 0) grown++;
    return grown;
  }

  begin(match: Match | undefined): Sequence {
    if (match === undefined) return this.create(this.freeId(undefined)!);
    const { sequence, count } = match;
    const id = continues(match) ? undefined : this.freeId(sequence);
    if (id === undefined) {
      if (count < sequence.tokens.length) this.truncate(sequence, count);
      this.setBusy(sequence, true);
      return sequence;
    }
    const copy = this.create(id);
    this.context.share(sequence.id, id, count);
    for (let i = 0; i < count; i++) this.hold(copy, sequence.tokens[i]!, this.cellsOf(sequence)[i]!);
    sequence.lastUse = ++this.uses;
    return copy;
  }

  makeRoom(count: number): boolean {
    applyShifts(this.sequences.values(), this.context);
    while (this.freeCells.length < count) {
      const oldest = leastRecent(this.sequences.values(), undefined);
      if (oldest === undefined) return false;
      this.drop(oldest);
    }
    return true;
  }

  append(sequence: Sequence, tokens: ArrayLike<number>, start: number, end: number): void {
    for (let i = start; i < end; i++) this.hold(sequence, tokens[i]!, this.freeCells.pop()!);
  }

  truncate(sequence: Sequence, length: number): number {
    const left = this.context.forget(sequence.id, length) ? length : 0;
    for (const cell of this.cellsOf(sequence).splice(left)) this.releaseCell(cell, sequence.busy);
    sequence.tokens.splice(left);
    return sequence.tokens.length;
  }

  shift(sequence: Sequence, from: number, count: number): boolean {
    const cells = this.cellsOf(sequence);
    const shared = () => cells.slice(from).some((cell) => this.holders[cell]! > 1);
    for (const other of [...this.sequences.values()]) if (!other.busy && shared()) this.drop(other);
    if (shared()) return false;
    sequence.shift = { from, count };
    sequence.soundTokens = Math.min(sequence.soundTokens, from);
    sequence.tokens.splice(from, count);
    for (const cell of cells.splice(from, count)) this.releaseCell(cell, true);
    return true;
  }

  release(sequence: Sequence, keep: boolean): void {
    // the context may hold tokens beyond the answer's end
    if (!keep || sequence.isLost || this.truncate(sequence, sequence.tokens.length) === 0) {
      this.drop(sequence);
      return;
    }
    this.setBusy(sequence, false);
    sequence.lastUse = ++this.uses;
  }

  clear(): void {
    this.makeRoom(Number.POSITIVE_INFINITY);
  }

  get isConsistent(): boolean {
    const lengths = [...this.sequences.values()].every(
      (sequence) => this.context.lengthOf(sequence.id) === heldTokens(sequence),
    );
    return lengths && this.freeIds.every((id) => this.context.lengthOf(id) === 0);
  }

  get held(): Sequence[] {
    return inOrder(this.sequences.values());
  }

  takeOver(held: readonly Sequence[], from: Context): void {
    for (const sequence of held) {
      const id = this.freeIds.at(-1);
      if (id === undefined) return;
      const fits = heldTokens(sequence) <= this.freeCells.length;
      if (!take(sequence, from, this.context, id, fits)) continue;
      this.freeIds.pop();
      this.sequences.set(id, sequence);
      this.uses = Math.max(this.uses, sequence.lastUse);
      if (sequence.isLost) continue; // it has no cells
      const moved = sequence.tokens.splice(0);
      this.append(sequence, moved, 0, moved.length);
    }
  }

  private cellsOf({ id }: Sequence): number[] {
    return this.cells[id]!;
  }

  private create(id: number): Sequence {
    const sequence = newSequence(id, ++this.uses);
    this.sequences.set(id, sequence);
    return sequence;
  }

  /** An id that is free, or of the kept sequence that was used least recently but for `except`. */
  private freeId(except: Sequence | undefined): number | undefined {
    if (this.freeIds.length === 0) {
      const oldest = leastRecent(this.sequences.values(), except);
      if (oldest !== undefined) this.drop(oldest);
    }
    return this.freeIds.pop();
  }

  private drop(sequence: Sequence): void {
    this.truncate(sequence, 0);
    this.sequences.delete(sequence.id);
    this.freeIds.push(sequence.id);
  }

  private setBusy(sequence: Sequence, busy: boolean): void {
    if (sequence.busy === busy) return;
    sequence.busy = busy;
    for (const cell of this.cellsOf(sequence)) this.countBusy(cell, busy ? 1 : -1);
  }

  private hold(sequence: Sequence, token: number, cell: number): void {
    sequence.tokens.push(token);
    this.cellsOf(sequence).push(cell);
    this.holders[cell]!++;
    if (sequence.busy) this.countBusy(cell, 1);
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
