/** Counts calls of models for whom they are made, within what these may spend. */
import type {
  EmbeddingModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  RerankingModelV4,
  SharedV4ProviderMetadata,
} from "@ai-sdk/provider";
import { steadyMs } from "../../core/clock.ts";
import {
  addUsage,
  type CallTokens,
  callFacts,
  failureFacts,
  retriesBefore,
  tokensOf,
  withFacts,
} from "../call-facts.ts";
import type { SpellModel } from "../service.ts";
import { around } from "./around.ts";
import { bytesEstimate, DEFAULT_ANSWER_TOKENS, promptBound, promptEstimate, textsBound } from "./bounds.ts";
import { type Reservation, reserve } from "./budget.ts";
import { currentPayers, type Payer } from "./payer.ts";
import { costOf, type KnownPrice } from "./prices.ts";
import { boundAnswer } from "./request.ts";
import { type CallRecord, roundMs } from "./usage.ts";

/** Of a model, what is not in it. */
export interface Account {
  /** Key of the provider. */
  provider: string;
  model: string;
  /** @param of the model that answered, where another one did */
  price: (of?: { provider: string; model: string }) => KnownPrice;
  /** Longest answer of calls that name none, where the provider is set so. */
  maxTokens: () => number | undefined;
}

/** The most that a call costs: null where nothing is paid, undefined where nobody knows. */
export function costBound(
  account: Account,
  promptTokens: number,
  completionTokens: number | undefined,
): number | undefined | null {
  const price = account.price();
  if (price === "free") return null;
  if (completionTokens === undefined) return undefined;
  return costOf(price, { promptTokens, completionTokens, cachedTokens: 0 });
}

const NO_TOKENS: CallTokens = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 };

/** The same model, its calls counted where somebody pays for them; the last part of an answer then tells its cost. */
export function accounted(model: SpellModel, account: Account): SpellModel {
  const begin = async (options: LanguageModelV4CallOptions, payers: readonly Payer[]) => {
    const bounded = await withinBudgets(model, options, payers, account);
    const prompt = () => promptEstimate(options);
    return { options: bounded.options, call: new OpenCall("chat", account, payers, bounded, prompt) };
  };
  return around(model, {
    async doGenerate(given): Promise<LanguageModelV4GenerateResult> {
      const payers = currentPayers();
      if (payers.length === 0) return model.doGenerate(given);
      const { options, call } = await begin(given, payers);
      try {
        const result = await model.doGenerate(options);
        const providerMetadata = call.end(tokensOf(result.usage), result.providerMetadata);
        return { ...result, ...(providerMetadata === undefined ? {} : { providerMetadata }) };
      } catch (error) {
        throw call.giveUp(options.abortSignal?.aborted ? "cancelled" : "failed", error);
      }
    },
    async doStream(given) {
      const payers = currentPayers();
      if (payers.length === 0) return model.doStream(given);
      const { options, call } = await begin(given, payers);
      try {
        const result = await model.doStream(options);
        return { ...result, stream: watched(result.stream, call) };
      } catch (error) {
        throw call.giveUp(options.abortSignal?.aborted ? "cancelled" : "failed", error);
      }
    },
  });
}

export function accountedEmbedding(model: EmbeddingModelV4, account: Account): EmbeddingModelV4 {
  return Object.assign(Object.create(model) as EmbeddingModelV4, {
    doEmbed: (options: Parameters<EmbeddingModelV4["doEmbed"]>[0]) =>
      whole("embeddings", account, textsBound(options.values), async () => {
        const result = await model.doEmbed(options);
        return { result, tokens: result.usage?.tokens ?? 0, metadata: result.providerMetadata };
      }),
  });
}

export function accountedReranking(model: RerankingModelV4, account: Account): RerankingModelV4 {
  return Object.assign(Object.create(model) as RerankingModelV4, {
    doRerank: (options: Parameters<RerankingModelV4["doRerank"]>[0]) => {
      const { documents, query } = options;
      const texts =
        documents.type === "text" ? documents.values : documents.values.map((o) => JSON.stringify(o));
      const bound = textsBound(texts) + texts.length * textsBound([query]);
      return whole("rerank", account, bound, async () => ({
        result: await model.doRerank(options),
        tokens: 0,
      }));
    },
  });
}

