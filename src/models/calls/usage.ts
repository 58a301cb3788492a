/** What calls of models came to, added up. */

export type CallOutcome =
  | "ok"
  /** Answered from the cache: nobody was asked. */
  | "cached"
  | "failed"
  /** Given up before its end. */
  | "cancelled"
  /** A budget did not allow it: nobody was asked. */
  | "refused";

/** One call that has ended. */
export interface CallRecord {
  kind: "chat" | "embeddings" | "rerank";
  /** Key of the provider. */
  provider: string;
  model: string;
  outcome: CallOutcome;
  promptTokens: number;
  completionTokens: number;
  cachedTokens: number;
  /** Nobody counted the tokens: the call gave no whole answer. */
  isEstimated: boolean;
  /** USD; absent where the price is unknown or nothing is paid. */
  costUsd?: number;
  /** Tokens were paid for, and nobody knows how much. */
  isUnpriced: boolean;
  retries: number;
  /** Until the first piece of the answer. */
  firstMs?: number;
  durationMs: number;
}

export class Usage {
  calls = 0;
  failed = 0;
  cached = 0;
  refused = 0;
  retries = 0;
  promptTokens = 0;
  completionTokens = 0;
  cachedTokens = 0;
  costUsd: number | undefined;
  /** Calls whose tokens are estimated. */
  estimated = 0;
  /** Calls whose price is unknown. */
  unpriced = 0;
  durationMs = 0;
  private firstMs = 0;
  private firsts = 0;

  add(call: CallRecord): void {
    if (call.outcome === "refused") {
      this.refused++;
      return;
    }
    this.calls++;
    this.retries += call.retries;
    this.durationMs += call.durationMs;
    if (call.firstMs !== undefined) {
      this.firstMs += call.firstMs;
      this.firsts++;
    }
    if (call.outcome === "failed" || call.outcome === "cancelled") this.failed++;
    if (call.outcome === "cached") {
      this.cached++;
      return;
    }
    this.promptTokens += call.promptTokens;
    this.completionTokens += call.completionTokens;
    this.cachedTokens += call.cachedTokens;
    if (call.isEstimated) this.estimated++;
    if (call.isUnpriced) this.unpriced++;
    if (call.costUsd !== undefined) this.costUsd = (this.costUsd ?? 0) + call.costUsd;
  }

  /** Mean time until the first piece of an answer; undefined where none came. */
  get meanFirstMs(): number | undefined {
    return this.firsts === 0 ? undefined : this.firstMs / this.firsts;
  }

  /** Under the names of documents. `cost_usd` is the sum of what has a known price. */
  figures(): UsageFigures {
    const first = this.meanFirstMs;
    return {
      calls: this.calls,
      failed: this.failed,
      refused: this.refused,
      cached: this.cached,
      retries: this.retries,
      prompt_tokens: this.promptTokens,
      completion_tokens: this.completionTokens,
      cached_tokens: this.cachedTokens,
      total_tokens: this.promptTokens + this.completionTokens,
      ...(this.costUsd === undefined ? {} : { cost_usd: roundUsd(this.costUsd) }),
      estimated_calls: this.estimated,
      unpriced_calls: this.unpriced,
      duration_ms: roundMs(this.durationMs),
      ...(first === undefined ? {} : { first_token_ms: roundMs(first) }),
    };
  }
}

export interface UsageFigures {
  calls: number;
  failed: number;
  refused: number;
  cached: number;
  retries: number;
  prompt_tokens: number;
  completion_tokens: number;
  cached_tokens: number;
  total_tokens: number;
  cost_usd?: number;
  estimated_calls: number;
  unpriced_calls: number;
  duration_ms: number;
  first_token_ms?: number;
}

export const roundMs = (ms: number): number => Math.round(ms * 10) / 10;
/** To a thousandth of a cent's thousandth: sums of prices a token have no more to say. */
const roundUsd = (usd: number): number => Math.round(usd * 1e9) / 1e9;
