import type { LanguageModelV4Content, LanguageModelV4StreamPart } from "@ai-sdk/provider";
import type { GenerateEvent } from "./protocol.ts";

/** Makes the AI SDK's stream parts, with their starts and ends, from the worker's events. */
export class StreamParts {
  private open: { type: "text" | "reasoning"; id: string } | undefined;
  private blocks = 0;

  constructor(private readonly send: (part: LanguageModelV4StreamPart) => void) {}

  add(event: GenerateEvent): void {
    if (event.type !== "prompt") this.delta(event.type, event.text);
  }

  /** @param content the whole answer; its tool calls are sent now, the rest has been */
  end(content: readonly LanguageModelV4Content[]): void {
    this.close();
    for (const part of content) if (part.type === "tool-call") this.send(part);
  }

  private delta(type: "text" | "reasoning", delta: string): void {
    if (this.open?.type !== type) {
      this.close();
      this.open = { type, id: String(this.blocks++) };
      this.send({ type: `${type}-start`, id: this.open.id });
    }
    this.send({ type: `${type}-delta`, id: this.open.id, delta });
  }

  private close(): void {
    if (this.open !== undefined) this.send({ type: `${this.open.type}-end`, id: this.open.id });
    this.open = undefined;
  }
}