/** A call whose answer comes in one piece. */
async function whole<T>(
  kind: CallRecord["kind"],
  account: Account,
  bound: number,
  work: () => Promise<{ result: T; tokens: number; metadata?: SharedV4ProviderMetadata | undefined }>,
): Promise<T> {
  const payers = currentPayers();
  const taken = take(account, payers, bound, 0);
  const call = new OpenCall(kind, account, payers, taken, () => bytesEstimate(bound));
  try {
    const { result, tokens, metadata } = await work();
    call.end({ ...NO_TOKENS, promptTokens: tokens }, metadata);
    return result;
  } catch (error) {
    throw call.giveUp("failed", error);
  }
}

interface Taken {
  reservation: Reservation;
  /** What was reserved: an estimate is no more. Undefined where no budget bounds the size of calls. */
  most: { promptTokens: number; completionTokens: number } | undefined;
}

/** Reserves what the call may take; a call without a longest answer gets one that the budgets allow. */
async function withinBudgets(
  model: SpellModel,
  options: LanguageModelV4CallOptions,
  payers: readonly Payer[],
  account: Account,
): Promise<Taken & { options: LanguageModelV4CallOptions }> {
  const budgets = payers.flatMap((payer) => payer.budget ?? []);
  if (!budgets.some((budget) => budget.boundsSize)) return { options, ...take(account, payers) };
  const prompt = await promptBound(model, options);
  const asked = options.maxOutputTokens;
  const usual = account.maxTokens() ?? DEFAULT_ANSWER_TOKENS;
  const longest = asked ?? defaultAnswer(budgets, prompt, usual, account.price());
  const taken = take(account, payers, prompt, longest);
  return { options: asked === undefined ? boundAnswer(options, longest) : options, ...taken };
}

/** What the budgets leave for an answer, and no more than `usual`; one token where they leave none, to be refused. */
function defaultAnswer(
  budgets: readonly { tokensLeft: number | undefined; costLeftUsd: number | undefined }[],
  prompt: number,
  usual: number,
  price: KnownPrice,
): number {
  let most = usual;
  for (const { tokensLeft, costLeftUsd } of budgets) {
    if (tokensLeft !== undefined) most = Math.min(most, tokensLeft - prompt);
    if (costLeftUsd === undefined || price === undefined || price === "free" || price.output === 0) continue;
    most = Math.min(most, Math.floor((costLeftUsd * 1e6 - prompt * price.input) / price.output));
  }
  return Math.max(1, most);
}

function take(account: Account, payers: readonly Payer[], prompt?: number, longest = 0): Taken {
  const price = account.price();
  const tokens = { promptTokens: prompt ?? 0, completionTokens: longest, cachedTokens: 0 };
  const costUsd = price === "free" ? 0 : costOf(price, tokens);
  const budgets = payers.flatMap((payer) => payer.budget ?? []);
  const need = { model: `${account.provider}/${account.model}`, tokens: (prompt ?? 0) + longest, costUsd };
  try {
    return { reservation: reserve(budgets, need), most: prompt === undefined ? undefined : tokens };
  } catch (error) {
    record(payers, { ...emptyRecord("chat", account), outcome: "refused" });
    throw error;
  }
}

const emptyRecord = (kind: CallRecord["kind"], { provider, model }: Account): CallRecord => ({
  kind,
  provider,
  model,
  outcome: "failed",
  ...NO_TOKENS,
  isEstimated: false,
  isUnpriced: false,
  retries: 0,
  durationMs: 0,
});

function record(payers: readonly Payer[], call: CallRecord): void {
  for (const payer of payers) payer.add(call, payers);
}

/** A call that has been allowed and has not ended. */
class OpenCall {
  private readonly startMs = steadyMs();
  private firstMs: number | undefined;
  /** Of the answer so far. */
  private receivedBytes = 0;
  private retries = 0;
  private isOpen = true;

  constructor(
    private readonly kind: CallRecord["kind"],
    private readonly account: Account,
    private readonly payers: readonly Payer[],
    private readonly taken: Taken,
    /** About how many tokens its prompt has. */
    private readonly promptTokens: () => number,
  ) {}

  /** Takes note of what a part says. */
  note(part: LanguageModelV4StreamPart): void {
    this.retries += retriesBefore(part);
    const said = pieceOf(part);
    if (said === undefined) return;
    this.firstMs ??= steadyMs() - this.startMs;
    this.receivedBytes += Buffer.byteLength(said);
  }

