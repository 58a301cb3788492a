/** The models service with its models watched: every call of a model in this process passes here. */
import type { EmbeddingModelV4, RerankingModelV4 } from "@ai-sdk/provider";
import { type Config, providerOf } from "../../config/schema.ts";
import { SpellError } from "../../core/errors.ts";
import { currentPlan } from "../../core/plan.ts";
import { currentTape, type Tape } from "../../core/tape.ts";
import type { Storage } from "../../storage/storage.ts";
import type { ModelOverrides, ModelService, SpellModel } from "../service.ts";
import { parseSpecifier } from "../specifier.ts";
import { type Account, accounted, accountedEmbedding, accountedReranking } from "./accounting.ts";
import type { AnswerStore } from "./answer-store.ts";
import { priceOf } from "./prices.ts";
import { factsOf, type ModelFacts } from "./taped.ts";

export interface CallsOptions {
  config: () => Config;
  storage: () => Promise<Storage>;
}

export function withCalls(models: ModelService, options: CallsOptions): ModelService {
  const watched = new WatchedModels(models, options);
  return {
    ...models,
    resolve: (specifier, overrides) => watched.resolve(specifier, overrides),
    resolveEmbedding: (specifier, overrides) => watched.resolveEmbedding(specifier, overrides),
    resolveReranking: (specifier, overrides) => watched.resolveReranking(specifier, overrides),
    pull: async (specifier, how) => {
      if (currentPlan() === undefined) return models.pull(specifier, how);
      throw new SpellError("permission_denied", `Cannot pull ${specifier}: a dry run downloads nothing`, {
        hint: "Run it without --dry-run",
      });
    },
  };
}

/** What all kinds of models have. */
interface Named {
  readonly provider: string;
  readonly modelId: string;
}

class WatchedModels {
  private answers: AnswerStore | undefined;

  constructor(
    private readonly models: ModelService,
    private readonly options: CallsOptions,
  ) {}

  async resolve(specifier: string, overrides?: ModelOverrides): Promise<SpellModel> {
    const plan = currentPlan();
    if (plan !== undefined) {
      const account = await this.plannedAccount(specifier, overrides, () =>
        this.models.resolve(specifier, overrides),
      );
      return (await import("./planned.ts")).plannedModel(account, plan);
    }
    const resolve = async () => this.cached(await this.models.resolve(specifier, overrides));
    const tape = currentTape();
    if (tape === undefined) {
      const model = await resolve();
      return accounted(model, this.account(model, this.typeOf(model)));
    }
    const [real, facts] = await this.taped(tape, "chat", specifier, overrides, resolve, (model) =>
      factsOf(model, this.typeOf(model)),
    );
    const { tapedModel } = await import("./taped.ts");
    return accounted(tapedModel(real, facts, tape), this.account(facts, facts.type));
  }

  async resolveEmbedding(specifier: string, overrides?: ModelOverrides): Promise<EmbeddingModelV4> {
    const resolve = () => this.models.resolveEmbedding(specifier, overrides);
    const plan = currentPlan();
    if (plan !== undefined) {
      const account = await this.plannedAccount(specifier, overrides, resolve);
      return (await import("./planned.ts")).plannedEmbedding(account, plan);
    }
    const tape = currentTape();
    if (tape === undefined) {
      const model = await resolve();
      return accountedEmbedding(model, this.account(model, this.typeOf(model)));
    }
    const describe = async (model: EmbeddingModelV4) => {
      const most = await model.maxEmbeddingsPerCall;
      return {
        ...this.nameOf(model),
        ...(most === undefined || most === Number.POSITIVE_INFINITY ? {} : { maxEmbeddingsPerCall: most }),
      };
    };
    const [real, facts] = await this.taped(tape, "embeddings", specifier, overrides, resolve, describe);
    const { tapedEmbedding } = await import("./taped.ts");
    return accountedEmbedding(tapedEmbedding(real, facts, tape), this.account(facts, facts.type));
  }

