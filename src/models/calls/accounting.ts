/** Counts calls of models for whom they are made, within what these may spend. */
import type {
  EmbeddingModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  RerankingModelV4,
  SharedV4ProviderMetadata,
} from "@ai-sdk/provider";
import { steadyMs } from "../../core/clock.ts";
import { isPlainObject } from "../../core/values.ts";
import type { SpellModel } from "../service.ts";
import { around } from "./around.ts";
import { DEFAULT_ANSWER_TOKENS, promptBound, textsBound } from "./bounds.ts";
import { type Reservation, reserve } from "./budget.ts";
import { currentPayers, type Payer } from "./payer.ts";
import { costOf, type KnownPrice } from "./prices.ts";
import { boundAnswer } from "./request.ts";
import type { CallOutcome, CallRecord } from "./usage.ts";

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

type Tokens = Pick<CallRecord, "promptTokens" | "completionTokens" | "cachedTokens">;
const NO_TOKENS: Tokens = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 };

/** What a provider of ours says with the end of an answer, under `providerMetadata.llmspell`. */
interface CallFacts {
  retries?: number;
  /** It came from the cache. */
  cached?: boolean;
  costUsd?: number;
  /** The model that answered: one of those asked in turn. */
  answeredBy?: { provider: string; model: string };
}

export function callFacts(metadata: SharedV4ProviderMetadata | undefined): CallFacts {
  const facts: Record<string, unknown> = isPlainObject(metadata?.llmspell) ? metadata.llmspell : {};
  return {
    ...(typeof facts.retries === "number" ? { retries: facts.retries } : {}),
    ...(facts.cached === true ? { cached: true } : {}),
    ...(typeof facts.costUsd === "number" ? { costUsd: facts.costUsd } : {}),
    ...(typeof facts.provider === "string" && typeof facts.model === "string"
      ? { answeredBy: { provider: facts.provider, model: facts.model } }
      : {}),
  };
}

export function tokensOf({ inputTokens, outputTokens }: LanguageModelV4Usage): Tokens {
  return {
    promptTokens: inputTokens.total ?? 0,
    completionTokens: outputTokens.total ?? 0,
    cachedTokens: inputTokens.cacheRead ?? 0,
  };
}

/** The same model, its calls counted; the last part of an answer tells its cost. */
export function accounted(model: SpellModel, account: Account): SpellModel {
  const begin = async (options: LanguageModelV4CallOptions) => {
    const payers = currentPayers();
    const bounded = await withinBudgets(model, options, payers, account);
    return { options: bounded.options, call: new OpenCall("chat", account, payers, bounded) };
  };
  return around(model, {
    async doGenerate(given): Promise<LanguageModelV4GenerateResult> {
      const { options, call } = await begin(given);
      try {
        const result = await model.doGenerate(options);
        const providerMetadata = call.end(tokensOf(result.usage), result.providerMetadata);
        return { ...result, ...(providerMetadata === undefined ? {} : { providerMetadata }) };
      } catch (error) {
        call.giveUp(options.abortSignal?.aborted ? "cancelled" : "failed");
        throw error;
      }
    },
    async doStream(given) {
      const { options, call } = await begin(given);
      try {
        const result = await model.doStream(options);
        return { ...result, stream: watched(result.stream, call) };
      } catch (error) {
        call.giveUp(options.abortSignal?.aborted ? "cancelled" : "failed");
        throw error;
      }
    },
  });
}