  /** @returns the metadata, with the cost where it is known and the time until the first piece */
  end(
    tokens: CallTokens,
    metadata: SharedV4ProviderMetadata | undefined,
  ): SharedV4ProviderMetadata | undefined {
    const { cached = false, retries = 0, answeredBy } = callFacts(metadata);
    const costUsd = this.close({ outcome: cached ? "cached" : "ok", ...tokens, retries, ...answeredBy });
    const facts = {
      ...(costUsd === undefined ? {} : { costUsd }),
      ...(this.firstMs === undefined ? {} : { firstTokenMs: roundMs(this.firstMs) }),
    };
    return Object.keys(facts).length === 0 ? metadata : withFacts(metadata, facts);
  }

  /**
   * Ended without an answer. What its provider counted counts; where it counted nothing, what may have been used is
   * estimated: the prompt, unless the request was refused or never came there, and as much of the answer as came.
   * @returns the failure, which tells what the call took
   */
  giveUp(outcome: "failed" | "cancelled", error?: unknown): unknown {
    const { retries, counted, hadRequest } = failureFacts(error);
    const isCharged = this.firstMs !== undefined || outcome === "cancelled" || hadRequest;
    const tokens = counted ?? (isCharged ? this.estimate() : NO_TOKENS);
    const costUsd = this.close({
      outcome,
      ...tokens,
      isEstimated: isCharged && counted === undefined,
      retries: Math.max(retries, this.retries),
    });
    return tokens === NO_TOKENS ? error : addUsage(error, tokens, costUsd);
  }

  private estimate(): CallTokens {
    const { promptTokens: prompt, completionTokens: longest } = this.taken.most ?? NO_BOUND;
    return {
      promptTokens: Math.min(prompt, this.promptTokens()),
      completionTokens: Math.min(longest, bytesEstimate(this.receivedBytes)),
      cachedTokens: 0,
    };
  }

  /** Counts the call and charges it. @returns its cost, where that is known */
  private close(
    what: Pick<CallRecord, "outcome" | "retries" | keyof CallTokens> &
      Partial<Pick<CallRecord, "provider" | "model" | "isEstimated">>,
  ): number | undefined {
    if (!this.isOpen) return undefined;
    this.isOpen = false;
    const { provider = this.account.provider, model = this.account.model } = what;
    const tokens = what.outcome === "cached" ? 0 : what.promptTokens + what.completionTokens;
    const isPaid = what.outcome === "ok" || tokens > 0;
    const price = this.account.price({ provider, model });
    const costUsd = isPaid ? costOf(price, what) : undefined;
    record(this.payers, {
      ...emptyRecord(this.kind, this.account),
      ...what,
      ...(costUsd === undefined ? {} : { costUsd }),
      isUnpriced: isPaid && price === undefined,
      ...(this.firstMs === undefined ? {} : { firstMs: this.firstMs }),
      durationMs: steadyMs() - this.startMs,
    });
    this.taken.reservation.settle({ tokens, costUsd: costUsd ?? 0 });
    return costUsd;
  }
}

const NO_BOUND = { promptTokens: Number.POSITIVE_INFINITY, completionTokens: Number.POSITIVE_INFINITY };

/** What a part says; undefined for one that says nothing. */
function pieceOf(part: LanguageModelV4StreamPart): string | undefined {
  switch (part.type) {
    case "text-delta":
    case "reasoning-delta":
    case "tool-input-delta":
      return part.delta === "" ? undefined : part.delta;
    // its input came in pieces already, or comes with it
    case "tool-call":
      return "";
    default:
      return undefined;
  }
}

function watched(
  stream: ReadableStream<LanguageModelV4StreamPart>,
  call: OpenCall,
): ReadableStream<LanguageModelV4StreamPart> {
  const reader = stream.getReader();
  return new ReadableStream<LanguageModelV4StreamPart>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            call.giveUp("failed");
            controller.close();
            return;
          }
          call.note(value);
          if (value.type === "error") {
            controller.enqueue({ ...value, error: call.giveUp("failed", value.error) });
            return;
          }
          if (value.type !== "finish") {
            controller.enqueue(value);
            return;
          }
          const providerMetadata = call.end(tokensOf(value.usage), value.providerMetadata);
          controller.enqueue(providerMetadata === undefined ? value : { ...value, providerMetadata });
        } catch (error) {
          controller.error(call.giveUp("failed", error));
        }
      },
      async cancel(reason) {
        call.giveUp("cancelled");
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
