/** What main and the inference worker say to each other. Plain, cloneable data. */
import type { ErrorJson } from "../../core/errors.ts";
import type { ChatRequest, ParsedAnswer } from "../../ffi/llama/chat.ts";
import type { SamplerOptions } from "../../ffi/llama/sampler.ts";

export type DeviceSetting = "auto" | "cpu" | "cuda" | "metal" | "vulkan";
export type NumaStrategy = "distribute" | "isolate" | "numactl";

/** Which model, loaded how. Two requests with equal specs share one loaded model. */
export interface ModelSpec {
  path: string;
  /** 0: what the model was trained for, at most `DEFAULT_CONTEXT_TOKENS`. */
  contextTokens: number;
  /** 0: as `threadsFor` chooses. */
  threads: number;
  /** Negative: all layers. */
  gpuLayers: number;
  /** Default: auto. */
  device?: DeviceSetting;
  /** How threads are spread over NUMA nodes; counts for the process, the first that names one. Default: not at all. */
  numa?: NumaStrategy;
  batchTokens: number;
  ubatchTokens: number;
  flashAttention: boolean | "auto";
  /** Requests that are answered at the same time; more wait. Default 8. */
  sequences?: number;
  /** Refuse a model that needs more memory than is free. Default true. */
  checkMemory?: boolean;
}

export const DEFAULT_CONTEXT_TOKENS = 4096;
export const DEFAULT_UBATCH_TOKENS = 512;
export const MOST_SPECULATIVE_TOKENS = 16;

/** Sampling as a caller states it; what is left out is the model's or the program's default. */
export type SamplingRequest = Partial<Omit<SamplerOptions, "grammar">>;

/** What is to be completed: a conversation, or text as it stands. */
export type PromptRequest = { chat: ChatRequest } | { text: string; grammar?: string };

export interface ContextShift {
  /** First tokens that are never forgotten. Default: the prompt, at most half the context. */
  keepTokens?: number;
}

export interface GenerateRequest {
  prompt: PromptRequest;
  sampling: SamplingRequest;
  /** Undefined: the model's default. */
  maxTokens?: number;
  /** Texts that end the answer; they are not part of it. */
  stops: readonly string[];
  /** Start from what the context still holds of the same prompt, and leave this one for later calls. Default true. */
  reusePrefix: boolean;
  /** Go on where the context is full by forgetting the older half of what follows the first tokens. Default: end there. */
  contextShift?: ContextShift;
  /**
   * While it is the only request: most tokens that are decoded beside the next one where the answer repeats the prompt or itself.
   * 0: none. Default 7.
   */
  speculativeTokens?: number;
  /** What the answer will probably be, or repeat in large parts: makes it faster where that is so, and changes nothing else. */
  prediction?: string;
}

/** `words`: the request's own shared words: [0] nonzero cancels, [1] load progress in thousandths. */
export type WorkerRequest = { id: number; words: Int32Array } & (
  | { type: "load"; spec: ModelSpec }
  /** `stream`: text is wanted while it is made. */
  | { type: "generate"; spec: ModelSpec; request: GenerateRequest; stream: boolean }
  | { type: "embed"; spec: ModelSpec; request: EmbedRequest }
  | { type: "rank"; spec: ModelSpec; request: RankRequest }
  | { type: "count"; spec: ModelSpec; prompt: PromptRequest }
  | { type: "tokenize"; spec: ModelSpec; text: string; special: boolean; parse: boolean }
  | { type: "detokenize"; spec: ModelSpec; tokens: Int32Array; special: boolean }
  | { type: "unload"; path: string }
  | { type: "loaded" }
  | { type: "stats" }
  /** Frees all models; the last request of a thread. */
  | { type: "stop" }
);

/** The first message: where the libraries are, and a shared word that counts the messages sent after it. */
export interface WorkerStart {
  type: "start";
  libraries: string;
  sent: Int32Array;
}

/** Words of a request. */
export const REQUEST_WORDS = 2;

export const EMBED_POOLINGS = ["mean", "cls", "last"] as const;

export interface EmbedRequest {
  texts: readonly string[];
  /** Scale each vector to length 1. */
  normalize: boolean;
  /** How token states become one vector. Default: as the model's file says. */
  pooling?: (typeof EMBED_POOLINGS)[number];
  /** Cut texts that are longer than the context; else they are refused. */
  truncate?: boolean;
}

export interface EmbedResult {
  /** One row a text, in their order. */
  vectors: Float32Array;
  dimensions: number;
  /** Tokens of all texts. */
  tokens: number;
}

export interface RankRequest {
  query: string;
  documents: readonly string[];
  /** Cut documents that do not fit into the context beside the query; else they are refused. */
  truncate?: boolean;
}

export interface RankResult {
  /** One a document, in their order; higher fits better. */
  scores: number[];
  /** Tokens of all pairs. */
  tokens: number;
}

/** What a loaded model's generation holds and does at the moment. */
export interface ModelStats {
  path: string;
  /** Requests that wait for a place. */
  queued: number;
  /** Requests with a place: their prompts are read or their answers are made. */
  running: number;
  /** Sequences that can live side by side. */
  sequences: number;
  /** Tokens the context holds, those of running requests and those kept for later ones. */
  heldTokens: number;
  /** Of these, kept for later requests only. */
  cachedTokens: number;
  /** Tokens it can hold in all. */
  roomTokens: number;
}

export interface LoadedModel {
  path: string;
  description: string;
  contextTokens: number;
  trainedContextTokens: number;
  vocabularySize: number;
  /** What its layers are on: `CUDA0 (NVIDIA H200)`, `CPU`. */
  device: string;
  /** Why it is on the processor although a GPU was chosen: what failed there. */
  fallback?: string;
}

export type GenerateEvent =
  | { type: "prompt"; promptTokens: number; cachedTokens: number }
  | { type: "text"; text: string }
  | { type: "reasoning"; text: string };

export interface GenerateResult {
  answer: ParsedAnswer;
  /** The answer's text before it was parsed. */
  text: string;
  /** `end`: an end token; `stop`: a stop text; `limit`: maxTokens; `context`: the context is full. */
  end: "end" | "stop" | "limit" | "context";
  promptTokens: number;
  /** Of these, taken from an earlier call. */
  cachedTokens: number;
  /** What the model chose, an end token included. */
  tokens: number[];
  /** Tokens decoded beside the next one, and those of them that were chosen. */
  draftedTokens: number;
  acceptedTokens: number;
  promptMs: number;
  outputMs: number;
}

export interface WorkerResults {
  load: LoadedModel;
  generate: GenerateResult;
  embed: EmbedResult;
  rank: RankResult;
  count: number;
  tokenize: Int32Array;
  detokenize: string;
  unload: boolean;
  loaded: LoadedModel[];
  stats: ModelStats[];
  stop: undefined;
}

export type WorkerReply =
  | { type: "ready" }
  /** Something a person should know of, told once. */
  | { type: "warning"; message: string; data: Record<string, unknown> }
  /** llama.cpp cannot be loaded here. */
  | { type: "unable"; error: ErrorJson }
  | { type: "event"; id: number; event: GenerateEvent }
  | { type: "done"; id: number; result: WorkerResults[keyof WorkerResults] }
  | { type: "failed"; id: number; error: ErrorJson };
