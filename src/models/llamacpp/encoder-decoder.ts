import { SpellError } from "../../core/errors.ts";
import type { DecodeOutcome } from "../../ffi/llama/context.ts";
import { EncoderContext } from "../../ffi/llama/encoder.ts";
import { Sampler } from "../../ffi/llama/sampler.ts";
import { AnswerStream } from "./answer.ts";
import type { GenerateHooks, Generator } from "./generator.ts";
import type { ModelParts } from "./model-parts.ts";
import type { GenerateRequest, GenerateResult, ModelStats } from "./protocol.ts";
import { DEFAULT_MAX_TOKENS, samplingFor } from "./sampling.ts";
import { StopTexts } from "./stop-texts.ts";

/** Answers of a model with an encoder (T5), one at a time, in the order of the calls. */
export class EncoderDecoder implements Generator {
  private readonly context: EncoderContext;
  private last: Promise<unknown> = Promise.resolve();
  private queued = 0;
  private running = 0;
  private heldTokens = 0;

  /** @throws SpellError limit where memory does not suffice */
  constructor(private readonly parts: ModelParts) {
    const { model, contextTokens, threads } = parts;
    this.context = EncoderContext.open(model, contextTokens, threads);
  }

  generate(request: GenerateRequest, hooks: GenerateHooks): Promise<GenerateResult> {
    this.queued++;
    const result = this.last.then(async () => {
      this.queued--;
      this.running++;
      try {
        return await this.parts.turns.during(() => this.run(request, hooks));
      } finally {
        this.running--;
        this.heldTokens = 0;
      }
    });
    this.last = result.catch(() => {}); // the caller hears of it; the next one starts
    return result;
  }

  stats(): Omit<ModelStats, "path"> {
    const { queued, running, heldTokens } = this;
    const roomTokens = 2 * this.context.contextTokens; // the text, and its answer
    return { queued, running, sequences: 1, heldTokens, cachedTokens: 0, roomTokens };
  }

  dispose(): void {
    this.context.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private async run(request: GenerateRequest, hooks: GenerateHooks): Promise<GenerateResult> {
    const { context, parts } = this;
    refuseCancelled(hooks);
    if (request.contextShift !== undefined)
      throw new SpellError(
        "invalid_argument",
        "Cannot generate: a model with an encoder has no context to shift",
      );
    const prompt = parts.prompt(request.prompt);
    using chat = prompt.chat;
    refuseOverflow(prompt.tokens.length, context.contextTokens);
    if (prompt.tokens.length === 0)
      throw new SpellError("invalid_argument", "Cannot generate: the prompt has no tokens");
    const options = samplingFor(parts.sampling, request.sampling);
    const grammar = prompt.grammar === undefined ? {} : { grammar: prompt.grammar };
    // penalties look back on the answer alone: the text was not said by the decoder
    using sampler = Sampler.create(parts.model, chat, { ...options, ...grammar });

    context.abortOn(hooks.words);
    const startedMs = performance.now();
    this.heldTokens = prompt.tokens.length;
    settle(context.encode(prompt.tokens), hooks);
    const readMs = performance.now();
    const { emit = () => {} } = hooks;
    emit({ type: "prompt", promptTokens: prompt.tokens.length, cachedTokens: 0 });

    const answer = new AnswerStream(chat, emit);
    const stops = new StopTexts([...request.stops, ...(chat?.stops ?? [])]);
    const tokens: number[] = [];
    const end = await this.decode(sampler, answer, stops, tokens, request.maxTokens, hooks);
    return {
      answer: answer.end(end === "end" || end === "stop"),
      text: answer.text,
      end,
      promptTokens: prompt.tokens.length,
      cachedTokens: 0,
      tokens,
      draftedTokens: 0,
      acceptedTokens: 0,
      promptMs: readMs - startedMs,
      outputMs: performance.now() - readMs,
    };
  }

  /** Fills `tokens` with what the model chooses. */
  private async decode(
    sampler: Sampler,
    answer: AnswerStream,
    stops: StopTexts,
    tokens: number[],
    maxTokens = DEFAULT_MAX_TOKENS,
    hooks: GenerateHooks,
  ): Promise<GenerateResult["end"]> {
    const { context } = this;
    const text = this.textReader();
    const finish = (end: GenerateResult["end"]) => {
      answer.push(stops.push(text()));
      answer.push(stops.end());
      return end;
    };
    let next = context.startToken;
    while (tokens.length < maxTokens) {
      if (tokens.length === context.contextTokens) return finish("context");
      settle(context.decodeToken(next, tokens.length), hooks);
      this.heldTokens++;
      sampler.next(context, 0);
      next = sampler.token;
      tokens.push(next);
      answer.push(stops.push(text(sampler.piece)));
      if (sampler.isEnd) return finish("end");
      if (stops.stopped) return "stop";
      await this.parts.turns.pass();
    }
    return finish("limit");
  }

  /** Makes text of bytes, which may end within a character. The space that the vocabulary puts before every text goes. */
  private textReader(): (piece?: Uint8Array) => string {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let isBeginning = this.parts.model.metadata("tokenizer.ggml.add_space_prefix") !== "false";
    return (piece) => {
      const text = decoder.decode(piece, { stream: piece !== undefined });
      if (!isBeginning || text === "") return text;
      isBeginning = false;
      return text.startsWith(" ") ? text.slice(1) : text;
    };
  }
}

/** The encoder takes its text at once. */
function refuseOverflow(promptTokens: number, contextTokens: number): void {
  const overTokens = promptTokens - contextTokens;
  if (overTokens <= 0) return;
  throw new SpellError(
    "context_overflow",
    `Cannot run the model: the prompt of ${promptTokens} tokens exceeds the context of ${contextTokens} by ${overTokens}`,
    {
      data: { promptTokens, contextTokens, overTokens },
      hint: "Shorten the text, or split it",
    },
  );
}

function settle(outcome: DecodeOutcome, hooks: GenerateHooks): void {
  if (outcome === "done") return;
  refuseCancelled(hooks);
  throw new SpellError("provider", `Cannot run the model: the context is ${outcome}`);
}

function refuseCancelled({ words }: GenerateHooks): void {
  if (Atomics.load(words, 0) !== 0) throw new SpellError("interrupted", "The model call was cancelled");
}
