/** Gives a run what it took from outside when it was recorded, and nothing else. */
import { createHash } from "node:crypto";
import { type ErrorJson, errorFromJson, SpellError } from "../core/errors.ts";
import { requestKey } from "../core/request-key.ts";
import type { Reading, ReadingKind, Tape, TapedCall, TapedStream, Turn } from "../core/tape.ts";
import { fromWire, toWire } from "../core/wire-values.ts";
import { differences, inWords } from "./difference.ts";
import {
  type CallLine,
  isReading,
  isTimed,
  type ReadingLine,
  type ReadTape,
  type RecordedError,
} from "./format.ts";
import { currentLane } from "./lane.ts";
import type { Secrets } from "./secrets.ts";
import { Turns } from "./turns.ts";

interface Call extends CallLine {
  number: number;
  /** Place in the order of what happened; -1 for facts. */
  index: number;
  /** Where its first piece came. */
  beginIndex: number;
  isTaken: boolean;
}

/** Readings of one kind in one lane. */
interface Stream {
  lines: ReadingLine[];
  at: number;
  /** How often the line at `at` was read. */
  read: number;
  last: Reading | undefined;
}

/** Calls of script functions in a row, for one lane. */
interface Callbacks {
  index: number;
  left: number;
  isWithin: boolean;
}

/** Entries that are compared for the nearest one. */
const COMPARED = 300;

const WHAT: Readonly<Record<TapedCall["kind"], string>> = {
  resolve: "use of model",
  count: "count of tokens by model",
  model: "call of model",
  embedding: "embedding by model",
  reranking: "ranking by model",
  http: "request",
  journal: "run of a durable workflow",
};

export interface PlayerOptions {
  path: string;
  tape: ReadTape;
  secrets: Secrets;
}

export class Player implements Tape, Disposable {
  readonly isReplay = true;
  private readonly streams = new Map<string, Stream>();
  private readonly calls: Call[] = [];
  private readonly byKey = new Map<string, Call[]>();
  private readonly turns = new Turns();
  private readonly callbacks = new Map<string, Callbacks[]>();
  private made = 0;

  constructor(private readonly options: PlayerOptions) {
    let index = 0;
    /** Places of first pieces whose answer has not been read yet. */
    const begun = new Map<number, number>();
    for (const { number, line } of options.tape.lines) {
      if (isReading(line)) this.readings(line.kind, line.lane).lines.push(line);
      else if (line.kind === "callback")
        this.callbacksOf(line.lane).push({
          index: index++,
          left: line.times ?? 1,
          isWithin: line.within ?? false,
        });
      else if (line.kind === "begun") begun.set(line.number, index++);
      else {
        const place = isTimed(line) ? index++ : -1;
        const beginIndex = begun.get(line.begun ?? -1) ?? place;
        begun.delete(line.begun ?? -1);
        this.add({ ...line, number, index: place, beginIndex, isTaken: false });
      }
    }
    // cut off before the answer ended
    for (const place of begun.values()) this.turns.pass(place);
  }

  private add(call: Call): void {
    this.calls.push(call);
    const key = call.key ?? requestKey(call.kind, call.name, call.request);
    const same = this.byKey.get(key);
    if (same === undefined) this.byKey.set(key, [call]);
    else same.push(call);
  }

  private callbacksOf(lane: string): Callbacks[] {
    const known = this.callbacks.get(lane);
    if (known !== undefined) return known;
    const made: Callbacks[] = [];
    this.callbacks.set(lane, made);
    return made;
  }

  /** One that was not recorded waits for nothing. */
  callback(): Turn {
    const queue = this.callbacksOf(currentLane());
    const [run] = queue;
    if (run === undefined) return { ready: undefined, isWithin: false, begins: () => undefined };
    if (--run.left === 0) queue.shift();
    const isLast = run.left === 0;
    return {
      ready: this.turns.until(run.index),
      isWithin: run.isWithin,
      begins: () => {
        if (isLast) this.turns.pass(run.index);
      },
    };
  }

  settle(): void {}

  private readings(kind: ReadingKind, lane: string): Stream {
    const key = `${kind} ${lane}`;
    const known = this.streams.get(key);
    if (known !== undefined) return known;
    const made = { lines: [], at: 0, read: 0, last: undefined };
    this.streams.set(key, made);
    return made;
  }

  hide(secret: string): void {
    this.options.secrets.add(secret);
  }

  reading<T extends Reading>(kind: ReadingKind, take: () => T, isScript = false): T {
    const lane = currentLane();
    const stream = this.readings(kind, lane);
    const line = stream.lines[stream.at];
    if (line !== undefined) {
      stream.last = line.value;
      if (++stream.read >= (line.times ?? 1)) {
        stream.at++;
        stream.read = 0;
      }
      return line.value as T;
    }
    if (isScript) throw this.noReading(kind, lane, stream.lines.length);
    return this.madeUp(kind, stream, take) as T;
  }

