import type {
  JSONValue,
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4Warning,
} from "@ai-sdk/provider";
import { SpellError } from "../../../core/errors.ts";
import { checkAnswer } from "../../answer-rule.ts";
import { addRetries, withRetries } from "../../call-facts.ts";
import { brokeOff, type CalledModel, callFailure, providerError } from "../../provider-error.ts";
import type { CallState } from "./transport.ts";

type Part = LanguageModelV4StreamPart;
type Finish = Extract<Part, { type: "finish" }>;

/** What has come of an answer, and whether that is one. */
export class AnswerGuard {
  private hasContent = false;

  constructor(
    private readonly model: CalledModel,
    private readonly call: CallState,
    private readonly options: LanguageModelV4CallOptions,
    private readonly hide: (text: string) => string,
  ) {}

  /**
   * The parts of a stream, ended by exactly one `finish` or by what is thrown.
   * @throws SpellError for an answer that broke off, is empty or was withheld
   */
  async *parts(
    stream: ReadableStream<Part>,
    onWarnings: (warnings: readonly SharedV4Warning[]) => void,
  ): AsyncGenerator<Part, void, void> {
    let isFinished = false;
    try {
      for await (const part of stream) {
        if (part.type === "error") throw part.error;
        if (part.type === "raw") continue;
        if (part.type === "stream-start") onWarnings(part.warnings);
        if (part.type !== "finish") {
          this.note(part);
          yield withRetries(part, this.call.retries);
          continue;
        }
        isFinished = true;
        this.check(part);
        const finishReason = usualReason(part.finishReason);
        yield {
          ...part,
          finishReason,
          providerMetadata: { ...part.providerMetadata, llmspell: this.told() },
        };
      }
    } catch (error) {
      throw this.failure(error);
    }
    if (!isFinished) throw this.failure(brokeOff(this.model));
  }

  /** A whole answer. @throws SpellError as `parts` */
  whole(
    content: readonly LanguageModelV4Content[],
    end: { finishReason: LanguageModelV4FinishReason; usage: LanguageModelV4Usage },
  ): Record<string, JSONValue> {
    this.hasContent = content.some(isAnswer);
    this.check(end);
    return this.told();
  }

  /**
   * What a client threw, in the form of this program, with the repetitions before it; without what the client sent, which
   * may hold secrets.
   */
  failure(error: unknown): unknown {
    return addRetries(this.reason(error), this.call.retries);
  }

  private reason(error: unknown): unknown {
    const { abortSignal } = this.options;
    if (abortSignal?.aborted) return abortSignal.reason;
    for (let cause = error; cause instanceof Error; cause = cause.cause)
      if (cause instanceof SpellError) return cause;
    // clients complain of answers that have no end
    if (this.call.hasEnded && !this.call.isWhole) return brokeOff(this.model);
    const { message, data } = providerError(this.model, error);
    const reason = message.slice(message.indexOf(": ") + 2);
    return callFailure(this.model, this.hide(reason).slice(0, 1000), { data });
  }

  private note(part: Part): void {
    this.hasContent ||=
      part.type === "text-delta"
        ? part.delta !== ""
        : ["tool-call", "tool-input-start", "file"].includes(part.type);
  }

  private check({ finishReason, usage }: Pick<Finish, "finishReason" | "usage">): void {
    const { total: inputTokens = 0 } = usage.inputTokens;
    this.call.taken?.settle((inputTokens ?? 0) + (usage.outputTokens.total ?? 0));
    if (finishReason.raw === undefined && !this.call.isWhole) throw brokeOff(this.model);
    checkAnswer(this.model, this.options, { hasContent: this.hasContent, finishReason, usage });
  }

  private told(): Record<string, JSONValue> {
    return { retries: this.call.retries };
  }
}

/** Whether a whole answer's part says or does something. */
const isAnswer = (part: LanguageModelV4Content): boolean =>
  part.type === "text" ? part.text !== "" : ["tool-call", "file"].includes(part.type);

/** Together's word for an answer that its model ended. */
export function usualReason({ unified, raw }: LanguageModelV4FinishReason): LanguageModelV4FinishReason {
  return raw === "eos" ? { unified: "stop", raw } : { unified, raw };
}
