import type { ModelParts } from "./model-parts.ts";

/** Most that the room of several requests may take beyond that of one. */
const SHARED_ROOM_BYTES = 256 << 20;
/** Requests that may fill their whole contexts at the same time, where memory allows. */
const FULL_CONTEXTS = 4;

/**
 * Tokens of the context that all requests to a model share: room for one whole context at least, for a few where that
 * takes little memory.
 */
export function roomTokens({ model, header, contextTokens }: ModelParts, sequences: number): number {
  const wanted = contextTokens * Math.min(sequences, FULL_CONTEXTS);
  const affordable = Math.floor(SHARED_ROOM_BYTES / model.bytesPerHeldToken);
  const most = Math.max(contextTokens, Math.min(wanted, affordable));
  // such models choose their rotary factors by the context's size: it must not pass where these change
  const changesAt = header.metadata.get(`${header.architecture}.rope.scaling.original_context_length`);
  return typeof changesAt === "number" && contextTokens <= changesAt ? Math.min(most, changesAt) : most;
}
