import { allocateContext, Context, type DecodeOutcome } from "./context.ts";
import type { Address } from "./handle.ts";
import type { Model } from "./model.ts";

const SEQUENCE = 0;

/** A context of a model with an encoder: one text is encoded at a time, and one answer to it decoded. */
export class EncoderContext extends Context {
  /** The token that an answer begins with. */
  readonly startToken: number;

  /**
   * @param contextTokens of the text, and as many of its answer
   * @throws SpellError limit where memory does not suffice
   */
  static open(model: Model, contextTokens: number, threads: number): EncoderContext {
    const pointer = allocateContext(model, contextTokens, () =>
      model.library.fn.spell_encoder_context_new(model.pointer, contextTokens, threads),
    );
    return new EncoderContext(model, pointer, contextTokens, threads);
  }

  private constructor(model: Model, pointer: Address, contextTokens: number, threads: number) {
    super(model, pointer, {
      contextTokens,
      batchTokens: contextTokens,
      sequences: 1,
      threads,
      flashAttention: false,
    });
    this.startToken = model.library.fn.llama_model_decoder_start_token(model.pointer);
  }

  /** Encodes a text of at most `contextTokens`; the answer before it is forgotten. */
  encode(tokens: Int32Array): DecodeOutcome {
    this.forget(SEQUENCE, 0);
    this.tokens.set(tokens);
    for (let i = 0; i < tokens.length; i++) this.positions[i] = i;
    this.sequences.fill(SEQUENCE, 0, tokens.length);
    this.outputs.fill(1, 0, tokens.length);
    return this.process("spell_batch_encode", tokens.length);
  }

  /** Decodes one token of the answer; the next one is chosen from batch entry 0. */
  decodeToken(token: number, position: number): DecodeOutcome {
    this.tokens[0] = token;
    this.positions[0] = position;
    this.sequences[0] = SEQUENCE;
    this.outputs[0] = 1;
    return this.decode(1);
  }
}