  async resolveReranking(specifier: string, overrides?: ModelOverrides): Promise<RerankingModelV4> {
    const resolve = () => this.models.resolveReranking(specifier, overrides);
    const plan = currentPlan();
    if (plan !== undefined) {
      const account = await this.plannedAccount(specifier, overrides, resolve);
      return (await import("./planned.ts")).plannedReranking(account, plan);
    }
    const tape = currentTape();
    if (tape === undefined) {
      const model = await resolve();
      return accountedReranking(model, this.account(model, this.typeOf(model)));
    }
    const [real, facts] = await this.taped(tape, "rerank", specifier, overrides, resolve, (model) =>
      this.nameOf(model),
    );
    const { tapedReranking } = await import("./taped.ts");
    return accountedReranking(tapedReranking(real, facts, tape), this.account(facts, facts.type));
  }

  private typeOf({ provider }: Pick<Named, "provider">): string {
    return this.models.provider(provider)?.providerType ?? provider;
  }

  private nameOf(model: Named): ModelFacts {
    return { provider: model.provider, type: this.typeOf(model), modelId: model.modelId };
  }

  private account({ provider, modelId }: Named, type: string): Account {
    const own = { provider, model: modelId };
    const price = (of = own) => {
      const ofType = of.provider === provider ? type : this.typeOf(of);
      return priceOf(this.options.config(), of.provider, ofType, of.model);
    };
    const maxTokens = () => providerOf(this.options.config(), provider)?.max_tokens;
    return { ...own, price, maxTokens };
  }

  /** In a recorded run what is known of the model is written down; in a replay it is all there is of it. */
  private async taped<M>(
    tape: Tape,
    purpose: string,
    specifier: string,
    overrides: ModelOverrides = {},
    resolve: () => Promise<M>,
    describe: (model: M) => ModelFacts | Promise<ModelFacts>,
  ): Promise<[M | undefined, ModelFacts]> {
    const { provider, baseUrl, apiKey } = overrides;
    if (apiKey !== undefined) tape.hide(apiKey);
    let real: M | undefined;
    const request = {
      purpose,
      specifier,
      ...(provider === undefined ? {} : { provider }),
      ...(baseUrl === undefined ? {} : { baseUrl }),
    };
    const facts = await tape.call({ kind: "resolve", name: specifier, request }, async () => {
      real = await resolve();
      return describe(real);
    });
    return [real, facts];
  }

  /** A plan needs no keys: a model that is not to be had for that is planned by its name. */
  private async plannedAccount(
    specifier: string,
    overrides: ModelOverrides | undefined,
    resolve: () => Promise<Named>,
  ): Promise<Account> {
    try {
      const model = await resolve();
      return this.account(model, this.typeOf(model));
    } catch (error) {
      if (!(error instanceof SpellError) || error.code !== "config") throw error;
      const { provider = specifier, model } = parseSpecifier(specifier, overrides?.provider);
      const known = this.models.provider(provider);
      const modelId = model === "" ? (known?.defaultModel ?? "") : model;
      return this.account({ provider, modelId }, known?.providerType ?? provider);
    }
  }

  private async cached(model: SpellModel): Promise<SpellModel> {
    const settings = () => this.options.config().models.cache;
    if (!settings().enabled) return model;
    const { cachedModel } = await import("./cached.ts");
    const place = this.models.provider(model.provider)?.baseUrl ?? this.typeOf(model);
    const store = await this.store();
    return cachedModel(model, { store, place, sampled: () => settings().sampled });
  }

  private async store(): Promise<AnswerStore> {
    if (this.answers !== undefined) return this.answers;
    const { AnswersInMemory, StoredAnswers } = await import("./answer-store.ts");
    const bounds = () => {
      const { ttl_seconds, max_entries } = this.options.config().models.cache;
      return { ttlMs: ttl_seconds * 1000, maxEntries: max_entries };
    };
    this.answers ??= this.options.config().models.cache.persistent
      ? new StoredAnswers(this.options.storage, bounds)
      : new AnswersInMemory(bounds);
    return this.answers;
  }
}
