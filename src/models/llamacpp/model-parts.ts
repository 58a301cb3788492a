import { SpellError } from "../../core/errors.ts";
import { type Chat, ChatTemplates } from "../../ffi/llama/chat.ts";
import type { Device } from "../../ffi/llama/devices.ts";
import type { LlamaLibrary } from "../../ffi/llama/library.ts";
import { Model } from "../../ffi/llama/model.ts";
import type { SamplerOptions } from "../../ffi/llama/sampler.ts";
import { chooseDevices, deviceOf } from "./devices.ts";
import { type GgufHeader, readGguf } from "./gguf.ts";
import { plainPrompt, readsPlainText } from "./plain-prompt.ts";
import { DEFAULT_CONTEXT_TOKENS, type ModelSpec, type PromptRequest } from "./protocol.ts";
import { contextOf } from "./room-size.ts";
import { defaultSampling } from "./sampling.ts";
import { threadsFor } from "./threads.ts";
import type { Turns } from "./turns.ts";

/** A prompt in tokens. `chat` says how its answer is constrained and read; its owner disposes of it. */
export interface Prompt {
  tokens: Int32Array;
  chat: Chat | undefined;
  grammar: string | undefined;
}

/** A model's weights, vocabulary and templates: what all its users share. */
export class ModelParts implements Disposable {
  readonly sampling: Omit<SamplerOptions, "seed">;
  /** Tokens of the context that a user of the model is to make. */
  readonly contextTokens: number;
  readonly threads: number;
  private templates: ChatTemplates | undefined;

  /**
   * @param words the load's shared words, see `protocol.ts`
   * @throws SpellError model_invalid, interrupted
   */
  static load(
    library: LlamaLibrary,
    spec: ModelSpec,
    words: Int32Array,
    turns: Turns,
    header = readGguf(spec.path),
  ): ModelParts {
    if (header.tensors.size === 0)
      throw new SpellError(
        "model_invalid",
        `Cannot use the model: it has a vocabulary only, no weights: ${spec.path}`,
      );
    if (spec.numa !== undefined) library.backends.spread(spec.numa);
    const { devices } = chooseDevices(library.backends, deviceOf(spec));
    const model = Model.load(library, spec.path, {
      devices,
      gpuLayers: spec.gpuLayers,
      contextTokens: contextOf(spec, header.contextTokens ?? DEFAULT_CONTEXT_TOKENS),
      words,
    });
    return new ModelParts(spec, header, model, turns, devices);
  }

  private constructor(
    readonly spec: ModelSpec,
    readonly header: GgufHeader,
    readonly model: Model,
    readonly turns: Turns,
    /** What layers are on; empty: the processor has them all. */
    readonly devices: readonly Device[],
  ) {
    this.sampling = defaultSampling(model);
    this.contextTokens = contextOf(spec, model.trainedContextTokens);
    this.threads = spec.threads || threadsFor(header.parameterCount);
  }

  prompt(request: PromptRequest): Prompt {
    if ("text" in request) {
      const tokens = this.model.tokenize(request.text, true, true);
      return { tokens, chat: undefined, grammar: request.grammar };
    }
    if (readsPlainText(this.header)) return this.prompt(plainPrompt(request.chat));
    this.templates ??= ChatTemplates.of(this.model);
    const chat = this.templates.render(request.chat);
    // libllama-common leaves the begin token to the tokenizer, as llama-server does
    return { tokens: this.model.tokenize(chat.prompt, true, true), chat, grammar: undefined };
  }

  dispose(): void {
    this.templates?.dispose();
    this.model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
