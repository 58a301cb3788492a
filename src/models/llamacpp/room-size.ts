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
  // such models choose their rotary factors by the context's size: it must not pass where these change
  const changesAt = header.metadata.get(`${header.architecture}.rope.scaling.original_context_length`);
  return typeof changesAt === "number" && contextTokens <= changesAt ? Math.min(most, changesAt) : most;
}
