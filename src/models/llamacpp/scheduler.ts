import { SpellError } from "../../core/errors.ts";
import { Context } from "../../ffi/llama/context.ts";
import { Sampler } from "../../ffi/llama/sampler.ts";
import { AnswerStream } from "./answer.ts";
import type { GenerateHooks, Generator } from "./generator.ts";
import type { ModelParts, Prompt } from "./model-parts.ts";
import type { GenerateRequest, GenerateResult, ModelStats } from "./protocol.ts";
import { DEFAULT_MAX_TOKENS, samplingFor } from "./sampling.ts";
import { StopTexts } from "./stop-texts.ts";

const SEQUENCE = 0;

/** Makes the answers of one model. */
export class Scheduler implements Generator {
  readonly context: Context;
  /** Tokens whose state the context holds in sequence 0, in order. */
  held = new Int32Array(0);
  private last: Promise<unknown> = Promise.resolve();

  /** @throws SpellError limit where memory does not suffice */
  constructor(readonly parts: ModelParts) {
    const { spec, model, contextTokens, threads } = parts;
    this.context = Context.create(model, {
      contextTokens,
      batchTokens: Math.min(spec.batchTokens, contextTokens),
      ubatchTokens: spec.ubatchTokens,
      sequences: 1,
      threads,
      flashAttention: spec.flashAttention,
    });
  }

  generate(request: GenerateRequest, hooks: GenerateHooks): Promise<GenerateResult> {
    const result = this.last.then(() => this.parts.turns.during(() => generate(this, request, hooks)));
    this.last = result.catch(() => {});
    return result;
  }

  stats(): Omit<ModelStats, "path"> {
    const heldTokens = this.held.length;
    const { contextTokens } = this.context;
    return { queued: 0, running: 0, sequences: 1, heldTokens, cachedTokens: heldTokens, contextTokens };
  }

  dispose(): void {
    this.context.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * One answer, from prompt to end.
 * @throws SpellError context_overflow (nothing was decoded), invalid_argument, interrupted, provider
 */
async function generate(
  loaded: Scheduler,
  request: GenerateRequest,
  hooks: GenerateHooks,
): Promise<GenerateResult> {
  const prompt = loaded.parts.prompt(request.prompt);
  using chat = prompt.chat;
  refuseOverflow(prompt.tokens.length, loaded.context.contextTokens);
  if (prompt.tokens.length === 0)
    throw new SpellError("invalid_argument", "Cannot generate: the prompt has no tokens");

  const options = samplingFor(loaded.parts.sampling, request.sampling);
  const grammar = prompt.grammar === undefined ? {} : { grammar: prompt.grammar };
  using sampler = Sampler.create(loaded.parts.model, chat, { ...options, ...grammar });
  sampler.seen(prompt.tokens.slice(-Math.max(0, options.repeatLastN)));

  const run = new Run(loaded, sampler, hooks);
  const startedMs = performance.now();
  const cachedTokens = await run.readPrompt(prompt, request.reusePrefix);
  const readMs = performance.now();
  hooks.emit({ type: "prompt", promptTokens: prompt.tokens.length, cachedTokens });

  const answer = new AnswerStream(chat, hooks.emit);
  const stops = new StopTexts([...request.stops, ...(chat?.stops ?? [])]);
  const end = await run.answer(answer, stops, request.maxTokens ?? DEFAULT_MAX_TOKENS);
  return {
    answer: answer.end(end === "end" || end === "stop"),
    text: answer.text,
    end,
    promptTokens: prompt.tokens.length,
    cachedTokens,
    tokens: run.chosen,
    promptMs: readMs - startedMs,
    outputMs: performance.now() - readMs,
  };
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

class Run {
  readonly chosen: number[] = [];
  private position = 0;
  /** The batch entry whose logits give the next token. */
  private outputIndex = 0;
  /** Tokens of the answer that the context holds. */
  private decoded: number[] = [];

  constructor(
    private readonly loaded: Scheduler,
    private readonly sampler: Sampler,
    private readonly hooks: GenerateHooks,
  ) {
    loaded.context.abortOn(hooks.words);
  }

  /** Decodes the prompt, chunk by chunk. Returns how many tokens the context still held from before. */
  async readPrompt({ tokens }: Prompt, reuse: boolean): Promise<number> {
    const { context } = this.loaded;
    let cached = reuse ? commonLength(this.loaded.held, tokens) : 0;
    cached = Math.min(cached, tokens.length - 1); // the last token's logits are needed
    if (!context.forget(SEQUENCE, cached)) cached = 0;
    this.loaded.held = tokens.slice(0, cached);
    this.position = cached;

    for (let start = cached; start < tokens.length; start += context.batchTokens) {
      const chunk = tokens.subarray(start, start + context.batchTokens);
      const isLast = start + chunk.length === tokens.length;
      context.tokens.set(chunk);
      for (let i = 0; i < chunk.length; i++) context.positions[i] = start + i;
      context.sequences.fill(SEQUENCE, 0, chunk.length);
      context.outputs.fill(0, 0, chunk.length);
      if (isLast) context.outputs[chunk.length - 1] = 1;
      this.decode(chunk.length);
      this.position = start + chunk.length;
      this.loaded.held = tokens.slice(0, this.position);
      this.outputIndex = chunk.length - 1;
      await this.loaded.parts.turns.pass();
    }
    return cached;
  }

  async answer(answer: AnswerStream, stops: StopTexts, maxTokens: number): Promise<GenerateResult["end"]> {
    const { context } = this.loaded;
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const finish = () => {
      answer.push(stops.push(decoder.decode()));
      answer.push(stops.end());
    };
    try {
      context.sequences[0] = SEQUENCE;
      context.outputs[0] = 1;
      while (this.chosen.length < maxTokens) {
        this.sampler.next(context, this.outputIndex);
        this.chosen.push(this.sampler.token);
        answer.push(stops.push(decoder.decode(this.sampler.piece, { stream: true })));
        if (this.sampler.isEnd) {
          finish();
          return "end";
        }
        if (stops.stopped) return "stop";
        if (this.chosen.length === maxTokens) break;
        if (this.position === context.contextTokens) {
          finish();
          return "context";
        }
        context.tokens[0] = this.sampler.token;
        context.positions[0] = this.position;
        this.decode(1);
        this.decoded.push(this.sampler.token);
        this.position++;
        this.outputIndex = 0;
        await this.loaded.parts.turns.pass();
      }
      finish();
      return "limit";
    } finally {
      this.loaded.held = concat(this.loaded.held, this.decoded);
    }
  }

  private decode(count: number): void {
    this.refuseCancelled();
    const outcome = this.loaded.context.decode(count);
    if (outcome === "done") return;
    // a part of the batch may be in the context: forget from where it began
    if (!this.loaded.context.forget(SEQUENCE, this.position)) {
      this.loaded.held = new Int32Array(0);
      this.decoded = [];
    }
    this.refuseCancelled();
    throw new SpellError("provider", `Cannot run the model: the context is ${outcome}`, {
      data: { position: this.position, count },
    });
  }

  private refuseCancelled(): void {
    if (Atomics.load(this.hooks.words, 0) !== 0)
      throw new SpellError("interrupted", "The model call was cancelled");
  }
}

function commonLength(a: Int32Array, b: Int32Array): number {
  const most = Math.min(a.length, b.length);
  let n = 0;
  while (n < most && a[n] === b[n]) n++;
  return n;
}

function concat(a: Int32Array, b: readonly number[]): Int32Array<ArrayBuffer> {
  const both = new Int32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
