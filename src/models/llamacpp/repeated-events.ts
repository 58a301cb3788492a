import { SpellError } from "../../core/errors.ts";
import type { GenerateEvent } from "./protocol.ts";

type Piece = Exclude<GenerateEvent, { type: "prompt" }>;

/** Events of an answer that may have to be made again: what a reader has already seen is not told twice. */
export class RepeatedEvents {
  private readonly told: Record<Piece["type"], string> = { text: "", reasoning: "" };
  private made: Record<Piece["type"], number> = { text: 0, reasoning: 0 };
  private isPromptTold = false;
  private hasDiverged = false;

  constructor(private readonly send: (event: GenerateEvent) => void) {}

  /** To be called before each attempt. */
  begin(): void {
    this.made = { text: 0, reasoning: 0 };
  }

  add(event: GenerateEvent): void {
    if (event.type === "prompt") {
      if (!this.isPromptTold) this.send(event);
      this.isPromptTold = true;
      return;
    }
    const { type, text } = event;
    const told = this.told[type].slice(this.made[type]);
    this.made[type] += text.length;
    const seen = Math.min(told.length, text.length);
    if (text.slice(0, seen) !== told.slice(0, seen)) this.hasDiverged = true;
    if (this.hasDiverged || seen === text.length) return;
    this.told[type] += text.slice(seen);
    this.send({ type, text: text.slice(seen) });
  }

  /** @throws SpellError provider where the answer that was made again is another one than the reader has begun to see */
  end(): void {
    if (!this.hasDiverged) return;
    throw new SpellError("provider", "Cannot go on with the answer: the GPU failed in the middle of it", {
      hint: "Ask again: the processor is used from now on",
    });
  }
}
