/**
 * The memory that a model will take, from its header: what llama.cpp allocates for weights, for the tokens it keeps and for
 * computing. `test/model/memory.test.ts` compares it with what llama.cpp reports.
 */

import { SpellError } from "../../core/errors.ts";
import { type MachineMemory, machineMemory } from "../../core/machine-memory.ts";
import { hasEncoderAndDecoder, looksBothWays } from "./abilities.ts";
import { type CacheSize, cacheSize, hyperparameter } from "./cache-size.ts";
import type { GgufHeader } from "./gguf.ts";
import { DEFAULT_CONTEXT_TOKENS, type ModelSpec } from "./protocol.ts";
import { cellsFor, contextOf, roomOf, sequencesOf } from "./room-size.ts";

export interface MemoryNeed {
  weightsBytes: number;
  /** Tokens and states that are kept. */
  cacheBytes: number;
  computeBytes: number;
  totalBytes: number;
  /** It may take less: not all layers keep all tokens. */
  isBound: boolean;
}

export type MemorySpec = Pick<ModelSpec, "contextTokens" | "ubatchTokens" | "flashAttention" | "sequences">;

/** Tokens of a batch whose logits have room at least, as native/llama_shim.c asks for. */
const LEAST_OUTPUTS = 128;

/** @param spec as the model will be loaded; contexts as the scheduler makes them */
export function memoryNeeded(header: GgufHeader, spec: MemorySpec): MemoryNeed {
  const contextTokens = contextOf(spec, header.contextTokens ?? DEFAULT_CONTEXT_TOKENS);
  if (hasEncoderAndDecoder(header)) return encoderDecoderMemory(header, contextTokens);
  const cache = looksBothWays(header) ? NOTHING_KEPT : cacheSize(header);
  const { running } = sequencesOf(spec, true);
  const sequences = sequencesOf(spec, cache.bytesPerSequence === 0).kept;
  const cells = cellsFor(roomOf(header, contextTokens, running));
  // a batch holds as many tokens of each sequence
  const tokens = Math.ceil(Math.min(spec.ubatchTokens, cells) / sequences) * sequences;
  const cacheBytes = cells * cache.bytesPerToken + sequences * cache.bytesPerSequence;
  const outputs = Math.min(Math.max(sequences, LEAST_OUTPUTS), tokens);
  const isFlash = spec.flashAttention !== false;
  // the logits take the place of what the layers no longer need
  const computeBytes = Math.max(
    graphBytes(header, cells, tokens, isFlash),
    logitsBytes(header, outputs) + lastBytes(header, cells, tokens, isFlash),
  );
  return needOf(header, cacheBytes, computeBytes, cache.isBound);
}

const NOTHING_KEPT: CacheSize = { bytesPerToken: 0, bytesPerSequence: 0, isBound: false };

/** As `encoder-decoder.ts` runs them: one text at a time, computed at once, without flash attention, all in 32 bits. */
function encoderDecoderMemory(header: GgufHeader, contextTokens: number): MemoryNeed {
  const cells = cellsFor(contextTokens);
  const { bytesPerToken, isBound } = cacheSize(header);
  const number = (key: string) => hyperparameter(header, key) ?? 0;
  // scores, their biases by distance and their sum, three masks
  const attending = 3 * number("attention.head_count") * cells + 3 * cells + 7 * number("embedding_length");
  const computeBytes = 4 * contextTokens * attending + logitsBytes(header, contextTokens);
  return needOf(header, 2 * cells * bytesPerToken, computeBytes, isBound);
}

function needOf(header: GgufHeader, cacheBytes: number, computeBytes: number, isBound: boolean): MemoryNeed {
  let weightsBytes = 0;
  for (const { bytes } of header.tensors.values()) weightsBytes += bytes;
  const totalBytes = weightsBytes + cacheBytes + computeBytes;
  return { weightsBytes, cacheBytes, computeBytes, totalBytes, isBound };
}

/** The largest part of the graph that is there at one time: a layer's attention, or its feed-forward. */
function graphBytes(header: GgufHeader, cells: number, tokens: number, isFlash: boolean): number {
  const number = (key: string) => hyperparameter(header, key) ?? 0;
  const width = number("embedding_length");
  const heads = number("attention.head_count");
  const headWidth = number("attention.key_length") || width / Math.max(1, heads);
  const q = heads * headWidth;
  const kv = 2 * (number("attention.head_count_kv") || heads) * headWidth;
  const experts = number("expert_used_count");
  const forward =
    experts === 0 ? number("feed_forward_length") : experts * (number("expert_feed_forward_length") + width);
  const feeding = 4 * (4 * width + 3 * forward);
  if (isFlash) return tokens * (2 * cells + Math.max(feeding, 4 * (4 * width + q + kv)));
  const attending = 4 * (heads * cells + 4 * width + q + kv);
  return tokens * (4 * cells + Math.max(feeding, attending));
}

/** The masks, and the last layer's result. */
function lastBytes(header: GgufHeader, cells: number, tokens: number, isFlash: boolean): number {
  return tokens * ((isFlash ? 2 : 4) * cells + 4 * (hyperparameter(header, "embedding_length") ?? 0));
}

function logitsBytes(header: GgufHeader, rows: number): number {
  const tokens = header.metadata.get("tokenizer.ggml.tokens");
  return rows * 4 * (typeof tokens === "object" ? tokens.length : 0);
}

/** @throws SpellError limit where less is free than the model needs */
export function refuseTooLarge(
  header: GgufHeader,
  spec: MemorySpec,
  memory: MachineMemory = machineMemory(),
): void {
  const need = memoryNeeded(header, spec);
  if (need.totalBytes <= memory.freeBytes) return;
  const contextHelps = need.weightsBytes < 0.9 * memory.freeBytes;
  throw new SpellError(
    "limit",
    `Cannot load the model: it needs ${need.isBound ? "up to " : ""}${megabytes(need.totalBytes)} of memory (weights ${megabytes(need.weightsBytes)}, context ${megabytes(need.cacheBytes)}, computing ${megabytes(need.computeBytes)}) and ${megabytes(memory.freeBytes)} ${memory.boundBy === "cgroup" ? "are left to this control group" : "are free"}: ${header.path}`,
    {
      data: { limit: "memory", path: header.path, ...need, freeBytes: memory.freeBytes },
      hint: `${contextHelps ? "Set a smaller context_size" : "Choose a smaller model or quantisation"}, or load it all the same with check_memory = false in [providers.local]`,
    },
  );
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
