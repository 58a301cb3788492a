/** What a run tells where `runtime.enable_streaming` is false: in few pieces, in its order. */
import type { KernelEvent } from "./api.ts";

const MOST_CHARACTERS = 1_048_576;

export class GatheredEvents {
  private held: KernelEvent[] = [];
  private characters = 0;

  constructor(private readonly tell: (event: KernelEvent) => void) {}

  add(event: KernelEvent): void {
    const text = textOf(event);
    if (text === undefined) {
      this.tell(event);
      return;
    }
    const joined = join(this.held.at(-1), event);
    if (joined === undefined) this.held.push(event);
    else this.held[this.held.length - 1] = joined;
    this.characters += text.length;
    if (this.characters >= MOST_CHARACTERS) this.flush();
  }

  flush(): void {
    const { held } = this;
    this.held = [];
    this.characters = 0;
    for (const event of held) this.tell(event);
  }
}

/** Of events that belong to the output. */
function textOf(event: KernelEvent): string | Uint8Array | undefined {
  return event.type === "stream" || event.type === "token" || event.type === "display"
    ? event.text
    : undefined;
}

/** Both as one; undefined where they are two. */
function join(last: KernelEvent | undefined, next: KernelEvent): KernelEvent | undefined {
  if (last?.type === "token" && next.type === "token" && last.agent === next.agent)
    return { ...next, text: last.text + next.text };
  if (last?.type !== "stream" || next.type !== "stream" || last.stream !== next.stream) return undefined;
  if (typeof last.text === "string" && typeof next.text === "string")
    return { ...next, text: last.text + next.text };
  return { ...next, text: Buffer.concat([Buffer.from(last.text), Buffer.from(next.text)]) };
}
