import { SpellError } from "../../core/errors.ts";
import type { Context } from "../../ffi/llama/context.ts";
import { Sampler } from "../../ffi/llama/sampler.ts";
import type { Chosen, Drafts } from "../../ffi/llama/steps.ts";
import { AnswerStream } from "./answer.ts";
import type { GenerateHooks } from "./generator.ts";
import type { ModelParts, Prompt } from "./model-parts.ts";
import type { GenerateRequest, GenerateResult } from "./protocol.ts";
import { DEFAULT_MAX_TOKENS, DEFAULT_SPECULATIVE_TOKENS, samplingFor } from "./sampling.ts";
import type { Sequence } from "./sequence-room.ts";
import { StopTexts } from "./stop-texts.ts";

/** One request on its way: what is still to be decoded, and what was answered so far. */
export class Answering {
  readonly chosen: number[] = [];
  /** Tokens that the sequence is to hold next, from `fed` on not yet decoded. */
  feed: ArrayLike<number> = [];
  fed = 0;
  /** Undefined while it waits. */
  sequence: Sequence | undefined;
  /** Whether the sequence was shifted: it no longer is what its tokens say. */
  shifted = false;
  end: GenerateResult["end"] | undefined;

  private prompt: Prompt | undefined;
  private sampler: Sampler | undefined;
  private answer: AnswerStream | undefined;
  private stops = new StopTexts([]);
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  private readonly drafts: Drafts = { drafted: 0, accepted: 0 };
  private cachedTokens: number | undefined;
  private startedMs = 0;
  private readMs: number | undefined;
  private readonly result = Promise.withResolvers<GenerateResult>();

  constructor(
    private readonly parts: ModelParts,
    readonly request: GenerateRequest,
    private readonly hooks: GenerateHooks,
  ) {}

  get answered(): Promise<GenerateResult> {
    return this.result.promise;
  }

  get words(): Int32Array {
    return this.hooks.words;
  }

  get isCancelled(): boolean {
    return Atomics.load(this.hooks.words, 0) !== 0;
  }

  /** Tokens that are still to be decoded before the next one can be chosen. */
  get left(): number {
    return this.feed.length - this.fed;
  }

  get maxTokens(): number {
    return this.request.maxTokens ?? DEFAULT_MAX_TOKENS;
  }

  /** Renders and tokenizes the prompt, once. @throws SpellError context_overflow, invalid_argument, model_invalid */
  prepare(canShift: boolean): void {
    if (this.prompt !== undefined) return;
    if (this.request.contextShift !== undefined && !canShift)
      throw new SpellError(
        "invalid_argument",
        `Cannot shift the context: the model's memory cannot forget a part: ${this.parts.spec.path}`,
        { hint: "Leave out context_shift" },
      );
    this.prompt = this.parts.prompt(this.request.prompt);
    const { tokens } = this.prompt;
    refuseOverflow(tokens.length, this.parts.contextTokens);
    if (tokens.length === 0)
      throw new SpellError("invalid_argument", "Cannot generate: the prompt has no tokens");
    this.feed = tokens;
  }

  /** Gives it a place in the context. `sequence` holds the first tokens of `feed`. */
  begin(sequence: Sequence): void {
    this.sequence = sequence;
    this.fed = sequence.tokens.length;
    if (this.sampler !== undefined) return; // it ran before
    this.startedMs = performance.now();
    this.cachedTokens = this.fed;
    const { tokens, chat, grammar } = this.prompt!;
    const options = samplingFor(this.parts.sampling, this.request.sampling);
    this.sampler = Sampler.create(this.parts.model, chat, {
      ...options,
      ...(grammar === undefined ? {} : { grammar }),
    });
    this.sampler.seen(tokens.slice(-Math.max(0, options.repeatLastN)));
    const { speculativeTokens = DEFAULT_SPECULATIVE_TOKENS, prediction = "" } = this.request;
    const { model } = this.parts;
    if (speculativeTokens > 0 && model.forgetsParts)
      this.sampler.draftFrom(model.tokenize(prediction, false, false), tokens, speculativeTokens);
    this.answer = new AnswerStream(chat, this.hooks.emit);
    this.stops = new StopTexts([...this.request.stops, ...(chat?.stops ?? [])]);
  }

  /** What its next place is to be filled with, when this one is taken away. */
  get contents(): number[] {
    if (!this.shifted) return [...this.prompt!.tokens, ...this.chosen];
    return [...this.sequence!.tokens, ...Array.from(this.feed).slice(this.fed)];
  }

  feedAnew(tokens: number[]): void {
    this.sequence = undefined;
    this.feed = tokens;
    this.fed = 0;
  }

