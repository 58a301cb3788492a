/** Models that do not ask again what they have been answered. */
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
  SharedV4ProviderMetadata,
} from "@ai-sdk/provider";
import { requestKey } from "../../core/request-key.ts";
import { fromWire, toWire } from "../../core/wire-values.ts";
import { callFacts } from "../call-facts.ts";
import type { SpellModel } from "../service.ts";
import type { AnswerStore } from "./answer-store.ts";
import { around } from "./around.ts";
import { type KeptPart, keepParts, partsOf, streamOf } from "./parts.ts";
import { isBounded, normalRequest } from "./request.ts";

export interface CacheOptions {
  store: AnswerStore;
  /** What distinguishes models of the same name: where they answer. */
  place: string;
  /** Whether answers that chance had a part in are used too. */
  sampled: () => boolean;
}

export function cachedModel(model: SpellModel, { store, place, sampled }: CacheOptions): SpellModel {
  const keyOf = (options: LanguageModelV4CallOptions): string | undefined => {
    const isSampled = options.temperature !== 0 && options.seed === undefined;
    if (isSampled && !sampled()) return undefined;
    return requestKey("model", `${model.provider}/${model.modelId}`, [place, normalRequest(options)]);
  };
  return around(model, {
    async doStream(options) {
      const key = keyOf(options);
      if (key === undefined) return model.doStream(options);
      const known = await store.get(key);
      if (known !== undefined)
        return { stream: streamOf(partsOf(fromWire(known) as KeptPart[]).map(marked)) };
      const result = await model.doStream(options);
      const parts: LanguageModelV4StreamPart[] = [];
      const keep = new TransformStream<LanguageModelV4StreamPart, LanguageModelV4StreamPart>({
        transform(part, controller) {
          parts.push(part);
          controller.enqueue(part);
        },
        async flush() {
          if (isWhole(parts, isBounded(options), model))
            await store.set(key, toWire(keepParts(parts)) as KeptPart[]);
        },
      });
      return { ...result, stream: result.stream.pipeThrough(keep) };
    },
  });
}

/** Ended as an answer ends, with no failure in it, not where only a budget ended it, and given by the model itself. */
function isWhole(parts: readonly LanguageModelV4StreamPart[], isBound: boolean, model: SpellModel): boolean {
  const last = parts.findLast((part) => part.type === "finish");
  if (last === undefined || parts.some((part) => part.type === "error")) return false;
  const { answeredBy } = callFacts(last.providerMetadata);
  if (answeredBy !== undefined && answeredBy.model !== model.modelId) return false;
  const { unified } = last.finishReason;
  return unified === "stop" || unified === "tool-calls" || (unified === "length" && !isBound);
}

function marked(part: LanguageModelV4StreamPart): LanguageModelV4StreamPart {
  if (part.type !== "finish") return part;
  const providerMetadata: SharedV4ProviderMetadata = {
    ...part.providerMetadata,
    llmspell: { cached: true },
  };
  return { ...part, providerMetadata };
}
