import { SpellError } from "../../core/errors.ts";
import type { Context, DecodeOutcome } from "../../ffi/llama/context.ts";
import type { Chosen } from "../../ffi/llama/steps.ts";
import { Answering } from "./answering.ts";
import { fillBatch, type Part, shareOut, watchCancels } from "./batch.ts";
import { SEND_EVERY_MS } from "./event-buffer.ts";
import type { GenerateHooks, Generator } from "./generator.ts";
import { Layout } from "./layout.ts";
import type { ModelParts } from "./model-parts.ts";
import type { GenerateRequest, GenerateResult, ModelStats } from "./protocol.ts";
import { commonLength, heldTokens, type Match, type SequenceRoom } from "./sequence-room.ts";

const MOST_QUEUED = 10_000;
/** Requests at the queue's head that are looked at for admission. */
const LOOK_AHEAD = 8;
/** Room that a new request must find beyond its prompt, so that it is not put back at once. */
const ADMISSION_MARGIN = 64;
/** A prompt waits for another with so many more first tokens in common, rather than to be read beside it. */
const WORTH_WAITING_TOKENS = 32;
/** How long steps go on without looking up while nobody reads. A message or a cancel ends them at once. */
const UNREAD_MS = 1000;

/**
 * Answers the requests to one model side by side, in one context with a sequence for each. A step decodes one token for
 * every request that generates, and a part of the prompts of those that begin. Requests beyond the sequences wait, first come
 * first served. Where the room gets full, sequences kept for later go first, least recently used; then the request that
 * began last gives its place away and goes on later, its prompt and answer so far being read again.
 */
export class Scheduler implements Generator {
  private readonly layout: Layout;
  private readonly queue: Answering[] = [];
  /** In the order of admission. */
  private readonly running: Answering[] = [];
  private isLooping = false;

  /** @throws SpellError limit where memory does not suffice */
  constructor(
    private readonly parts: ModelParts,
    freeBytes?: () => number,
  ) {
    this.layout = new Layout(parts, freeBytes);
  }

  get room(): SequenceRoom {
    return this.layout.room;
  }

  private get context(): Context {
    return this.layout.context;
  }

  get addedBytes(): number {
    return this.layout.addedBytes;
  }

  generate(request: GenerateRequest, hooks: GenerateHooks): Promise<GenerateResult> {
    if (this.queue.length >= MOST_QUEUED)
      throw new SpellError("limit", `Cannot run the model: ${MOST_QUEUED} calls wait already`, {
        data: { limit: "queue", calls: MOST_QUEUED },
        hint: "Wait for some of them",
      });
    const answering = new Answering(this.parts, request, hooks);
    this.queue.push(answering);
    if (!this.isLooping) void this.parts.turns.during(() => this.loop());
    return answering.answered;
  }

  stats(): Omit<ModelStats, "path"> {
    const { cachedTokens, busyTokens, size } = this.room;
    return {
      queued: this.queue.length,
      running: this.running.length,
      sequences: this.layout.running,
      heldTokens: busyTokens + cachedTokens,
      cachedTokens,
      roomTokens: size,
    };
  }

