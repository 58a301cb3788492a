/**
 * The seam of recording and replaying a run: answers of models and servers, the time and chance pass through here. Where
 * no tape is installed they come from outside as they are. Importing this loads nothing.
 */

/** `time`: milliseconds since 1970; `steady` and `cpu`: milliseconds; `uuid`: text; `bytes`: hexadecimal. */
export type ReadingKind = "time" | "steady" | "cpu" | "uuid" | "bytes";
export type Reading = number | string;

export interface TapedCall {
  kind: "resolve" | "count" | "model" | "embedding" | "reranking" | "http" | "journal";
  /** Who is asked: `provider/model`, method and URL, or a durable run. */
  name: string;
  /** What the answer depends on, as JSON can say it. */
  request: unknown;
}

/** The place of a script function's call among everything else that happens in the run. */
export interface Turn {
  /** In a replay: resolves when it has come. */
  readonly ready: Promise<void> | undefined;
  /** In a replay: it ran while another one waited. */
  readonly isWithin: boolean;
  /** The function runs now. @param isWithin while another one waits */
  begins(isWithin: boolean): void;
}

/** An answer that comes in pieces, as a replay gives it: at the time at which its first piece came. */
export interface TapedStream<T> {
  answer: T;
  /** Resolves when the last piece may come. */
  lastTurn(): Promise<void>;
  /** The last piece was taken, or nobody takes it. */
  over(): void;
}

/** What a run takes from outside: kept for later, or given back. */
export interface Tape {
  readonly isReplay: boolean;
  /** From now on this text is never written. */
  hide(secret: string): void;
  /** @param isScript the script asks for it itself: a replay that has no more of them fails */
  reading<T extends Reading>(kind: ReadingKind, take: () => T, isScript?: boolean): T;
  /**
   * @param ask not called in a replay; its result, or the failure, is what JSON can say
   * @param pieces of an answer that comes in pieces: filled with what is to be called when the first one has come
   * @throws what `ask` throws; in a replay the recorded failure, or not_found where nothing like it was recorded
   */
  call<T>(call: TapedCall, ask: () => Promise<T>, pieces?: { began?: () => void }): Promise<T>;
  /** In a replay, in place of `call`. @throws as `call` */
  stream<T>(call: TapedCall): Promise<TapedStream<T>>;
  /** Asked for each call of a script function, where it is asked for. */
  callback(): Turn;
  /** Writes down what came until now. @throws SpellError io where something could not be written */
  settle(): void;
}

let installed: Tape | undefined;

/** From now on the run is recorded or replayed, until disposal. */
export function tapeWith(tape: Tape): Disposable {
  installed = tape;
  return {
    [Symbol.dispose]() {
      if (installed === tape) installed = undefined;
    },
  };
}

export const currentTape = (): Tape | undefined => installed;
