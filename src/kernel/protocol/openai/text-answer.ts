/** `POST /v1/completions`: the answer, whole and in chunks. */
import type { LanguageModelV4Usage } from "@ai-sdk/provider";
import { finishReasonOf, newHead, type Result, type StreamPart, usageOf, type Writer } from "./answer.ts";
import type { Call } from "./settings.ts";

export class TextWriter implements Writer {
  private readonly head;

  /** @param model the id under which the answer names the model */
  constructor(
    private readonly call: Call,
    model: string,
  ) {
    this.head = newHead("cmpl", model);
  }

  whole(results: readonly Result[]): object {
    const choices = results.map(({ content, finishReason }, index) => {
      const text = content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
      return choiceOf(index, text, finishReasonOf(finishReason));
    });
    const usages = results.map(({ usage }) => usage);
    return this.answer(choices, { usage: usageOf(this.call.choices, usages) });
  }

  chunks(choice: number, part: StreamPart): object[] {
    const usage = this.call.includeUsage ? { usage: null } : {};
    if (part.type === "text-delta") return [this.answer([choiceOf(choice, part.delta, null)], usage)];
    if (part.type === "finish")
      return [this.answer([choiceOf(choice, "", finishReasonOf(part.finishReason))], usage)];
    return [];
  }

  usageChunk(usages: readonly LanguageModelV4Usage[]): object {
    return this.answer([], { usage: usageOf(this.call.choices, usages) });
  }

  private answer(choices: object[], more: object): object {
    const { id, created, model } = this.head;
    return { id, object: "text_completion", created, model, choices, ...more };
  }
}

function choiceOf(index: number, text: string, finish_reason: string | null): object {
  return { text, index, logprobs: null, finish_reason };
}
