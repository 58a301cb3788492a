import { cacheSize } from "./cache-size.ts";
import type { GgufHeader } from "./gguf.ts";
import { DEFAULT_CONTEXT_TOKENS, type ModelSpec } from "./protocol.ts";

/** Most that the room of several requests may take beyond that of one. */
const SHARED_ROOM_BYTES = 256 << 20;
/** Requests that may fill their whole contexts at the same time, where memory allows. */
const FULL_CONTEXTS = 4;

const DEFAULT_SEQUENCES = 8;
const MOST_SEQUENCES = 128;
/** Sequences that are kept for later besides those of running requests. */
const KEPT_SEQUENCES = 16;
/** A recurrent state takes as much memory as a long sequence. */
const KEPT_STATES = 2;

/** Most that parts of the memory, one for each sequence, may take: of all, and of what is free. */
const SEPARATE_BYTES = 1 << 30;
const SEPARATE_SHARE = 0.25;
const LEAST_PART_TOKENS = 512;

/** Tokens of one request's context. */
export function contextOf(spec: Pick<ModelSpec, "contextTokens">, trainedContextTokens: number): number {
  return spec.contextTokens || Math.min(trainedContextTokens, DEFAULT_CONTEXT_TOKENS);
}

/** Sequences of requests that run at the same time, and of these with those that are kept for later. */
export function sequencesOf(
  { sequences }: Pick<ModelSpec, "sequences">,
  forgetsParts: boolean,
): { running: number; kept: number } {
  const running = Math.max(1, Math.min(sequences || DEFAULT_SEQUENCES, MOST_SEQUENCES));
  return { running, kept: running + (forgetsParts ? KEPT_SEQUENCES : KEPT_STATES) };
}

/**
 * Tokens of the context that all requests to a model share: room for one whole context at least, for a few where that
 * takes little memory.
 */
export function roomOf(header: GgufHeader, contextTokens: number, sequences: number): number {
  const wanted = contextTokens * Math.min(sequences, FULL_CONTEXTS);
  const affordable = Math.floor(SHARED_ROOM_BYTES / Math.max(1, cacheSize(header).bytesPerToken));
  const most = Math.max(contextTokens, Math.min(wanted, affordable));
  const changesAt = ropeChangesAt(header);
  return contextTokens <= changesAt ? Math.min(most, changesAt) : most;
}

/** Where a context's size makes llama.cpp choose other rotary factors: those of one request must stay on their side of it. */
export function ropeChangesAt(header: GgufHeader): number {
  const tokens = header.metadata.get(`${header.architecture}.rope.scaling.original_context_length`);
  return typeof tokens === "number" ? tokens : Number.POSITIVE_INFINITY;
}

/** llama.cpp's context sizes are multiples of it. */
const CELLS = 256;

export const cellsFor = (contextTokens: number): number => Math.ceil(contextTokens / CELLS) * CELLS;

/** Parts of the memory, one for each sequence. */
export interface Parts {
  count: number;
  /** Of each, a multiple of what llama.cpp wants. */
  tokens: number;
  bytes: number;
}

/**
 * Parts for the sequences that run, each long enough for the longest, and for some that are kept where that takes little.
 * Undefined where those that run take too much.
 */
export function partsFor(
  header: GgufHeader,
  {
    longestTokens,
    contextTokens,
    running,
    freeBytes,
  }: { longestTokens: number; contextTokens: number; running: number; freeBytes: number },
): Parts | undefined {
  let tokens = LEAST_PART_TOKENS;
  while (tokens < longestTokens) tokens *= 2;
  tokens = Math.min(tokens, cellsFor(contextTokens));
  const partBytes = Math.max(1, tokens * cacheSize(header).bytesPerToken);
  const within = (bytes: number) => Math.floor(bytes / partBytes) - running;
  const affordable = within(Math.min(SEPARATE_BYTES, freeBytes * SEPARATE_SHARE));
  if (affordable < 0) return undefined;
  const kept = Math.max(0, Math.min(KEPT_SEQUENCES, within(SHARED_ROOM_BYTES), affordable));
  return { count: running + kept, tokens, bytes: (running + kept) * partBytes };
}
