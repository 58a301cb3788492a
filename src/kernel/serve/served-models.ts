/** The local models that are served. */
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import type { LocalModel, ModelService, SpellModel } from "../../models/service.ts";

const LOCAL = "local/";

export class ServedModels {
  /** By the name a request uses; reading a model's file for each request would cost more than many an answer. */
  private readonly opened = new Map<string, Promise<SpellModel>>();
  /** Ids; undefined: every local model. */
  private only: ReadonlySet<string> | undefined;

  constructor(private readonly models: ModelService) {}

  /**
   * Serves these models only and brings them into memory.
   * @param onProgress share of a model that is in memory, 0 to 1
   * @throws SpellError not_found, model_invalid, interrupted
   */
  async keep(
    names: readonly string[],
    signal: AbortSignal | undefined,
    onProgress: (id: string, share: number) => void,
  ): Promise<void> {
    const ids: string[] = [];
    for (const name of names) {
      const model = await this.resolve(name);
      await model.load?.({ signal, onProgress: (share) => onProgress(model.modelId, share) });
      ids.push(model.modelId);
    }
    this.only = new Set(ids);
  }

  /** @throws SpellError not_found with the nearest ids, model_invalid */
  async resolve(name: string): Promise<SpellModel> {
    const specifier = localName(name);
    const opening = this.opened.get(specifier) ?? this.models.resolve(specifier);
    const model = await opening;
    this.opened.set(specifier, opening);
    this.refuseOthers(name, model.modelId);
    return model;
  }

  async resolveEmbedding(name: string) {
    const model = await this.models.resolveEmbedding(localName(name));
    this.refuseOthers(name, model.modelId);
    return model;
  }

  async resolveReranking(name: string) {
    const model = await this.models.resolveReranking(localName(name));
    this.refuseOthers(name, model.modelId);
    return model;
  }

  async list(): Promise<LocalModel[]> {
    const models = await this.models.list("llamacpp");
    return models.filter(({ id }) => this.only?.has(id) ?? true);
  }

  private refuseOthers(name: string, id: string): void {
    if (this.only === undefined || this.only.has(id)) return;
    const hint = didYouMean(name, this.only) ?? `There are: ${[...this.only].join(", ")}`;
    throw new SpellError("not_found", `Model '${name}' is not served here`, { hint });
  }
}

/** The specifier of a local model, whose name a client may write with `local/` or without. */
function localName(name: string): string {
  return name.startsWith(LOCAL) ? name : `${LOCAL}${name}`;
}