  /** What chooses its tokens, from its beginning on. */
  get chooser(): Sampler {
    return this.sampler!;
  }

  /** Tokens that may still be chosen. */
  get remaining(): number {
    return this.maxTokens - this.chosen.length;
  }

  /** Whether its text may end it, at a token that is not known before its text is read. */
  get hasStops(): boolean {
    return this.stops.isActive;
  }

  /** Whether its first token was chosen. */
  get isBegun(): boolean {
    return this.chosen.length > 0;
  }

  /** Whether somebody reads its text while it is made. */
  get isRead(): boolean {
    return this.hooks.emit !== undefined;
  }

  /** Chooses the next token from the logits of a batch entry, and sets `end` where it was the last one. */
  choose(context: Context, index: number): void {
    if (this.remaining <= 0) {
      if (this.readMs === undefined) this.promptWasRead();
      this.finish("limit");
      return;
    }
    this.chooser.next(context, index);
    const { token, isEnd, piece } = this.chooser;
    this.take([token], isEnd, piece);
  }

  /** Takes note of tokens that were chosen one after the other, up to a stop text. Returns how many these are. */
  takeAll({ tokens, isEnd, bytes, ends }: Chosen): number {
    if (!this.stops.isActive) {
      this.take(tokens, isEnd, bytes);
      return tokens.length;
    }
    for (const [i, token] of tokens.entries()) {
      this.take([token], isEnd && i === tokens.length - 1, bytes.subarray(ends[i - 1] ?? 0, ends[i]));
      if (this.end !== undefined) return i + 1;
    }
    return tokens.length;
  }

  noteDrafts({ drafted, accepted }: Drafts): void {
    this.drafts.drafted += drafted;
    this.drafts.accepted += accepted;
  }

  private take(tokens: readonly number[], isEnd: boolean, bytes: Uint8Array): void {
    if (tokens.length === 0) return;
    if (this.readMs === undefined) this.promptWasRead();
    for (const token of tokens) this.chosen.push(token);
    this.feed = tokens.slice(-1);
    this.fed = 0;
    this.answer!.push(this.stops.push(this.decoder.decode(bytes, { stream: true })));
    if (isEnd) this.finish("end");
    else if (this.stops.stopped) this.end = "stop";
    else if (this.remaining <= 0) this.finish("limit");
  }

  /** Ends the answer with all the text that was held back. */
  finish(end: GenerateResult["end"]): void {
    this.answer!.push(this.stops.push(this.decoder.decode()));
    this.answer!.push(this.stops.end());
    this.end = end;
  }

  /** Tells the caller the answer, or why there is none, and frees what is native. */
  settle(error?: unknown): void {
    try {
      if (error !== undefined) this.result.reject(error);
      else this.result.resolve(this.makeResult());
    } catch (failure) {
      this.result.reject(failure);
    } finally {
      this.sampler?.dispose();
      this.prompt?.chat?.dispose();
    }
  }

  /** How many of the first tokens a shift keeps. */
  get keepTokens(): number {
    const half = Math.floor(this.parts.contextTokens / 2);
    const keep = this.request.contextShift?.keepTokens ?? this.prompt!.tokens.length;
    return Math.max(0, Math.min(keep, half));
  }

  private promptWasRead(): void {
    this.readMs = performance.now();
    this.hooks.emit?.({
      type: "prompt",
      promptTokens: this.prompt!.tokens.length,
      cachedTokens: this.cachedTokens!,
    });
  }

  private makeResult(): GenerateResult {
    const answer = this.answer!;
    const readMs = this.readMs!;
    return {
      answer: answer.end(this.end === "end" || this.end === "stop"),
      text: answer.text,
      end: this.end!,
      promptTokens: this.prompt!.tokens.length,
      cachedTokens: this.cachedTokens!,
      tokens: this.chosen,
      draftedTokens: this.drafts.drafted,
      acceptedTokens: this.drafts.accepted,
      promptMs: readMs - this.startedMs,
      outputMs: performance.now() - readMs,
    };
  }
}

/** An answer needs room for one token at least. */
export function refuseOverflow(promptTokens: number, contextTokens: number): void {
  const overTokens = promptTokens + 1 - contextTokens;
  if (overTokens <= 0) return;
  throw new SpellError(
    "context_overflow",
    `Cannot run the model: the prompt of ${promptTokens} tokens exceeds the context of ${contextTokens} by ${overTokens}`,
    {
      data: { promptTokens, contextTokens, overTokens },
      hint: "Shorten the conversation or the tool list, or raise context_size",
    },
  );
}