export function accountedEmbedding(model: EmbeddingModelV4, account: Account): EmbeddingModelV4 {
  return Object.assign(Object.create(model) as EmbeddingModelV4, {
    doEmbed: (options: Parameters<EmbeddingModelV4["doEmbed"]>[0]) =>
      whole("embeddings", account, textsBound(options.values), async () => {
        const result = await model.doEmbed(options);
        return { result, tokens: result.usage?.tokens ?? 0 };
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
  work: () => Promise<{ result: T; tokens: number }>,
): Promise<T> {
  const payers = currentPayers();
  const call = new OpenCall(kind, account, payers, take(account, payers, bound, 0));
  try {
    const { result, tokens } = await work();
    call.end({ ...NO_TOKENS, promptTokens: tokens }, undefined);
    return result;
  } catch (error) {
    call.giveUp("failed");
    throw error;
  }
}

interface Taken {
  reservation: Reservation;
  /** What was reserved: charged where nobody can tell what was used. */
  most: { tokens: number; costUsd: number };
}

/** Reserves what the call may take; a call without a longest answer gets one that the budgets allow. */
async function withinBudgets(
  model: SpellModel,
  options: LanguageModelV4CallOptions,
  payers: readonly Payer[],
  account: Account,
): Promise<Taken & { options: LanguageModelV4CallOptions }> {
  const budgets = payers.flatMap((payer) => payer.budget ?? []);
  if (!budgets.some((budget) => budget.boundsSize)) return { options, ...take(account, payers, 0, 0) };
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

function take(account: Account, payers: readonly Payer[], prompt: number, longest: number): Taken {
  const price = account.price();
  const tokens = { promptTokens: prompt, completionTokens: longest, cachedTokens: 0 };
  const costUsd = price === "free" ? 0 : costOf(price, tokens);
  const budgets = payers.flatMap((payer) => payer.budget ?? []);
  const need = { model: `${account.provider}/${account.model}`, tokens: prompt + longest, costUsd };
  try {
    return { reservation: reserve(budgets, need), most: { tokens: need.tokens, costUsd: costUsd ?? 0 } };
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
  private isOpen = true;

  constructor(
    private readonly kind: CallRecord["kind"],
    private readonly account: Account,
    private readonly payers: readonly Payer[],
    private readonly taken: Taken,
  ) {}

  /** The answer has begun. */
  began(): void {
    this.firstMs ??= steadyMs() - this.startMs;
  }

  /** @returns the metadata, with the cost where it is known */
  end(tokens: Tokens, metadata: SharedV4ProviderMetadata | undefined): SharedV4ProviderMetadata | undefined {
    const { cached = false, retries = 0, answeredBy } = callFacts(metadata);
    const price = this.account.price(answeredBy);
    const costUsd = cached ? undefined : costOf(price, tokens);
    this.close({
      outcome: cached ? "cached" : "ok",
      ...tokens,
      ...(costUsd === undefined ? {} : { costUsd }),
      isUnpriced: !cached && price === undefined,
      retries,
      ...answeredBy,
    });
    this.taken.reservation.settle(
      cached
        ? { tokens: 0, costUsd: 0 }
        : { tokens: tokens.promptTokens + tokens.completionTokens, costUsd: costUsd ?? 0 },
    );
    if (costUsd === undefined) return metadata;
    const told = isPlainObject(metadata?.llmspell) ? metadata.llmspell : {};
    return { ...metadata, llmspell: { ...told, costUsd } } as SharedV4ProviderMetadata;
  }

  /** Ended without a count: what had begun is charged as far as it may have gone, as the provider may charge it. */
  giveUp(outcome: "failed" | "cancelled"): void {
    const hasBegun = this.firstMs !== undefined || outcome === "cancelled";
    this.close({ outcome, ...NO_TOKENS, isUnpriced: false, retries: 0 });
    this.taken.reservation.settle(hasBegun ? this.taken.most : { tokens: 0, costUsd: 0 });
  }

  private close(
    what: { outcome: CallOutcome } & Tokens &
      Pick<CallRecord, "costUsd" | "isUnpriced" | "retries"> &
      Partial<Pick<CallRecord, "provider" | "model">>,
  ): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    record(this.payers, {
      ...emptyRecord(this.kind, this.account),
      ...what,
      ...(this.firstMs === undefined ? {} : { firstMs: this.firstMs }),
      durationMs: steadyMs() - this.startMs,
    });
  }
}

const BEGINNINGS = new Set(["text-delta", "reasoning-delta", "tool-input-delta", "tool-call"]);

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
          if (BEGINNINGS.has(value.type)) call.began();
          if (value.type === "error") call.giveUp("failed");
          if (value.type !== "finish") {
            controller.enqueue(value);
            return;
          }
          const providerMetadata = call.end(tokensOf(value.usage), value.providerMetadata);
          controller.enqueue(providerMetadata === undefined ? value : { ...value, providerMetadata });
        } catch (error) {
          call.giveUp("failed");
          controller.error(error);
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
