/** The parts of a streamed answer as they are kept: without times, deltas of one block together in one entry. */
import type { LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { errorFromJson, errorToJson, SpellError } from "../../core/errors.ts";

/** `deltas` in place of `delta`; everything else as it came. */
export type KeptPart = Record<string, unknown>;

const DELTAS = new Set(["text-delta", "reasoning-delta", "tool-input-delta"]);

export function keepParts(parts: readonly LanguageModelV4StreamPart[]): KeptPart[] {
  const kept: KeptPart[] = [];
  for (const part of parts) {
    if (part.type === "raw") continue;
    if (part.type === "response-metadata") {
      const { timestamp: _time, ...rest } = part;
      kept.push(rest);
    } else if (part.type === "error") kept.push({ type: "error", error: keptError(part.error) });
    else if (DELTAS.has(part.type) && !("providerMetadata" in part && part.providerMetadata !== undefined)) {
      const { type, id, delta } = part as { type: string; id: string; delta: string };
      const last = kept.at(-1);
      if (last?.type === type && last.id === id && Array.isArray(last.deltas)) last.deltas.push(delta);
      else kept.push({ type, id, deltas: [delta] });
    } else kept.push({ ...part });
  }
  return kept;
}

export function partsOf(kept: readonly KeptPart[]): LanguageModelV4StreamPart[] {
  return kept.flatMap((part) => {
    if (Array.isArray(part.deltas)) {
      const { type, id, deltas } = part;
      return deltas.map((delta) => ({ type, id, delta }) as LanguageModelV4StreamPart);
    }
    if (part.type === "error") return { type: "error", error: errorOf(part.error) };
    return part as unknown as LanguageModelV4StreamPart;
  });
}

function keptError(error: unknown): unknown {
  if (error instanceof SpellError) return { spell: errorToJson(error) };
  const { message, statusCode } = (error ?? {}) as { message?: unknown; statusCode?: unknown };
  return {
    message: typeof message === "string" ? message : String(error),
    ...(typeof statusCode === "number" ? { statusCode } : {}),
  };
}

function errorOf(kept: unknown): Error {
  const { spell, message, statusCode } = kept as {
    spell?: Parameters<typeof errorFromJson>[0];
    message?: string;
    statusCode?: number;
  };
  if (spell !== undefined) return errorFromJson(spell);
  return Object.assign(new Error(message), statusCode === undefined ? {} : { statusCode });
}

/**
 * A stream of these.
 * @param beforeLast is waited for before the last one
 * @param ended called when the last one was taken, or nobody reads on
 */
export function streamOf(
  parts: readonly LanguageModelV4StreamPart[],
  beforeLast?: () => Promise<void>,
  ended: () => void = () => undefined,
): ReadableStream<LanguageModelV4StreamPart> {
  let next = 0;
  return new ReadableStream<LanguageModelV4StreamPart>(
    {
      async pull(controller) {
        if (next === parts.length - 1) await beforeLast?.();
        const part = parts[next++];
        if (part !== undefined) {
          controller.enqueue(part);
          return;
        }
        controller.close();
        ended();
      },
      cancel: ended,
    },
    { highWaterMark: 0 },
  );
}
