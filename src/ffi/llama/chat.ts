import { ptr } from "bun:ffi";
import { SpellError } from "../../core/errors.ts";
import { type Address, NativeHandle } from "./handle.ts";
import { cString } from "./library.ts";
import type { Model } from "./model.ts";

/** A chat call; messages and tools in the shapes of OpenAI's chat completions. Not several of tools, schema and grammar. */
export interface ChatRequest {
  messages: readonly Record<string, unknown>[];
  tools?: readonly Record<string, unknown>[];
  toolChoice?: "auto" | "required" | "none";
  /** What the arguments of calls keep to: rules in GBNF, under libllama-common's names of the tools' schemas. */
  toolRules?: { roots: Record<string, string>; rules: string };
  /** False: one call at most. Default: several where the template can say them. */
  parallelToolCalls?: boolean;
  /** The answer has to be of this grammar, within the template's own format: thinking may come before it. */
  schema?: { root: string; rules: string };
  /** The whole answer has to be of this GBNF grammar. */
  grammar?: string;
  /** Lets models that can do so think before they answer. Default true. */
  thinking?: boolean;
}

export interface ParsedAnswer {
  content: string;
  reasoning: string;
  toolCalls: { id: string; name: string; arguments: string }[];
}

/** The chat templates stored in a model. Owns the native templates; goes before its model. */
export class ChatTemplates extends NativeHandle {
  /** @throws SpellError model_invalid where the stored template cannot be parsed */
  static of(model: Model): ChatTemplates {
    const error = new BigUint64Array(new ArrayBuffer(8));
    const pointer = model.library.fn.spell_templates_new(model.pointer, ptr(error));
    if (pointer !== null) return new ChatTemplates(model, pointer);
    throw new SpellError(
      "model_invalid",
      `Cannot use the model's chat template: it is not valid: ${model.path}`,
      {
        data: { path: model.path, template: "tokenizer.chat_template" },
        hint: model.library.takeText(error[0]!),
      },
    );
  }

  private constructor(
    private readonly model: Model,
    pointer: Address,
  ) {
    super(pointer, "the chat templates");
  }

  protected free(pointer: Address): void {
    this.model.library.fn.spell_templates_free(pointer);
  }

  /**
   * @throws SpellError invalid_argument where the template cannot say the call (a role, a tool); model_invalid where it
   * cannot even say a greeting
   */
  render(request: ChatRequest): Chat {
    try {
      return this.tryRender(request);
    } catch (error) {
      this.checkGreeting();
      throw error;
    }
  }

  private tryRender(request: ChatRequest): Chat {
    const { fn } = this.model.library;
    const pointer = fn.spell_chat_new(this.pointer, cString(JSON.stringify(request)))!;
    return new Chat(this.model, pointer);
  }

  private checkGreeting(): void {
    try {
      this.tryRender({ messages: [{ role: "user", content: "Hello" }] }).dispose();
    } catch (cause) {
      const { path } = this.model;
      throw new SpellError("model_invalid", `Cannot use the model's chat template: it fails: ${path}`, {
        data: { path, template: "tokenizer.chat_template" },
        hint: "Fetch or convert the model again, or use a file with another template",
        cause,
      });
    }
  }
}

/** A rendered call. Owns the `spell_chat`: the prompt, the grammar and the parser of its answer. */
export class Chat extends NativeHandle {
  readonly prompt: string;
  /** Texts that end the answer, besides the vocabulary's own end tokens. */
  readonly stops: readonly string[];
  /** The answer is its text; there is nothing to parse. */
  readonly isPlain: boolean;

  constructor(
    private readonly model: Model,
    pointer: Address,
  ) {
    super(pointer, "the chat call");
    const { fn } = model.library;
    const described = JSON.parse(model.library.takeText(fn.spell_chat_describe(pointer)));
    if (described.error !== undefined) {
      this.dispose();
      throw new SpellError(
        "invalid_argument",
        `Cannot render the conversation: ${described.error}: ${model.path}`,
        {
          data: { path: model.path },
          hint: "The model's chat template or its tool format does not take this call",
        },
      );
    }
    this.prompt = described.prompt;
    this.stops = described.stops;
    this.isPlain = described.plain;
  }

  protected free(pointer: Address): void {
    this.model.library.fn.spell_chat_free(pointer);
  }

  /** Content, reasoning and tool calls of an answer; undefined where it is not of the expected format. */
  parse(answer: string, partial: boolean): ParsedAnswer | undefined {
    const { fn, takeText } = this.model.library;
    const bytes = cString(answer);
    const parsed = JSON.parse(
      takeText(fn.spell_chat_parse(this.pointer, ptr(bytes), bytes.length - 1, partial)),
    );
    return parsed.error === undefined ? parsed : undefined;
  }
}
