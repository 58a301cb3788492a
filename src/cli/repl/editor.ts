/** Lines typed on a terminal: Node's readline edits them, keeps their history and asks for completions. */
import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import { writeAll } from "../output.ts";
import { CANCELLED, type LineSource } from "./lines.ts";

/** What can stand in place of `line.slice(from)`. */
export interface Completion {
  matches: string[];
  from: number;
}

export interface EditorOptions {
  historySize: number;
  complete(line: string): Promise<Completion>;
  /** Ctrl-C while no line is asked for. */
  onInterrupt(): void;
}

type Line = string | typeof CANCELLED | null;

/** What readline has beside its documented interface, in Node and in Bun. */
interface Internals {
  line: string;
  cursor: number;
  history: string[];
  prevRows: number;
}

export class LineEditor implements LineSource {
  readonly interactive = true;
  private readline: (Interface & Internals) | undefined;
  private inputs: readonly string[] = [];
  /** Typed before they were asked for. */
  private readonly early: (string | null)[] = [];
  private waiting: ((line: Line) => void) | undefined;

  /** Shows what is typed while a line is asked for; between lines it belongs to the script. */
  private readonly screen = screen(() => this.waiting !== undefined);

  constructor(private readonly options: EditorOptions) {}

  /** The terminal stays in raw mode between lines, so that Ctrl-C is always ours. */
  read(prompt: string): Promise<Line> {
    const early = this.early.shift();
    if (early !== undefined) {
      writeAll(1, `${prompt}${early ?? ""}\n`);
      return Promise.resolve(early);
    }
    const readline = this.open();
    return new Promise((resolve) => {
      this.waiting = (line) => {
        this.waiting = undefined;
        resolve(line);
      };
      readline.setPrompt(prompt);
      readline.prompt(true);
    });
  }

  remember(inputs: readonly string[]): void {
    this.inputs = inputs;
    if (this.readline !== undefined) this.readline.history = inputs.map(asEntry);
  }

  close(): void {
    this.readline?.close();
  }

  private open(): Interface & Internals {
    if (this.readline !== undefined) return this.readline;
    const readline = createInterface({
      input: process.stdin,
      output: this.screen,
      terminal: true,
      historySize: this.options.historySize,
      history: this.inputs.map(asEntry),
      completer: (line: string, done: (error: null, result: [string[], string]) => void) =>
        void this.options.complete(line).then(({ matches, from }) => done(null, [matches, line.slice(from)])),
    }) as Interface & Internals;
    readline.on("line", (line) => {
      const typed = line.replaceAll("\r", "\n");
      if (this.waiting === undefined) this.early.push(typed);
      else this.waiting(typed);
    });
    readline.on("SIGINT", () => this.cancel(readline));
    // After Ctrl-Z readline waits to be told to go on.
    readline.on("SIGCONT", () => readline.resume());
    readline.on("close", () => {
      this.readline = undefined;
      if (this.waiting === undefined) {
        this.early.push(null);
        return;
      }
      writeAll(1, "\n");
      this.waiting(null);
    });
    this.readline = readline;
    return readline;
  }

  private cancel(readline: Interface & Internals): void {
    const { waiting } = this;
    if (waiting !== undefined) {
      readline.write(null, { ctrl: true, name: "e" });
      writeAll(1, "^C\n");
    }
    readline.line = "";
    readline.cursor = 0;
    readline.prevRows = 0;
    this.early.length = 0;
    if (waiting === undefined) this.options.onInterrupt();
    else waiting(CANCELLED);
  }
}

/** Readline keeps an entry of several lines with its last line first. */
function asEntry(input: string): string {
  return input.split("\n").reverse().join("\r");
}

/** A terminal to write on, shut where `isOpen` says so. */
function screen(isOpen: () => boolean): Writable {
  const writable = new Writable({
    write: (chunk: Uint8Array, _encoding, done) => {
      if (isOpen()) writeAll(1, chunk);
      done();
    },
  });
  Object.defineProperties(writable, {
    columns: { get: () => process.stdout.columns },
    rows: { get: () => process.stdout.rows },
    isTTY: { value: true },
  });
  process.stdout.on("resize", () => writable.emit("resize"));
  return writable;
}
