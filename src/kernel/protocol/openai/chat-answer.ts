/** `POST /v1/chat/completions`: the answer, whole and in chunks. */
import type { LanguageModelV4Usage } from "@ai-sdk/provider";
import { finishReasonOf, newHead, type Result, type StreamPart, usageOf, type Writer } from "./answer.ts";
import type { Call } from "./settings.ts";

export class ChatWriter implements Writer {
  private readonly head;
  private readonly streams: ChoiceStream[];

  /** @param model the id under which the answer names the model */
  constructor(
    private readonly call: Call,
    model: string,
  ) {
    this.head = newHead("chatcmpl", model);
    this.streams = call.choices.map(() => new ChoiceStream());
  }

  whole(results: readonly Result[]): object {
    const { id, created, model } = this.head;
    return {
      id,
      object: "chat.completion",
      created,
      model,
      choices: results.map((result, index) => ({
        index,
        message: messageOf(result),
        logprobs: null,
        finish_reason: finishReasonOf(result.finishReason),
      })),
      usage: usageOf(
        this.call.choices,
        results.map(({ usage }) => usage),
      ),
    };
  }

  chunks(choice: number, part: StreamPart): object[] {
    return this.streams[choice]!.deltas(part).map(({ delta, finish_reason }) =>
      this.chunk(
        [{ index: choice, delta, logprobs: null, finish_reason }],
        this.call.includeUsage ? { usage: null } : {},
      ),
    );
  }

  usageChunk(usages: readonly LanguageModelV4Usage[]): object {
    return this.chunk([], { usage: usageOf(this.call.choices, usages) });
  }

  private chunk(choices: object[], more: object): object {
    const { id, created, model } = this.head;
    return { id, object: "chat.completion.chunk", created, model, choices, ...more };
  }
}

function messageOf({ content }: Result): object {
  const texts = content.flatMap((part) => (part.type === "text" ? [part.text] : []));
  const reasoning = content.flatMap((part) => (part.type === "reasoning" ? [part.text] : [])).join("");
  const calls = content.flatMap((part) => (part.type === "tool-call" ? [part] : []));
  return {
    role: "assistant",
    content: texts.length === 0 && calls.length > 0 ? null : texts.join(""),
    refusal: null,
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map(({ toolCallId, toolName, input }) => ({
            id: toolCallId,
            type: "function",
            function: { name: toolName, arguments: input },
          })),
        }),
  };
}

interface Delta {
  delta: object;
  finish_reason: string | null;
}

/** The deltas of one choice. The role comes first and once; a tool call's name comes before its arguments. */
class ChoiceStream {
  private hasRole = false;
  /** Ids of the calls begun, in order: a call's place is its index. */
  private readonly calls: string[] = [];

  deltas(part: StreamPart): Delta[] {
    switch (part.type) {
      case "text-delta":
        return this.send({ content: part.delta });
      case "reasoning-delta":
        return this.send({ reasoning_content: part.delta });
      case "tool-input-start":
        return this.begin(part.id, part.toolName);
      case "tool-input-delta":
        return this.argumentsOf(part.id, part.delta);
      case "tool-call":
        // one that was written bit by bit has been sent
        if (this.calls.includes(part.toolCallId)) return [];
        return [
          ...this.begin(part.toolCallId, part.toolName),
          ...this.argumentsOf(part.toolCallId, part.input),
        ];
      case "finish":
        return [...this.send(), { delta: {}, finish_reason: finishReasonOf(part.finishReason) }];
      default:
        return [];
    }
  }

  private begin(id: string, name: string): Delta[] {
    this.calls.push(id);
    const index = this.calls.length - 1;
    return this.send({ tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] });
  }

  private argumentsOf(id: string, text: string): Delta[] {
    return this.send({ tool_calls: [{ index: this.calls.indexOf(id), function: { arguments: text } }] });
  }

  private send(delta?: object): Delta[] {
    const deltas = [
      ...(this.hasRole ? [] : [{ role: "assistant", content: "" }]),
      ...(delta === undefined ? [] : [delta]),
    ];
    this.hasRole = true;
    return deltas.map((d) => ({ delta: d, finish_reason: null }));
  }
}