  dispose(): void {
    this.layout.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private async loop(): Promise<void> {
    this.isLooping = true;
    await this.parts.turns.giveWay(); // calls made at the same time begin together
    while (this.queue.length + this.running.length > 0) {
      const settled = this.step();
      await (settled ? this.parts.turns.giveWay() : this.parts.turns.pass());
    }
    this.isLooping = false;
  }

  /** True where a request has come to its end: its caller is to hear of it. */
  private step(): boolean {
    const before = this.queue.length + this.running.length;
    this.dropCancelled();
    this.admit();
    this.layOut();
    this.preempt();
    if (this.running.length > 0) {
      const shares = shareOut(this.running, this.context.batchTokens);
      const parts = fillBatch(this.context, shares);
      if (this.running.every(({ left, remaining }) => left === 1 && remaining > 0))
        this.generateTogether(parts);
      else if (this.decode(parts)) this.choose(parts);
    }
    return this.queue.length + this.running.length < before;
  }

  private dropCancelled(): void {
    const cancelled = (answering: Answering) => answering.isCancelled;
    for (const answering of [...this.queue.filter(cancelled), ...this.running.filter(cancelled)])
      this.settle(answering, new SpellError("interrupted", "The model call was cancelled"));
  }

  /** Gives places to those that wait longest, as far as there is room. */
  private admit(): void {
    for (
      let i = 0;
      i < Math.min(LOOK_AHEAD, this.queue.length) && this.running.length < this.layout.running;
    ) {
      const answering = this.queue[i]!;
      try {
        answering.prepare(this.context.canShift);
        const match = answering.request.reusePrefix ? this.room.match(answering.feed) : undefined;
        if (this.isBeingRead(answering, match)) {
          i++;
          continue;
        }
        if (!this.fits(answering, match)) return;
        this.queue.splice(i, 1);
        this.running.push(answering);
        answering.begin(this.room.begin(match));
      } catch (error) {
        this.settle(answering, error);
      }
    }
  }

  /** Whether more of its prompt than is held will be held soon, because another request that begins alike reads it now. */
  private isBeingRead({ feed, request }: Answering, match: Match | undefined): boolean {
    if (!request.reusePrefix || !this.room.sharesPrefixes) return false;
    const worth = (match?.count ?? 0) + WORTH_WAITING_TOKENS;
    return this.running.some(
      (other) => other.left > 1 && !other.shifted && commonLength(other.feed, feed) >= worth,
    );
  }

  private fits(answering: Answering, match: Match | undefined): boolean {
    if (this.running.length === 0) return true;
    const toRead = answering.feed.length - (match?.count ?? 0);
    const growth = match === undefined ? 0 : this.room.growth(match);
    const margin = Math.min(ADMISSION_MARGIN, answering.maxTokens);
    return this.needed() + growth + toRead + margin <= this.layout.mostTokens;
  }

  /** Tokens that the running requests hold, and those they are about to. */
  private needed(): number {
    return this.running.reduce((sum, { left }) => sum + left, this.room.busyTokens);
  }

  /** Takes places back until the others' next tokens have room. One request alone always has. */
  private preempt(): void {
    while (this.running.length > 1 && this.needed() > this.room.size) this.putBack(this.running.at(-1)!);
  }

  /** Has the memory suit what runs; what could not be moved is read anew. */
  private layOut(): void {
    if (this.running.length === 0) return;
    const tokens = ({ sequence, left }: Answering) => heldTokens(sequence!) + left;
    const longest = this.running.reduce((a, b) => (tokens(b) > tokens(a) ? b : a));
    try {
      this.layout.suit(tokens(longest));
    } catch (error) {
      this.settle(longest, error);
    }
    for (;;) {
      const lost = this.running.find(({ sequence }) => sequence!.isLost);
      if (lost === undefined) return;
      this.putBack(lost);
    }
  }

  private putBack(answering: Answering): void {
    const { contents } = answering;
    this.leave(answering, !answering.shifted);
    answering.feedAnew(contents);
    this.queue.unshift(answering);
  }

  /** Steps in which every request has a token decoded and the next one chosen, as many as can be made without looking up. */
  private generateTogether(parts: readonly Part[]): void {
    const ahead = this.tokensAhead();
    this.room.makeRoom(parts.length * ahead);
    watchCancels(this.context, parts);
    const { tokens, chosen, drafts, failure } = this.layout.steps.generate(
      parts.map(({ answering }) => answering.chooser),
      { tokens: ahead, timeMs: this.runMs, messages: this.parts.turns.messages },
    );
    parts[0]!.answering.noteDrafts(drafts); // only of one that is alone
    if (parts.length > 1) this.layout.noteBeside(parts.length * tokens);
    if (tokens > 0)
      for (const [i, { answering }] of parts.entries())
        this.conclude(answering, () => this.takeChosen(answering, chosen[i]!, tokens));
    this.settleOutcome(
      parts.filter(({ answering }) => answering.sequence !== undefined),
      failure,
    );
  }

  /** Tokens behind a stop text count for nothing. @throws SpellError provider where choosing one failed */
  private takeChosen(answering: Answering, chosen: Chosen, decodedTokens: number): void {
    const sequence = answering.sequence!;
    const decoded = [answering.feed[0]!, ...chosen.tokens];
    answering.fed = 1;
    const taken = answering.takeAll(chosen);
    this.room.append(sequence, decoded, 0, answering.end === "stop" ? taken : decodedTokens);
    if (chosen.isFailed && answering.end === undefined) throw answering.chooser.failure();
  }

  /** How long steps go on without looking up. The time at which the first token of an answer comes is to be known. */
  private get runMs(): number {
    if (this.parts.turns.isShared || this.running.some(({ isBegun }) => !isBegun)) return 0;
    return this.running.some(({ isRead }) => isRead) ? SEND_EVERY_MS : UNREAD_MS;
  }

  /** Tokens that all running requests have room for, and can take back where a text ends one of them. */
  private tokensAhead(): number {
    if (!this.room.sharesPrefixes && this.running.some(({ hasStops }) => hasStops)) return 1;
    const longest = Math.min(this.parts.contextTokens, this.room.longestTokens);
    const ahead = this.running.map(({ remaining, sequence }) =>
      Math.min(remaining, longest - sequence!.tokens.length),
    );
    const room = Math.floor(this.room.freeTokens / this.running.length);
    return Math.max(1, Math.min(...ahead, room));
  }

  /** False where the batch was not decoded; those of its requests that go on have their places as before it. */
  private decode(parts: readonly Part[]): boolean {
    this.room.makeRoom(parts.at(-1)!.entriesEnd);
    watchCancels(this.context, parts);
    if (!this.settleOutcome(parts, () => this.context.decode(parts.at(-1)!.entriesEnd))) return false;
    for (const { answering, start, end } of parts) {
      this.room.append(answering.sequence!, answering.feed, start, end);
      answering.fed = end;
    }
    return true;
  }

  /** False where these were not decoded; those that go on have their places as before. */
  private settleOutcome(parts: readonly Part[], decode: () => DecodeOutcome): boolean {
    let outcome: DecodeOutcome;
    try {
      outcome = decode();
    } catch (error) {
      for (const { answering } of parts) this.settle(answering, error);
      return false;
    }
    if (outcome === "done") return true;
    // a part of the batch may be in the context
    for (const { answering } of parts) {
      const { length } = answering.sequence!.tokens;
      if (this.room.truncate(answering.sequence!, length) < length) this.putBack(answering);
    }
    if (outcome === "full") this.relieve();
    return false;
  }

  /** llama.cpp has found no cells although there should be some. */
  private relieve(): void {
    if (this.room.cachedTokens > 0) this.room.clear();
    else if (this.running.length > 1) this.putBack(this.running.at(-1)!);
    else
      for (const answering of this.running.slice())
        this.settle(answering, new SpellError("provider", "Cannot run the model: the context is full"));
  }

  private choose(parts: readonly Part[]): void {
    for (const { answering, entriesEnd } of parts) {
      if (answering.left > 0) continue;
      this.conclude(answering, () => answering.choose(this.context, entriesEnd - 1));
    }
  }

  /** Has the next token chosen, and ends the request where that was the last one. */
  private conclude(answering: Answering, choose: () => void): void {
    try {
      choose();
      if (answering.end === undefined && this.isFull(answering)) this.shiftOrEnd(answering);
      if (answering.end !== undefined) this.settle(answering);
    } catch (error) {
      this.settle(answering, error);
    }
  }

  private isFull({ sequence }: Answering): boolean {
    return sequence!.tokens.length >= this.parts.contextTokens;
  }

  private shiftOrEnd(answering: Answering): void {
    if (answering.request.contextShift === undefined) {
      answering.finish("context");
      return;
    }
    const sequence = answering.sequence!;
    const keep = answering.keepTokens;
    const count = Math.max(1, Math.floor((sequence.tokens.length - keep) / 2));
    answering.shifted = true;
    if (this.room.shift(sequence, keep, count)) return;
    // another request holds a part of it: what remains is read anew into a sequence of its own
    const remaining = [...sequence.tokens.slice(0, keep), ...sequence.tokens.slice(keep + count)];
    this.leave(answering, false);
    answering.feedAnew([...remaining, answering.chosen.at(-1)!]);
    this.queue.unshift(answering);
  }

  /** Ends a request: with its answer, or with an error. */
  private settle(answering: Answering, error?: unknown): void {
    const at = this.queue.indexOf(answering);
    if (at >= 0) this.queue.splice(at, 1);
    this.leave(answering, answering.request.reusePrefix && !answering.shifted);
    answering.settle(error);
  }

  private leave(answering: Answering, keep: boolean): void {
    const at = this.running.indexOf(answering);
    if (at >= 0) this.running.splice(at, 1);
    if (answering.sequence !== undefined) this.room.release(answering.sequence, keep);
    answering.sequence = undefined;
  }
}
