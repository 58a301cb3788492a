/** Bounds one rendering: its time, and the size of every text it makes. */
import { SpellError } from "../../../core/errors.ts";

const MAX_OUTPUT_CHARACTERS = 10_000_000;
const MAX_DEPTH = 64;

export class Budget {
  private steps = 0;
  private depth = 0;
  private readonly endMs: number;

  constructor(private readonly timeoutMs: number) {
    this.endMs = performance.now() + timeoutMs;
  }

  /** To be called for every piece rendered. @throws SpellError timeout */
  step(): void {
    this.steps += 1;
    if (this.steps % 256 === 0 && performance.now() > this.endMs) {
      throw new SpellError(
        "timeout",
        `Cannot render the template: it took longer than ${this.timeoutMs} ms`,
        {
          data: { limit: "time", timeoutMs: this.timeoutMs },
          hint: "Look for loops within loops",
        },
      );
    }
  }

  /** @throws SpellError limit */
  text<T extends string>(text: T): T {
    if (text.length > MAX_OUTPUT_CHARACTERS) throw tooLarge("output", MAX_OUTPUT_CHARACTERS);
    return text;
  }

  /** Runs `body` one level deeper: nested blocks, macros, partials. @throws SpellError limit */
  nested<T>(body: () => T): T {
    if (this.depth >= MAX_DEPTH) throw tooLarge("nesting", MAX_DEPTH);
    this.depth += 1;
    try {
      return body();
    } finally {
      this.depth -= 1;
    }
  }
}

/** Collects the rendered text. */
export class Output {
  private readonly pieces: string[] = [];
  private length = 0;

  constructor(readonly budget: Budget) {}

  write(text: string): void {
    this.budget.step();
    this.length += text.length;
    if (this.length > MAX_OUTPUT_CHARACTERS) throw tooLarge("output", MAX_OUTPUT_CHARACTERS);
    this.pieces.push(text);
  }

  toString(): string {
    return this.pieces.join("");
  }
}

function tooLarge(limit: string, allowed: number): SpellError {
  return new SpellError("limit", `Cannot render the template: ${limit} limit of ${allowed} exceeded`, {
    data: { limit, allowed },
  });
}
