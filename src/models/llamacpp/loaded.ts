import { SpellError } from "../../core/errors.ts";
import { type Chat, ChatTemplates } from "../../ffi/llama/chat.ts";
import { Context } from "../../ffi/llama/context.ts";
import type { LlamaLibrary } from "../../ffi/llama/library.ts";
import { Model } from "../../ffi/llama/model.ts";
import type { SamplerOptions } from "../../ffi/llama/sampler.ts";
import { readGguf } from "./gguf.ts";
import { DEFAULT_CONTEXT_TOKENS, type LoadedModel, type ModelSpec, type PromptRequest } from "./protocol.ts";
import { defaultSampling } from "./sampling.ts";
import { threadsFor } from "./threads.ts";

/** A prompt in tokens. `chat` says how its answer is constrained and read; its owner disposes of it. */
export interface Prompt {
  tokens: Int32Array;
  chat: Chat | undefined;
  grammar: string | undefined;
}

/** A model with its context and templates: one owner for all three. */
export class Loaded implements Disposable {
  readonly sampling: Omit<SamplerOptions, "seed">;
  /** Tokens whose state the context holds in sequence 0, in order. */
  held = new Int32Array(0);
  /** An answer is being made with the context: it must not be disposed of. */
  busy = false;
  private templates: ChatTemplates | undefined;

  /** @param words the load's shared words, see `protocol.ts` */
  static load(library: LlamaLibrary, spec: ModelSpec, words: Int32Array): Loaded {
    const header = readGguf(spec.path);
    if (header.tensorCount === 0)
      throw new SpellError(
        "model_invalid",
        `Cannot use the model: it has a vocabulary only, no weights: ${spec.path}`,
      );
    const model = Model.load(library, spec.path, { gpuLayers: spec.gpuLayers, words });
    try {
      if (model.hasEncoder || !model.hasDecoder)
        throw new SpellError(
          "model_invalid",
          `Cannot generate text with the model: ${header.architecture} is no decoder: ${spec.path}`,
          {
            data: { path: spec.path, architecture: header.architecture },
            hint: "Choose a model that continues text, for example of the llama, qwen or gemma family",
          },
        );
      const wanted = spec.contextTokens || Math.min(model.trainedContextTokens, DEFAULT_CONTEXT_TOKENS);
      const context = Context.create(model, {
        contextTokens: wanted,
        batchTokens: Math.min(spec.batchTokens, wanted),
        ubatchTokens: spec.ubatchTokens,
        sequences: 1,
        threads: spec.threads || threadsFor(header.parameterCount),
        flashAttention: spec.flashAttention,
      });
      return new Loaded(spec, header.sizeBytes, model, context);
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  private constructor(
    readonly spec: ModelSpec,
    readonly sizeBytes: number,
    readonly model: Model,
    readonly context: Context,
  ) {
    this.sampling = defaultSampling(model);
  }

  describe(): LoadedModel {
    return {
      path: this.spec.path,
      description: this.model.describe(),
      contextTokens: this.context.contextTokens,
      trainedContextTokens: this.model.trainedContextTokens,
      vocabularySize: this.model.vocabularySize,
    };
  }

  prompt(request: PromptRequest): Prompt {
    if ("text" in request) {
      const tokens = this.model.tokenize(request.text, true, true);
      return { tokens, chat: undefined, grammar: request.grammar };
    }
    this.templates ??= ChatTemplates.of(this.model);
    const chat = this.templates.render(request.chat);
    // libllama-common leaves the begin token to the tokenizer, as llama-server does
    return { tokens: this.model.tokenize(chat.prompt, true, true), chat, grammar: undefined };
  }

  dispose(): void {
    this.templates?.dispose();
    this.context.dispose();
    this.model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
