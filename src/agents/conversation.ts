import type { LanguageModelV4Message } from "@ai-sdk/provider";

/** The messages of one turn: the user's, then the assistant's, with tool results between them. */
export type TurnMessages = readonly LanguageModelV4Message[];

/** What of a conversation is kept. */
export interface SavedConversation {
  /** Oldest first; a summary is the first of them. */
  turns: TurnMessages[];
  /** The turns that the summary stands for. Empty: there is none. */
  replaced: TurnMessages[];
}

interface Kept {
  messages: TurnMessages;
  bytes: number;
}

/** The earlier turns of one conversation, cut to a number of messages by whole turns. */
export class Conversation {
  private turns: Kept[] = [];
  private replaced: Kept[] = [];
  private totalBytes = 0;

  constructor(private readonly maxMessages: number) {}

  static restored(saved: SavedConversation, maxMessages: number): Conversation {
    const conversation = new Conversation(maxMessages);
    conversation.replaced = saved.replaced.map((messages) => conversation.kept(messages));
    for (const messages of saved.turns) conversation.add(messages);
    return conversation;
  }

  /** Size of what is kept, as JSON text. */
  get bytes(): number {
    return this.totalBytes;
  }

  get length(): number {
    return this.turns.length;
  }

  /** @param turns of the oldest so many only */
  messages(turns = this.turns.length): LanguageModelV4Message[] {
    return this.turns.slice(0, turns).flatMap((turn) => turn.messages);
  }

  /** As they were said, the turns that a summary stands for included. */
  original(): LanguageModelV4Message[] {
    return [...this.replaced, ...this.turns.slice(this.isCompacted ? 1 : 0)].flatMap((turn) => turn.messages);
  }

  saved(): SavedConversation {
    const messages = (turns: readonly Kept[]) => turns.map((turn) => turn.messages);
    return { turns: messages(this.turns), replaced: messages(this.replaced) };
  }

  add(messages: TurnMessages): void {
    this.turns.push(this.kept(messages));
    let count = this.turns.reduce((sum, turn) => sum + turn.messages.length, 0);
    const oldest = this.isCompacted ? 1 : 0; // a summary stays
    while (count > this.maxMessages && this.turns.length > oldest) {
      const [turn] = this.turns.splice(oldest, 1) as [Kept];
      count -= turn.messages.length;
      this.totalBytes -= turn.bytes;
    }
  }

  /** Puts a summary in the place of the oldest `count` turns, which are kept beside it. */
  compact(count: number, summary: TurnMessages): void {
    const compacted = this.turns.splice(0, count);
    if (this.isCompacted) this.totalBytes -= compacted.shift()!.bytes;
    this.replaced.push(...compacted);
    this.turns.unshift(this.kept(summary));
  }

  /** Puts the turns that a summary stands for back in its place. False where there is none. */
  expand(): boolean {
    if (!this.isCompacted) return false;
    this.totalBytes -= this.turns[0]!.bytes;
    this.turns.splice(0, 1, ...this.replaced.splice(0));
    return true;
  }

  private get isCompacted(): boolean {
    return this.replaced.length > 0;
  }

  private kept(messages: TurnMessages): Kept {
    const bytes = Buffer.byteLength(JSON.stringify(messages));
    this.totalBytes += bytes;
    return { messages, bytes };
  }
}

/** The texts of a message, without what else it holds. */
export function messageText({ content }: LanguageModelV4Message): string {
  if (typeof content === "string") return content;
  return content
    .flatMap((part) => (part.type === "text" || part.type === "reasoning" ? [part.text] : []))
    .join("");
}
