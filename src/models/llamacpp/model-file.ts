import { type InferenceClient, inference } from "./client.ts";
import type { DeviceSetting, ModelSpec, NumaStrategy } from "./protocol.ts";

export interface LlamaModelOptions {
  /** The GGUF file. */
  path: string;
  /** The name under which the model is known. */
  id: string;
  /** Default: what the model was trained for, at most 4096. */
  contextTokens?: number;
  /** Default: physical cores; one for a small model. */
  threads?: number;
  /** Layers on the GPU. Default: as many as fit. */
  gpuLayers?: number;
  /** Default: the best there is. */
  device?: DeviceSetting;
  numa?: NumaStrategy;
  /** Refuse a model that needs more memory than is free. Default true. */
  checkMemory?: boolean;
  /** Prompt tokens handed over at once. Default 2048. */
  batchTokens?: number;
  /** Prompt tokens computed at once. Default 512. */
  ubatchTokens?: number;
  /** Default "auto". */
  flashAttention?: boolean | "auto";
  /** Requests that are answered at the same time. Default 8. */
  sequences?: number;
  /** Go on where the context is full by forgetting the older half of the answer, unless a call says otherwise. */
  contextShift?: boolean;
  /** Most tokens of a repetition that are decoded at once, unless a call says otherwise. Default 7; 0: one by one. */
  speculativeTokens?: number;
  /** The model takes a text as it stands, not a conversation. */
  readsPlainText?: boolean;
  /** Called before the file is first loaded: refuses one that llama.cpp does not survive. */
  probe?: (signal: AbortSignal | undefined) => Promise<void>;
  /** Default: the process's inference thread. */
  client?: InferenceClient;
}

/** A model's file as calls on it need it. */
export class LlamaFile {
  readonly spec: ModelSpec;
  private isProbed = false;

  constructor(private readonly options: LlamaModelOptions) {
    this.spec = {
      path: options.path,
      contextTokens: options.contextTokens ?? 0,
      threads: options.threads ?? 0,
      gpuLayers: options.gpuLayers ?? -1,
      ...(options.device === undefined ? {} : { device: options.device }),
      ...(options.numa === undefined ? {} : { numa: options.numa }),
      ...(options.checkMemory === false ? { checkMemory: false } : {}),
      batchTokens: options.batchTokens ?? 2048,
      ubatchTokens: options.ubatchTokens ?? 512,
      flashAttention: options.flashAttention ?? "auto",
      ...(options.sequences === undefined ? {} : { sequences: options.sequences }),
    };
  }

  get client(): InferenceClient {
    return this.options.client ?? inference();
  }

  /** To be called before the file is used. @throws SpellError model_invalid */
  async probe(signal: AbortSignal | undefined): Promise<void> {
    if (this.isProbed) return;
    await this.options.probe?.(signal);
    this.isProbed = true;
  }
}
