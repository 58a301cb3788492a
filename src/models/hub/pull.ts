/** `model pull`: from a name to a model in the store. What came before an interruption stays and is gone on from. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { SpellError } from "../../core/errors.ts";
import type { FileLock } from "../../core/file-lock.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import type { Log } from "../../core/log.ts";
import { readGguf } from "../llamacpp/gguf.ts";
import { convertedSource } from "../store/directory-source.ts";
import {
  type DownloadState,
  downloadDirectory,
  forgetState,
  lockDownload,
  openDownload,
  sizeOnDisk,
  stateOf,
  writeState,
} from "../store/downloads.ts";
import { formatId, type ModelId } from "../store/layout.ts";
import { MANIFEST, makeManifest, type Origin, type StoredFile } from "../store/manifest.ts";
import { originOf } from "../store/ollama-directory.ts";
import { checkSpace, moveIntoPlace, placeOf, writeDurable } from "../store/place.ts";
import { Staging } from "../store/staging.ts";
import type { ModelStore, StoredModel } from "../store/store.ts";
import { downloadFile } from "./download.ts";
import { planHuggingFace } from "./huggingface.ts";
import { planOllama } from "./ollama-registry.ts";
import type { PullPlan, RemoteFile } from "./plan.ts";
import { type PullReference, parsePull } from "./reference.ts";
import type { Hubs } from "./settings.ts";

export interface PullProgress {
  modelId: string;
  status: "starting" | "downloading" | "verifying" | "complete" | "failed";
  bytesDownloaded: number;
  /** Unknown before the hub has answered. */
  bytesTotal?: number;
}

