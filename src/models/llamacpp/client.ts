import { errorFromJson, SpellError } from "../../core/errors.ts";
import { workerUrl } from "../../core/worker.ts";
import { librariesLoaded, llamaLibraries } from "../../ffi/library.ts";
import {
  type EmbedRequest,
  type EmbedResult,
  type GenerateEvent,
  type GenerateRequest,
  type GenerateResult,
  type LoadedModel,
  type ModelSpec,
  type ModelStats,
  type PromptRequest,
  type RankRequest,
  type RankResult,
  REQUEST_WORDS,
  type WorkerReply,
  type WorkerRequest,
  type WorkerResults,
} from "./protocol.ts";

export interface CallOptions {
  signal?: AbortSignal;
  onEvent?: (event: GenerateEvent) => void;
}

interface Pending {
  words: Int32Array;
  resolve(result: never): void;
  reject(error: unknown): void;
  onEvent: ((event: GenerateEvent) => void) | undefined;
}

type Unsent<T> = T extends unknown ? Omit<T, "id" | "words"> : never;

const PROGRESS_EVERY_MS = 50;

/** Main's side of the inference thread, which is started at the first call and does not keep the process alive. */
export class InferenceClient {
  /** Told what a person should know of, such as a GPU that failed. */
  onWarning: (message: string, data: Record<string, unknown>) => void = () => {};
  private worker: Promise<Worker> | undefined;
  private readonly pending = new Map<number, Pending>();
  /** Messages sent to the thread: it looks for them between steps. */
  private sent = new Int32Array(new SharedArrayBuffer(4));
  private readonly stopping = new WeakSet<Worker>();
  private lastId = 0;

  /** @param onProgress share of the file that has been read, above 0 up to 1; not told where that is quick */
  async load(
    spec: ModelSpec,
    options: CallOptions & { onProgress?: (share: number) => void } = {},
  ): Promise<LoadedModel> {
    const { onProgress } = options;
    return this.call<LoadedModel>({ type: "load", spec }, options, (words) => {
      if (onProgress === undefined) return undefined;
      return setInterval(() => {
        const thousandths = Atomics.load(words, 1);
        if (thousandths > 0) onProgress(thousandths / 1000);
      }, PROGRESS_EVERY_MS);
    });
  }

  generate(spec: ModelSpec, request: GenerateRequest, options: CallOptions = {}): Promise<GenerateResult> {
    return this.call({ type: "generate", spec, request, stream: options.onEvent !== undefined }, options);
  }

  embed(spec: ModelSpec, request: EmbedRequest, options: CallOptions = {}): Promise<EmbedResult> {
    return this.call({ type: "embed", spec, request }, options);
  }

  rank(spec: ModelSpec, request: RankRequest, options: CallOptions = {}): Promise<RankResult> {
    return this.call({ type: "rank", spec, request }, options);
  }

  /** Prompt tokens of a call, template and tools included. */
  count(spec: ModelSpec, prompt: PromptRequest, options: CallOptions = {}): Promise<number> {
    return this.call({ type: "count", spec, prompt }, options);
  }

  /** @param special with the vocabulary's begin and end tokens @param parse reading the text of control tokens as such */
  tokenize(spec: ModelSpec, text: string, special: boolean, parse: boolean): Promise<Int32Array> {
    return this.call({ type: "tokenize", spec, text, special, parse }, {});
  }

  detokenize(spec: ModelSpec, tokens: Int32Array, special: boolean): Promise<string> {
    return this.call({ type: "detokenize", spec, tokens, special }, {});
  }

  /** Frees the models of a file. True when there were any. Starts no thread. */
  async unload(path: string): Promise<boolean> {
    return this.worker === undefined ? false : this.call({ type: "unload", path }, {});
  }

  /** The models that are in memory. Starts no thread. */
  async loaded(): Promise<LoadedModel[]> {
    return this.worker === undefined ? [] : this.call({ type: "loaded" }, {});
  }

  /** What the models in memory do. Starts no thread. */
  async stats(): Promise<ModelStats[]> {
    return this.worker === undefined ? [] : this.call({ type: "stats" }, {});
  }

