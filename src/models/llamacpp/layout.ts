import { Context } from "../../ffi/llama/context.ts";
import { Steps } from "../../ffi/llama/steps.ts";
import { cacheSize } from "./cache-size.ts";
import { freeFor } from "./devices.ts";
import type { ModelParts } from "./model-parts.ts";
import { MOST_SPECULATIVE_TOKENS } from "./protocol.ts";
import { cellsFor, partsFor, roomOf, ropeChangesAt, sequencesOf } from "./room-size.ts";
import { SeparateRoom } from "./separate-room.ts";
import type { SequenceRoom } from "./sequence-room.ts";
import { SharedRoom } from "./shared-room.ts";

/** Tokens generated beside each other until each sequence gets a part of the memory: what that costs is gained by then. */
const SEPARATE_AFTER_TOKENS = 512;

/**
 * How the memory of a model's context is laid out. At first it is one room for all sequences: it costs least, and a single
 * one may fill it. Where requests run beside each other each sequence gets a part of its own, as large as the longest needs:
 * attention then walks over one part instead of over all that is held. Where parts would take too much memory it is one room again.
 */
export class Layout implements Disposable {
  /** Requests that may run beside each other. */
  readonly running: number;
  private made: { context: Context; steps: Steps; room: SequenceRoom };
  /** Memory taken beyond what `memoryNeeded` tells. */
  addedBytes = 0;
  private readonly maySeparate: boolean;
  private besideOthers = 0;

  /**
   * @param freeBytes memory that is free at the moment, for what is kept of tokens
   * @throws SpellError limit where memory does not suffice
   */
  constructor(
    private readonly parts: ModelParts,
    private readonly freeBytes = () => freeFor(parts),
  ) {
    const { spec, model, header, contextTokens } = parts;
    this.running = sequencesOf(spec, model.forgetsParts).running;
    // of layers with a window a state tells only what is in the window: a prefix of it could not be gone on from
    this.maySeparate =
      this.running > 1 &&
      model.forgetsParts &&
      model.slidingWindowTokens === 0 &&
      contextTokens <= ropeChangesAt(header);
    this.made = this.makeShared();
  }

  get context(): Context {
    return this.made.context;
  }

  get steps(): Steps {
    return this.made.steps;
  }

  get room(): SequenceRoom {
    return this.made.room;
  }

  /** Takes note of tokens that requests have generated beside others. */
  noteBeside(tokens: number): void {
    this.besideOthers += tokens;
  }

  /**
   * Makes the layout suit what runs. What sequences hold is moved; of what could not be `isLost` tells.
   * @param longestTokens that the longest busy sequence is about to hold
   * @throws SpellError limit where there is no memory for a longer sequence: nothing has changed then
   */
  suit(longestTokens: number): void {
    const isShared = this.room instanceof SharedRoom;
    if (isShared && this.besideOthers < SEPARATE_AFTER_TOKENS) return;
    if (!isShared && longestTokens <= this.room.longestTokens) return;
    this.besideOthers = 0;
    if (this.maySeparate && this.separate(longestTokens)) return;
    if (!isShared) this.change(this.makeShared(), 0);
  }

  dispose(): void {
    this.context.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** False where memory does not suffice. */
  private separate(longestTokens: number): boolean {
    const { header, contextTokens } = this.parts;
    const parts = partsFor(header, {
      longestTokens,
      contextTokens,
      running: this.running,
      freeBytes: this.freeBytes(),
    });
    if (parts === undefined) return false;
    let context: Context;
    try {
      context = this.makeContext(parts.count * parts.tokens, parts.count, true);
    } catch {
      return false;
    }
    const room = new SeparateRoom(context, Math.min(parts.tokens, contextTokens), parts.count);
    this.change({ context, steps: this.makeSteps(context), room }, parts.bytes - this.sharedBytes);
    return true;
  }

  private change(next: typeof this.made, addedBytes: number): void {
    const before = this.made;
    next.room.takeOver(before.room.held, before.context);
    this.made = next;
    this.addedBytes = addedBytes;
    before.context.dispose();
  }

  private makeShared(): typeof this.made {
    const { spec, model } = this.parts;
    const ids = sequencesOf(spec, model.forgetsParts).kept;
    const context = this.makeContext(this.sharedTokens, ids, false);
    const room = new SharedRoom(context, this.sharedTokens, ids, model.forgetsParts);
    return { context, steps: this.makeSteps(context), room };
  }

  /** Tokens that all sequences may hold together, in this layout or the other one. */
  get mostTokens(): number {
    return Math.max(this.room.size, this.sharedTokens);
  }

  private get sharedTokens(): number {
    return roomOf(this.parts.header, this.parts.contextTokens, this.running);
  }

  private get sharedBytes(): number {
    return cellsFor(this.sharedTokens) * cacheSize(this.parts.header).bytesPerToken;
  }

  private makeContext(contextTokens: number, sequences: number, separate: boolean): Context {
    const { spec, model, threads } = this.parts;
    return Context.create(model, {
      contextTokens,
      batchTokens: Math.max(sequences, Math.min(spec.batchTokens, contextTokens)), // a token of every sequence at least
      ubatchTokens: spec.ubatchTokens,
      sequences,
      separate,
      threads,
      flashAttention: spec.flashAttention,
    });
  }

  private makeSteps(context: Context): Steps {
    return new Steps(context, this.running, MOST_SPECULATIVE_TOKENS);
  }
}