  /** For what the kernel reads for itself more often than it did: never of now, never by chance. */
  private madeUp(kind: ReadingKind, stream: Stream, take: () => Reading): Reading {
    if (kind === "uuid" || kind === "bytes") {
      const like = take();
      const hex = createHash("sha512")
        .update(String(++this.made))
        .digest("hex");
      if (kind === "bytes") return hex.repeat(8).slice(0, String(like).length);
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
    }
    if (stream.last !== undefined) return stream.last;
    return kind === "time" ? Date.parse(this.options.tape.header.created) || 0 : 0;
  }

  private noReading(kind: ReadingKind, lane: string, had: number): SpellError {
    const what = { time: "the time", steady: "a clock", cpu: "os.clock", uuid: "a UUID", bytes: "chance" }[
      kind
    ];
    return new SpellError(
      "not_found",
      `Cannot replay: the script reads ${what} more often than it was recorded`,
      {
        data: { kind, lane, recorded: had, path: this.options.path },
        hint: this.advice("The script has changed"),
      },
    );
  }

  async call<T>(asked: TapedCall, _ask?: unknown): Promise<T> {
    const found = this.find(asked);
    if (found.index !== -1) {
      await this.turns.until(found.index);
      this.turns.pass(found.index, true);
    }
    return answerOf<T>(found);
  }

  async stream<T>(asked: TapedCall): Promise<TapedStream<T>> {
    const found = this.find(asked);
    const { index, beginIndex } = found;
    await this.turns.until(beginIndex);
    if (found.error !== undefined) this.turns.pass(index, true);
    const answer = answerOf<T>(found);
    if (beginIndex !== index) this.turns.pass(beginIndex);
    let isOver = false;
    return {
      answer,
      lastTurn: async () => {
        if (beginIndex !== index) await this.turns.until(index);
      },
      over: () => {
        if (!isOver) this.turns.pass(index, true);
        isOver = true;
      },
    };
  }

  private find({ kind, name, request }: TapedCall): Call {
    const asked = this.options.secrets.outOfRequest(toWire(request));
    const found = this.take(requestKey(kind, name, asked), currentLane());
    if (found === undefined) throw this.noCall(kind, name, asked);
    return found;
  }

  /** The next one of the lane; else, where the script has moved the call, the next one of any. */
  private take(key: string, lane: string): Call | undefined {
    const left = (this.byKey.get(key) ?? []).filter((call) => !call.isTaken || !isTimed(call));
    const found = left.find((call) => call.lane === lane) ?? left[0];
    if (found !== undefined) found.isTaken = true;
    return found;
  }

  private noCall(kind: TapedCall["kind"], name: string, asked: unknown): SpellError {
    const same = this.calls.filter((call) => call.kind === kind);
    const repeated = same.some((call) => call.name === name && Bun.deepEquals(call.request, asked));
    const what = WHAT[kind];
    if (repeated)
      return new SpellError("not_found", `Cannot replay: this ${what} was made less often: ${name}`, {
        data: { kind, name, path: this.options.path },
        hint: this.advice("The script asks once more than it was recorded"),
      });
    const nearest = this.nearest(same, name, asked);
    const found = nearest?.differences.slice(0, 3).map(inWords) ?? [];
    const hint =
      nearest === undefined
        ? this.advice("The recording holds none")
        : this.advice(`Nearest is line ${nearest.call.number} (${nearest.call.name}): ${found.join("; ")}`);
    return new SpellError("not_found", `Cannot replay: no such ${what} was recorded: ${name}`, {
      data: {
        kind,
        name,
        path: this.options.path,
        ...(nearest === undefined ? {} : { line: nearest.call.number, differences: found }),
      },
      hint,
    });
  }

  /** Of those not yet used where there are any; another name counts like a difference. */
  private nearest(calls: readonly Call[], name: string, asked: unknown) {
    const unused = calls.filter((call) => !call.isTaken);
    const among = (unused.length > 0 ? unused : calls).slice(0, COMPARED);
    const rated = among.map((call) => {
      const found = differences(call.request, asked);
      return { call, differences: found, distance: found.length + (call.name === name ? 0 : 1) };
    });
    return rated.reduce<(typeof rated)[number] | undefined>(
      (best, one) => (best === undefined || one.distance < best.distance ? one : best),
      undefined,
    );
  }

  private advice(reason: string): string {
    const cut = this.options.tape.isCut ? " (it was cut off: its recording did not end)" : "";
    return `${reason}${cut}. Record it anew: --record ${this.options.path} --force`;
  }

  [Symbol.dispose](): void {
    this.turns.dispose();
  }
}

function answerOf<T>({ error, answer }: Call): T {
  if (error !== undefined) throw replayedError(error);
  return fromWire(answer) as T;
}

function replayedError(error: RecordedError): Error {
  if ("code" in error) return errorFromJson(fromWire(error) as ErrorJson);
  return Object.assign(
    new Error(error.message),
    error.status === undefined ? {} : { statusCode: error.status },
  );
}
