import type { GenerateEvent, GenerateRequest, GenerateResult, ModelStats } from "./protocol.ts";

export interface GenerateHooks {
  /** The request's shared words; [0] nonzero cancels. */
  words: Int32Array;
  /** Undefined where nobody wants to know before the end. */
  emit?: ((event: GenerateEvent) => void) | undefined;
}

/** What makes the answers of one model: the scheduler, or for a model with an encoder its runner. Goes before its model. */
export interface Generator extends Disposable {
  /**
   * One answer, from prompt to end. Calls may be made while others run.
   * @throws SpellError context_overflow (nothing was decoded), invalid_argument, interrupted, provider
   */
  generate(request: GenerateRequest, hooks: GenerateHooks): Promise<GenerateResult>;
  /** Memory that it has taken beyond what `memoryNeeded` tells. */
  readonly addedBytes?: number;
  stats(): Omit<ModelStats, "path">;
  dispose(): void;
}
