import { SpellError } from "../../core/errors.ts";
import type { LlamaLibrary } from "../../ffi/llama/library.ts";
import type { Model } from "../../ffi/llama/model.ts";
import { abilitiesOf } from "./abilities.ts";
import { deviceNames } from "./devices.ts";
import { Embedder } from "./embedder.ts";
import { EncoderDecoder } from "./encoder-decoder.ts";
import type { Generator } from "./generator.ts";
import type { GgufHeader } from "./gguf.ts";
import { ModelParts, type Prompt } from "./model-parts.ts";
import type { LoadedModel, ModelSpec, ModelStats, PromptRequest } from "./protocol.ts";
import { Scheduler } from "./scheduler.ts";
import type { Turns } from "./turns.ts";

/** A model in memory and its users, each made at its first use with a context of its own: one owner for all. */
export class Loaded implements Disposable {
  private madeGenerator: Generator | undefined;
  private madeEmbedder: Embedder | undefined;

  /** @param words the load's shared words, see `protocol.ts` */
  static load(
    library: LlamaLibrary,
    spec: ModelSpec,
    words: Int32Array,
    turns: Turns,
    header?: GgufHeader,
  ): Loaded {
    return new Loaded(ModelParts.load(library, spec, words, turns, header));
  }

  private constructor(private readonly parts: ModelParts) {}

  get spec(): ModelSpec {
    return this.parts.spec;
  }

  get model(): Model {
    return this.parts.model;
  }

  /** Memory taken beyond what `memoryNeeded` tells. */
  get addedBytes(): number {
    return this.madeGenerator?.addedBytes ?? 0;
  }

  get isOnGpu(): boolean {
    return this.parts.devices.length > 0;
  }

  /** @throws SpellError model_invalid where the model cannot continue text; limit */
  get generator(): Generator {
    this.madeGenerator ??= this.makeGenerator();
    return this.madeGenerator;
  }

  /** @throws SpellError limit */
  get embedder(): Embedder {
    this.madeEmbedder ??= new Embedder(this.parts);
    return this.madeEmbedder;
  }

  /** Makes what the first call will need, so far as the model's kind tells. @throws SpellError limit */
  prepare(): void {
    if (abilitiesOf(this.parts.header).generates) this.generator;
  }

  describe(): LoadedModel {
    const { model, spec, contextTokens } = this.parts;
    return {
      path: spec.path,
      description: model.describe(),
      contextTokens,
      trainedContextTokens: model.trainedContextTokens,
      vocabularySize: model.vocabularySize,
      device: deviceNames(this.parts.devices),
    };
  }

  /** Undefined for a model that generates nothing at the moment. */
  stats(): ModelStats | undefined {
    return this.madeGenerator && { path: this.spec.path, ...this.madeGenerator.stats() };
  }

  prompt(request: PromptRequest): Prompt {
    return this.parts.prompt(request);
  }

  dispose(): void {
    this.madeEmbedder?.dispose();
    this.madeGenerator?.dispose();
    this.parts.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private makeGenerator(): Generator {
    const { model, header, spec } = this.parts;
    if (abilitiesOf(header).generates)
      return model.hasEncoder ? new EncoderDecoder(this.parts) : new Scheduler(this.parts);
    throw new SpellError(
      "model_invalid",
      `Cannot generate text with the model: ${header.architecture} is no decoder: ${spec.path}`,
      {
        data: { path: spec.path, architecture: header.architecture },
        hint: "Choose a model that continues text, for example of the llama, qwen or gemma family",
      },
    );
  }
}
