import { ptr } from "bun:ffi";
import type { Context, DecodeOutcome } from "./context.ts";
import { PIECE_BYTES, type Sampler } from "./sampler.ts";

/** A run ends when so many tokens of a request were chosen. */
const ENOUGH_TOKENS = 256;
const CHOICE_WORDS = 3;
const RUN_WORDS = 19;

/** A token that was chosen, its text in UTF-8, perhaps a part of a character. */
export interface Choice {
  token: number;
  /** It ends the answer. */
  isEnd: boolean;
  piece: Uint8Array;
}

/** What was chosen for one request in the steps of a run. */
export interface Chosen {
  tokens: number[];
  /** The last one ends the answer. */
  isEnd: boolean;
  /** Its sampler failed after these. */
  isFailed: boolean;
  /** Their texts, one behind the other; valid until the next run. */
  bytes: Uint8Array;
  /** Where each text ends in `bytes`. */
  ends: number[];
}

/** Tokens that were decoded beside the next one because they would probably follow, and those of them that did. */
export interface Drafts {
  drafted: number;
  accepted: number;
}

export interface StepLimits {
  /** Most for each request. */
  tokens: number;
  /** No step but the first begins later. */
  timeMs: number;
  /** The run ends when this word is no longer `count`. */
  messages: { word: Int32Array; count: number } | undefined;
}

/**
 * Steps of requests that all generate, one after another in native code (`native/steps_shim.cpp`): each decodes a token for
 * every request and chooses the next; a request that is alone may get several. Owns the arrays that native code writes to.
 */
export class Steps {
  private readonly run = new BigUint64Array(new ArrayBuffer(8 * RUN_WORDS));
  private readonly samplers: BigUint64Array;
  private readonly choices: Int32Array;
  private readonly pieces: Uint8Array;
  private readonly status = new Int32Array(new ArrayBuffer(4));

  /**
   * @param requests most of one run
   * @param drafted most tokens that a step decodes beside the next one
   */
  constructor(
    private readonly context: Context,
    requests: number,
    drafted: number,
  ) {
    this.samplers = new BigUint64Array(new ArrayBuffer(8 * requests));
    this.choices = new Int32Array(new ArrayBuffer(4 * CHOICE_WORDS * (requests * ENOUGH_TOKENS + drafted)));
    this.pieces = new Uint8Array(new ArrayBuffer((requests + drafted) * PIECE_BYTES));
  }

  /**
   * Decodes the first entries of the context's batch arrays, one for each sampler, and goes on with what these choose.
   * `chosen[i]` is for entry `i`, `tokens` says how many were chosen for each. `failure` is how the decode after these ended,
   * where one was tried and did not succeed.
   */
  generate(
    samplers: readonly Sampler[],
    limits: StepLimits,
  ): { tokens: number; chosen: Chosen[]; drafts: Drafts; failure: () => DecodeOutcome } {
    const { addresses, library } = this.context;
    for (const [i, { pointer }] of samplers.entries()) this.samplers[i] = BigInt(pointer);
    const { messages } = limits;
    const words = [
      this.context.pointer,
      addresses.batch,
      addresses.tokens,
      addresses.positions,
      addresses.sequences,
      addresses.outputs,
      this.context.batchTokens,
      ptr(this.samplers),
      ptr(this.choices),
      ptr(this.pieces),
      this.pieces.length,
      PIECE_BYTES,
      addresses.abortList,
      messages === undefined ? 0 : ptr(messages.word),
      messages?.count ?? 0,
      Math.round(limits.timeMs * 1000),
      ENOUGH_TOKENS,
      0,
      0,
    ];
    for (const [i, word] of words.entries()) this.run[i] = BigInt(word);
    this.status[0] = 0;
    const tokens = library.fn.spell_generate(ptr(this.run), samplers.length, limits.tokens, ptr(this.status));
    const status = this.status[0];
    const [drafted, accepted] = this.run.subarray(words.length - 2);
    return {
      tokens,
      chosen: this.read(tokens, samplers.length),
      drafts: { drafted: Number(drafted), accepted: Number(accepted) },
      failure: () => this.context.outcome(status),
    };
  }

  /** Native code writes step by step; the texts of several requests lie between each other. */
  private read(steps: number, requests: number): Chosen[] {
    const { choices, pieces } = this;
    const all: Chosen[] = [];
    for (let i = 0; i < requests; i++) {
      let size = 0;
      for (let step = 0; step < steps; step++) size += choices[CHOICE_WORDS * (step * requests + i) + 2]!;
      const bytes = requests === 1 ? pieces.subarray(0, size) : new Uint8Array(size);
      all.push({ tokens: [], isEnd: false, isFailed: false, bytes, ends: [] });
    }
    let from = 0;
    for (let word = 0, end = CHOICE_WORDS * steps * requests; word < end; word += CHOICE_WORDS) {
      const one = all[(word / CHOICE_WORDS) % requests]!;
      const to = from + choices[word + 2]!;
      const at = one.ends.at(-1) ?? 0;
      if (requests > 1) one.bytes.set(pieces.subarray(from, to), at);
      if (choices[word]! < 0) one.isFailed = true;
      else {
        one.tokens.push(choices[word]!);
        one.ends.push(at + to - from);
        one.isEnd = choices[word + 1] !== 0;
      }
      from = to;
    }
    return all;
  }
}
