import type { Chat, ParsedAnswer } from "../../ffi/llama/chat.ts";
import type { GenerateEvent } from "./protocol.ts";

/** Parsing may take this share of the time at most; a long answer is parsed less often than once a token. */
const PARSE_SHARE = 0.03;

/** Turns an answer's growing text into events: text and reasoning apart, as the model's format has them; tool calls come with its end. */
export class AnswerStream {
  text = "";
  private sent = { content: "", reasoning: "" };
  private nextParseMs = 0;

  /**
   * @param chat undefined, or one without a format: the answer is its text
   * @param emit undefined where nobody wants the text before its end
   */
  constructor(
    private readonly chat: Chat | undefined,
    private readonly emit: ((event: GenerateEvent) => void) | undefined,
  ) {}

  push(text: string): void {
    if (text === "") return;
    this.text += text;
    if (this.emit === undefined) return;
    if (this.isPlain) {
      this.emit({ type: "text", text });
      return;
    }
    const startedMs = performance.now();
    if (startedMs < this.nextParseMs) return;
    const parsed = this.chat!.parse(this.text, true);
    const endedMs = performance.now();
    this.nextParseMs = endedMs + (endedMs - startedMs) / PARSE_SHARE;
    if (parsed !== undefined) this.send(parsed);
  }

  /**
   * The whole answer, with what was not sent yet. Text that does not keep to the format, cut off or wrong, counts as far
   * as it can be read, else as content.
   * @param complete false where the model was stopped before its end
   */
  end(complete: boolean): ParsedAnswer {
    if (this.isPlain) return { content: this.text, reasoning: "", toolCalls: [] };
    const parsed = (complete ? this.chat!.parse(this.text, false) : undefined) ?? this.readable();
    this.send(parsed);
    return parsed;
  }

  private get isPlain(): boolean {
    return this.chat === undefined || this.chat.isPlain;
  }

  private readable(): ParsedAnswer {
    const parsed = this.chat!.parse(this.text, true);
    if (
      parsed === undefined ||
      (parsed.content === "" && parsed.reasoning === "" && parsed.toolCalls.length === 0)
    )
      return { content: this.text, reasoning: "", toolCalls: [] };
    // the last call may have been cut off, in the middle of a text that a tool would take for the whole
    return {
      ...parsed,
      toolCalls: parsed.toolCalls
        .slice(0, -1)
        .filter(({ name, arguments: json }) => name !== "" && isJson(json)),
    };
  }

  private send(parsed: ParsedAnswer): void {
    const reasoning = addition(this.sent.reasoning, parsed.reasoning);
    if (reasoning !== "") this.emit?.({ type: "reasoning", text: reasoning });
    const content = addition(this.sent.content, parsed.content);
    if (content !== "") this.emit?.({ type: "text", text: content });
    this.sent = { reasoning: this.sent.reasoning + reasoning, content: this.sent.content + content };
  }
}

/** What `after` has more than `before`; nothing where it does not continue it. */
function addition(before: string, after: string): string {
  return after.startsWith(before) ? after.slice(before.length) : "";
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // the answer is the question
  }
}