  /** Cancels what runs, frees the models and ends the thread. The next call starts it anew. */
  async dispose(): Promise<void> {
    const starting = this.worker;
    if (starting === undefined) return;
    for (const { words } of this.pending.values()) Atomics.store(words, 0, 1);
    const stopped = this.call({ type: "stop" }, {});
    this.worker = undefined;
    const [, worker] = await Promise.allSettled([stopped, starting]);
    if (worker.status === "rejected") return; // it never started
    this.stopping.add(worker.value);
    await worker.value.terminate();
  }

  private async call<T extends WorkerResults[keyof WorkerResults]>(
    message: Unsent<WorkerRequest>,
    { signal, onEvent }: CallOptions,
    watch: (words: Int32Array) => ReturnType<typeof setInterval> | undefined = () => undefined,
  ): Promise<T> {
    signal?.throwIfAborted();
    const worker = await this.start();
    signal?.throwIfAborted();
    if (this.stopping.has(worker)) throw threadEnded("it was disposed of");
    const words = new Int32Array(new SharedArrayBuffer(4 * REQUEST_WORDS));
    const timer = watch(words);
    const id = ++this.lastId;
    const replied = new Promise<T>((resolve, reject) => {
      this.pending.set(id, { words, resolve, reject, onEvent });
      worker.ref();
      worker.postMessage({ ...message, id, words } as WorkerRequest);
      Atomics.add(this.sent, 0, 1);
    }).finally(() => {
      clearInterval(timer);
      this.pending.delete(id);
      if (this.pending.size === 0) worker.unref();
    });
    if (signal === undefined) return replied;

    // the caller need not wait until the thread has noticed
    const cancelled = Promise.withResolvers<never>();
    const cancel = () => {
      Atomics.store(words, 0, 1);
      clearInterval(timer);
      this.pending.get(id)!.onEvent = undefined;
      cancelled.reject(signal.reason);
    };
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      return await Promise.race([replied, cancelled.promise]);
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  private start(): Promise<Worker> {
    this.worker ??= this.launch().catch((error) => {
      this.worker = undefined;
      throw error;
    });
    return this.worker;
  }

  private async launch(): Promise<Worker> {
    const libraries = await llamaLibraries();
    const worker = new Worker(workerUrl("src/models/llamacpp/worker"), { name: "inference" });
    await new Promise<void>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<WorkerReply>) => {
        if (data.type === "ready") resolve();
        else if (data.type === "unable") lost(errorFromJson(data.error));
        else if (data.type === "warning") this.onWarning(data.message, data.data);
        else this.receive(data);
      };
      const lost = (error: SpellError) => {
        if (this.stopping.has(worker)) return;
        this.stopping.add(worker);
        reject(error);
        this.worker = undefined;
        this.failAll(error);
        worker.terminate();
      };
      worker.onerror = ({ message }) => lost(threadEnded(message));
      worker.addEventListener("close", () => lost(threadEnded("it was closed")), { once: true });
      this.sent = new Int32Array(new SharedArrayBuffer(4));
      worker.postMessage({ type: "start", libraries: libraries.directory, sent: this.sent });
    });
    await librariesLoaded(libraries);
    return worker;
  }

  private receive(reply: Exclude<WorkerReply, { type: "ready" | "unable" | "warning" }>): void {
    const pending = this.pending.get(reply.id);
    if (reply.type === "event") pending?.onEvent?.(reply.event);
    else if (reply.type === "done") pending?.resolve(reply.result as never);
    else pending?.reject(errorFromJson(reply.error));
  }

  private failAll(error: unknown): void {
    for (const pending of [...this.pending.values()]) pending.reject(error);
  }
}

function threadEnded(reason: string): SpellError {
  return new SpellError("provider", `Cannot run the model: the inference thread ended: ${reason}`, {
    hint: "The next call starts it again",
  });
}

let shared: InferenceClient | undefined;

/** The process's one inference thread. */
export function inference(): InferenceClient {
  shared ??= new InferenceClient();
  return shared;
}

/** Ends the inference thread, where there is one. */
export async function disposeInference(): Promise<void> {
  await shared?.dispose();
}
