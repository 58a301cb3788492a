import type { LanguageModelV4Message } from "@ai-sdk/provider";

/** The messages of one turn: the user's, then the assistant's, with tool results between them. */
export type TurnMessages = readonly LanguageModelV4Message[];

/** The earlier turns of one conversation, cut to a number of messages by whole turns. */
export class Conversation {
  private turns: { messages: TurnMessages; bytes: number }[] = [];
  private totalBytes = 0;

  constructor(private readonly maxMessages: number) {}

  /** Size of what is kept, as JSON text. */
  get bytes(): number {
    return this.totalBytes;
  }

  messages(): LanguageModelV4Message[] {
    return this.turns.flatMap((turn) => turn.messages);
  }

  /** The turns that are kept, oldest first. */
  saved(): TurnMessages[] {
    return this.turns.map((turn) => turn.messages);
  }

  add(messages: TurnMessages): void {
    const bytes = Buffer.byteLength(JSON.stringify(messages));
    this.turns.push({ messages, bytes });
    this.totalBytes += bytes;
    let count = this.turns.reduce((sum, turn) => sum + turn.messages.length, 0);
    while (count > this.maxMessages) {
      const oldest = this.turns.shift()!;
      count -= oldest.messages.length;
      this.totalBytes -= oldest.bytes;
    }
  }
}