export interface PullOptions {
  hubs: Hubs;
  log: Log;
  /** Quantization taken where the name gives none. */
  preferred: string | undefined;
  /** Asked for apart from the name. */
  quantization?: string | undefined;
  /** Fetches a model that is there already, and replaces it. */
  force: boolean;
  onProgress?: ((progress: PullProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
  /** Tries the file on llama.cpp. @throws SpellError model_invalid */
  probe: (path: string) => Promise<void>;
}

const LOCK_POLL_MS = 250;
const REPORT_MS = 100;

/**
 * @param name without `@backend`
 * @returns the progress at the end; `modelId` is the id in the store
 * @throws invalid_argument, not_found, network, timeout, provider, permission_denied, model_invalid, io
 */
export async function pullModel(
  name: string,
  store: ModelStore,
  { onProgress, ...others }: PullOptions,
): Promise<PullProgress> {
  const options = { ...others, onProgress: onProgress && throttled(onProgress) };
  const reference = parsePull(name, options.quantization);
  if (!options.force) {
    const there = await storedAlready(reference, store, options.preferred);
    if (there !== undefined) return completeOf(there);
  }
  options.onProgress?.({ modelId: reference.name, status: "starting", bytesDownloaded: 0 });
  const plan = await planOf(reference, options);
  using _lock = await waitForLock(store.root, plan.id, options);
  if (!options.force) {
    const there = (await store.list()).find(({ id }) => id === formatId(plan.id));
    if (there !== undefined) return completeOf(there);
  }
  const download = new Download(store.root, plan, options);
  try {
    return await download.run();
  } catch (error) {
    if (errnoOf(error) !== undefined) throw ioError("Cannot pull the model into", store.root, error);
    throw error;
  }
}

/** Bytes come far more often than anybody looks: at most ten reports a second, and each change of the status. */
export function throttled(report: (progress: PullProgress) => void) {
  let status: string | undefined;
  let atMs = 0;
  return (progress: PullProgress) => {
    const nowMs = performance.now();
    if (progress.status === status && nowMs - atMs < REPORT_MS) return;
    status = progress.status;
    atMs = nowMs;
    report(progress);
  };
}

async function storedAlready(
  reference: PullReference,
  store: ModelStore,
  preferred: string | undefined,
): Promise<StoredModel | undefined> {
  const variant = reference.hub === "ollama" ? reference.tag : reference.wanted;
  try {
    return await store.find(
      variant === undefined ? reference.name : `${reference.name}:${variant}`,
      preferred,
    );
  } catch (error) {
    if (error instanceof SpellError && ["not_found", "invalid_argument"].includes(error.code))
      return undefined;
    throw error;
  }
}

function completeOf({ id, sizeBytes }: StoredModel): PullProgress {
  return { modelId: id, status: "complete", bytesDownloaded: sizeBytes, bytesTotal: sizeBytes };
}

function planOf(reference: PullReference, { hubs, preferred, signal }: PullOptions): Promise<PullPlan> {
  if (reference.hub === "ollama") return planOllama(hubs.http, hubs.ollama, reference, signal);
  return planHuggingFace(hubs.http, hubs.huggingFace, reference, preferred, signal);
}

async function waitForLock(root: string, id: ModelId, { log, signal }: PullOptions): Promise<FileLock> {
  for (let told = false; ; told = true) {
    const lock = await lockDownload(root, id);
    if (lock !== undefined) return lock;
    if (!told)
      log.warn("model", "another process downloads this model; waiting for it", { model: formatId(id) });
    await pause(LOCK_POLL_MS);
    signal?.throwIfAborted();
  }
}

class Download {
  private readonly files: readonly RemoteFile[];
  private readonly directory: string;
  private readonly bytesTotal: number;
  /** Bytes on disk, by file. */
  private readonly done = new Map<string, number>();

  constructor(
    private readonly root: string,
    private readonly plan: PullPlan,
    private readonly options: PullOptions,
  ) {
    this.files = [...plan.files, ...plan.extras];
    this.directory = downloadDirectory(root, plan.id);
    this.bytesTotal = this.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  async run(): Promise<PullProgress> {
    const state = await openDownload(this.directory, stateOf(this.plan.id, this.plan.source, this.files));
    for (const { name } of this.files) this.done.set(name, await sizeOnDisk(this.directory, name));
    await checkSpace(this.root, Math.max(0, this.bytesTotal - this.bytesDownloaded), "Cannot pull the model");
    const stored: StoredFile[] = [];
    for (const [i, file] of this.files.entries())
      stored.push({ name: file.name, sizeBytes: file.sizeBytes, sha256: await this.fetch(file, i, state) });
    this.report("verifying");
    await this.finish(stored.slice(0, this.plan.files.length));
    return this.report("complete");
  }

  private get bytesDownloaded(): number {
    return [...this.done.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  private report(status: PullProgress["status"]): PullProgress {
    const { bytesDownloaded, bytesTotal } = this;
    const progress = { modelId: formatId(this.plan.id), status, bytesDownloaded, bytesTotal };
    this.options.onProgress?.(progress);
    return progress;
  }

  private fetch(file: RemoteFile, index: number, state: DownloadState): Promise<string> {
    const entry = state.files[index]!;
    return downloadFile(file, this.directory, {
      http: this.options.hubs.http,
      token: this.plan.token,
      etag: entry.etag,
      onEtag: async (etag) => {
        if (etag === undefined) delete entry.etag;
        else entry.etag = etag;
        await writeState(this.directory, state);
      },
      onBytes: (bytes) => {
        this.done.set(file.name, bytes);
        this.report("downloading");
      },
      onVerify: () => this.report("verifying"),
      signal: this.options.signal,
    });
  }

  /** From complete files to a model in its place. A file that is no model is not kept. */
  private async finish(fetched: readonly StoredFile[]): Promise<void> {
    const { plan, root, directory } = this;
    const origin = await this.origin();
    try {
      await using staging = plan.convert === undefined ? undefined : await Staging.make(root);
      const place = staging?.directory ?? directory;
      const files = staging === undefined ? fetched : await this.convert(place, origin);
      readGguf(join(place, files[0]!.name));
      await this.options.probe(join(place, files[0]!.name));
      const manifest = makeManifest(files, plan.files[0]!.name, origin);
      await writeDurable(join(place, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
      for (const { name } of plan.extras) await rm(join(directory, name), { force: true });
      await moveIntoPlace(place, root, plan.id, this.options.force);
      if (staging === undefined) await forgetState(placeOf(root, plan.id));
      else await rm(directory, { recursive: true, force: true });
    } catch (error) {
      if (error instanceof SpellError && error.code === "model_invalid")
        await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  private async convert(to: string, origin: Origin): Promise<StoredFile[]> {
    const { id, convert } = this.plan;
    await checkSpace(this.root, this.bytesTotal, "Cannot convert the model");
    const source = convertedSource(join(this.directory, convert!.directory), id, origin, convert!.type);
    return source.write(to, id, () => this.report("verifying"), this.options.signal);
  }

  private async origin(): Promise<Origin> {
    const { plan, directory } = this;
    const texts = await Promise.all(
      plan.extras.map(
        async ({ name }) => [kindOf(name), await readFile(join(directory, name), "utf8")] as const,
      ),
    );
    return {
      ...originOf(plan.source, texts),
      ...(plan.licence === undefined ? {} : { licence: plan.licence }),
    };
  }
}

/** `template-0` is a template. */
const kindOf = (name: string): string => name.replace(/-\d+$/, "");
