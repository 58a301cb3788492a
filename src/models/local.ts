/** Local models on the built-in engine: the embedded one and those of the store. */
import { join } from "node:path";
import type { EmbeddingModelV4, RerankingModelV4 } from "@ai-sdk/provider";
import type { ProviderConfig } from "../config/schema.ts";
import { messageOf, SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { homeDirectory } from "../core/paths.ts";
import { EMBEDDED_INFO, embeddedModelPath } from "./embedded.ts";
import type { PullOptions, PullProgress } from "./hub/pull.ts";
import { looksBothWays } from "./llamacpp/abilities.ts";
import { type GgufHeader, readGguf } from "./llamacpp/gguf.ts";
import { memoryNeeded } from "./llamacpp/memory.ts";
import type { LlamaModelOptions } from "./llamacpp/model-file.ts";
import { readsPlainText } from "./llamacpp/plain-prompt.ts";
import { DEFAULT_CONTEXT_TOKENS, DEFAULT_UBATCH_TOKENS } from "./llamacpp/protocol.ts";
import type { Machine } from "./machine.ts";
import { probeModel } from "./probe/probe.ts";
import { ProbeRecords } from "./probe/records.ts";
import { EMBEDDED_MODEL, type LocalModel, type LocalModelInfo, type SpellModel } from "./service.ts";
import type { ExportOptions } from "./store/bundle.ts";
import { listDownloads, type PartialDownload, removeDownload } from "./store/downloads.ts";
import { type ImportOptions, importModel } from "./store/import.ts";
import { parseNewId } from "./store/layout.ts";
import { removeModel } from "./store/place.ts";
import { ModelStore, type StoredModel } from "./store/store.ts";

type Llama = typeof import("./llamacpp/model.ts");

export class LocalModels {
  /** The engine's module, once a model was asked for; nothing native is loaded by asking. */
  private llama: Promise<Llama> | undefined;
  private readonly probed: ProbeRecords;

  constructor(
    private readonly env: Record<string, string | undefined>,
    private readonly dataDirectory: string,
    private readonly log: Log,
  ) {
    this.probed = new ProbeRecords(join(dataDirectory, "cache", "probed"));
  }

  /** @throws not_found with the nearest ids, model_invalid */
  async open(id: string, settings: ProviderConfig): Promise<SpellModel> {
    const options = await this.options(id, settings);
    return (await this.engine()).createLlamaModel(options);
  }

  /** @throws as `open` */
  async openEmbedding(id: string, settings: ProviderConfig): Promise<EmbeddingModelV4> {
    const options = await this.options(id, settings);
    await this.engine();
    return (await import("./llamacpp/embedding-model.ts")).createLlamaEmbeddingModel(options);
  }

  /** @throws as `open` */
  async openReranking(id: string, settings: ProviderConfig): Promise<RerankingModelV4> {
    const options = await this.options(id, settings);
    await this.engine();
    return (await import("./llamacpp/embedding-model.ts")).createLlamaRerankingModel(options);
  }

  /** The file of a model. @throws not_found */
  async file(id: string, settings: ProviderConfig): Promise<string> {
    return isEmbedded(id) ? embeddedModelPath(this.env) : (await this.find(id, settings)).path;
  }

  private async engine(): Promise<Llama> {
    this.llama ??= import("./llamacpp/model.ts");
    const llama = await this.llama;
    llama.onLlamaWarning((message, data) => this.log.warn("model", message, data));
    return llama;
  }

  private async options(id: string, settings: ProviderConfig): Promise<LlamaModelOptions> {
    const model = isEmbedded(id) ? undefined : await this.find(id, settings);
    const header = model === undefined ? undefined : readGguf(model.path);
    const path = model?.path ?? (await embeddedModelPath(this.env));
    return {
      path,
      id: model?.id ?? EMBEDDED_MODEL,
      ...(model === undefined ? {} : { probe: (signal) => this.probeOnce(path, signal) }),
      ...(header === undefined ? {} : { readsPlainText: readsPlainText(header) }),
      ...engineOptions(settings, header),
    };
  }

  /** Why it is not in the store; undefined where it is, whole or not. */
  async absence(id: string, settings: ProviderConfig): Promise<SpellError | undefined> {
    if (isEmbedded(id)) return undefined;
    try {
      await this.find(id, settings);
      return undefined;
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      return ["not_found", "invalid_argument"].includes(error.code) ? error : undefined;
    }
  }

  async list(settings: ProviderConfig): Promise<LocalModel[]> {
    const {
      format: _format,
      architecture: _a,
      parameterCount: _p,
      contextLength: _c,
      licence: _l,
      hasChatTemplate: _t,
      memoryBytes: _m,
      ...embedded
    } = EMBEDDED_INFO;
    const stored = await this.store(settings).list();
    return [embedded, ...stored.map((model) => entryOf(model, this.header(model)))];
  }

  /** @throws not_found, model_invalid for a file that is damaged */
  async info(id: string, settings: ProviderConfig): Promise<LocalModelInfo> {
    if (isEmbedded(id))
      return { ...EMBEDDED_INFO, loaded: await this.isLoaded(() => embeddedModelPath(this.env)) };
    const model = await this.find(id, settings);
    const header = readGguf(model.path);
    return {
      ...entryOf(model, header),
      path: model.path,
      format: "gguf",
      loaded: await this.isLoaded(async () => model.path),
      architecture: header.architecture,
      parameterCount: header.parameterCount,
      ...(header.contextTokens === undefined ? {} : { contextLength: header.contextTokens }),
      ...(header.licence === undefined ? {} : { licence: header.licence }),
      hasChatTemplate: header.hasChatTemplate,
      memoryBytes: memoryNeeded(header, {
        contextTokens: contextOf(settings, header),
        ubatchTokens: DEFAULT_UBATCH_TOKENS,
        flashAttention: settings.use_flash_attention ?? "auto",
      }).totalBytes,
    };
  }

  async import(
    path: string,
    options: Omit<ImportOptions, "probe">,
    settings: ProviderConfig,
  ): Promise<LocalModelInfo> {
    const store = this.store(settings);
    const probe = (file: string) => probeModel(file, { env: this.env, signal: options.signal });
    const id = await importModel(store.root, path, await store.list(), { ...options, probe });
    const info = await this.info(id, settings);
    await this.recordProbe(info.path!);
    this.log.info("model", "model imported", { model: id });
    return info;
  }

  async pull(
    name: string,
    options: Omit<PullOptions, "probe" | "log" | "preferred">,
    settings: ProviderConfig,
  ): Promise<PullProgress> {
    const { pullModel } = await import("./hub/pull.ts");
    const store = this.store(settings);
    const pulled = await pullModel(name, store, {
      ...options,
      log: this.log,
      preferred: settings.default_quantization,
      probe: (file) => probeModel(file, { env: this.env, signal: options.signal }),
    });
    await this.recordProbe((await store.find(pulled.modelId)).path);
    this.log.info("model", "model pulled", { model: pulled.modelId });
    return pulled;
  }

  async export(
    id: string,
    path: string,
    options: ExportOptions,
    settings: ProviderConfig,
  ): Promise<{ id: string; sizeBytes: number }> {
    if (isEmbedded(id)) {
      throw new SpellError("invalid_argument", `Cannot export model '${id}': it is part of the executable`, {
        hint: "Every llmspell has it",
      });
    }
    const model = await this.find(id, settings);
    const { exportBundle } = await import("./store/bundle.ts");
    await exportBundle(model, path, options);
    return { id: model.id, sizeBytes: model.sizeBytes };
  }

  async machine(settings: ProviderConfig, signal: AbortSignal | undefined): Promise<Machine> {
    const { examineMachine } = await import("./machine.ts");
    return examineMachine(settings, this.store(settings).root, { env: this.env, signal });
  }

  /** What was begun to be pulled and not finished. */
  downloads(settings: ProviderConfig): Promise<PartialDownload[]> {
    return listDownloads(this.store(settings).root);
  }

  stored(settings: ProviderConfig): Promise<StoredModel[]> {
    return this.store(settings).list();
  }

  /** @returns whether it was in memory @throws not_found */
  async unload(id: string, settings: ProviderConfig): Promise<boolean> {
    const stored = isEmbedded(id) ? undefined : await this.find(id, settings);
    const path = async () => stored?.path ?? embeddedModelPath(this.env);
    const loaded = await this.isLoaded(path);
    if (loaded) await (await this.llama!).unloadLlamaModel(await path());
    return loaded;
  }

  async remove(id: string, settings: ProviderConfig): Promise<void> {
    if (isEmbedded(id)) {
      throw new SpellError("invalid_argument", `Cannot remove model '${id}': it is part of the executable`, {
        hint: "Only imported models can be removed; `llmspell model list` shows them",
      });
    }
    const model = await this.removable(id, settings);
    if (model === undefined) return;
    if (this.llama !== undefined) await (await this.llama).unloadLlamaModel(model.path);
    await removeModel(model);
    this.log.info("model", "model removed", { model: model.id });
  }

  /** The model; undefined where only a part of its download was there, which is then removed. @throws not_found */
  private async removable(id: string, settings: ProviderConfig): Promise<StoredModel | undefined> {
    try {
      return await this.find(id, settings);
    } catch (error) {
      if (!(error instanceof SpellError) || error.code !== "not_found") throw error;
      const removed = await removeDownload(this.store(settings).root, parseNewId(id, "latest"));
      if (removed === "absent") throw error;
      if (removed === "removed") return undefined;
      throw new SpellError("already_exists", `Cannot remove model '${id}': it is being downloaded`, {
        hint: "End the process that pulls it first",
      });
    }
  }

  async dispose(): Promise<void> {
    const { extractionsDone } = await import("../ffi/extract.ts");
    await extractionsDone();
    if (this.llama !== undefined) await (await this.llama).disposeLlama();
  }

  /** A file that was put into the store by hand, or tried by another release, is tried before its first use. */
  private async probeOnce(path: string, signal: AbortSignal | undefined): Promise<void> {
    if (await this.probed.has(path)) return;
    await probeModel(path, { env: this.env, signal });
    await this.recordProbe(path);
  }

  private async recordProbe(path: string): Promise<void> {
    try {
      await this.probed.add(path);
    } catch (error) {
      this.log.debug("model", "cannot record that a model was tried; it will be tried again", {
        reason: messageOf(error),
      });
    }
  }

  private find(id: string, settings: ProviderConfig): Promise<StoredModel> {
    return this.store(settings).find(id, settings.default_quantization, [EMBEDDED_MODEL]);
  }

  private store(settings: ProviderConfig): ModelStore {
    const models = join(this.dataDirectory, "models");
    return new ModelStore(settings.model_directory ?? join(models, "llamacpp"), [
      join(models, "candle"),
      join(homeDirectory(this.env), ".llmspell", "models", "candle"),
    ]);
  }

  /** Undefined for a damaged file, which a list shows all the same. */
  private header(model: StoredModel): GgufHeader | undefined {
    try {
      return readGguf(model.path);
    } catch (error) {
      this.log.warn("model", "a model in the store is damaged", {
        model: model.id,
        reason: messageOf(error),
      });
      return undefined;
    }
  }

  private async isLoaded(path: () => Promise<string>): Promise<boolean> {
    if (this.llama === undefined) return false;
    const { loadedLlamaModels } = await this.llama;
    return (await loadedLlamaModels()).includes(await path());
  }
}

export function isEmbedded(id: string): boolean {
  return id.trim().toLowerCase() === EMBEDDED_MODEL;
}

function entryOf(model: StoredModel, header: GgufHeader | undefined): LocalModel {
  return {
    id: model.id,
    backend: "llamacpp",
    sizeBytes: model.sizeBytes,
    ...(header?.quantization === undefined ? {} : { quantization: header.quantization }),
    modifiedAt: model.modifiedAt,
  };
}

/**
 * A context longer than the model was trained for is cut to that. An embedding model takes texts as long as that: its
 * context grows to the longest text there is.
 */
function contextOf({ context_size }: ProviderConfig, header: GgufHeader | undefined): number {
  const trained = header === undefined ? EMBEDDED_INFO.contextLength : header.contextTokens;
  if (header !== undefined && trained !== undefined && looksBothWays(header)) return trained;
  return Math.min(context_size ?? DEFAULT_CONTEXT_TOKENS, trained ?? Number.POSITIVE_INFINITY);
}

/** The provider's settings in the engine's terms. */
function engineOptions(settings: ProviderConfig, header: GgufHeader | undefined) {
  const { cpu_threads, batch_size, use_flash_attention, device, gpu_layers, numa, check_memory } = settings;
  const { max_concurrent, context_shift, speculative_tokens } = settings;
  return {
    contextTokens: contextOf(settings, header),
    ...(cpu_threads === undefined ? {} : { threads: cpu_threads }),
    ...(batch_size === undefined ? {} : { batchTokens: batch_size }),
    ...(use_flash_attention === false ? { flashAttention: false } : {}),
    ...(gpu_layers === undefined ? {} : { gpuLayers: gpu_layers }),
    ...(device === undefined ? {} : { device }),
    ...(numa === undefined ? {} : { numa }),
    ...(check_memory === false ? { checkMemory: false } : {}),
    ...(max_concurrent === undefined ? {} : { sequences: max_concurrent }),
    ...(context_shift === true ? { contextShift: true } : {}),
    ...(speculative_tokens === undefined ? {} : { speculativeTokens: speculative_tokens }),
  };
}
