/** Writes down what a run takes from outside. */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { errorToJson, SpellError } from "../core/errors.ts";
import { errnoOf, ioError } from "../core/io-error.ts";
import { requestKey } from "../core/request-key.ts";
import type { Reading, ReadingKind, Tape, TapedCall, Turn } from "../core/tape.ts";
import { toWire } from "../core/wire-values.ts";
import {
  type BegunLine,
  type CallLine,
  isTimed,
  type OrderLine,
  type ReadingLine,
  type RecordedError,
  type TapeHeader,
  type TapeLine,
} from "./format.ts";
import { currentLane } from "./lane.ts";
import type { Secrets } from "./secrets.ts";

export interface RecorderOptions {
  path: string;
  overwrite: boolean;
  header: TapeHeader;
  secrets: Secrets;
  /** Told once, where something that looked like a secret was taken out of an answer. */
  onRedacted: (name: string) => void;
}

/** Milliseconds to the microsecond: finer ones only lengthen the file. */
const rounded = <T extends Reading>(value: T): T =>
  typeof value === "number" ? ((Math.round(value * 1000) / 1000) as T) : value;

export class Recorder implements Tape, Disposable {
  readonly isReplay = false;
  private readonly fd: number;
  /** The newest reading of each kind and lane: written when another comes, as often as it came. */
  private readonly open = new Map<string, ReadingLine>();
  /** Written when something else happens: until then it may grow, or turn out to be needless. */
  private pending: OrderLine | undefined;
  private begun = 0;
  private isClosed = false;
  private hasRedacted = false;
  /** Of whole lines. */
  private sizeBytes = 0;
  private failure: SpellError | undefined;

  /** @throws SpellError already_exists, io */
  constructor(private readonly options: RecorderOptions) {
    const { path, overwrite, header } = options;
    try {
      this.fd = openSync(path, overwrite ? "w" : "wx", 0o600);
    } catch (error) {
      if (errnoOf(error) === "EEXIST")
        throw new SpellError("already_exists", `Cannot record: the file exists: ${path}`, {
          data: { path },
          hint: "Name another file, or add --force to write over it",
        });
      throw ioError("Cannot record", path, error, "Name a file that can be written");
    }
    this.write(header);
    this.check();
  }

  hide(secret: string): void {
    this.options.secrets.add(secret);
  }

  /** The kernel's own readings go on after a failure: it has things to bring to an end. */
  reading<T extends Reading>(kind: ReadingKind, take: () => T, isScript = false): T {
    const value = rounded(take());
    if (this.isClosed) return value;
    if (isScript) this.check();
    const lane = currentLane();
    const key = `${kind} ${lane}`;
    const last = this.open.get(key);
    if (last?.value === value) {
      last.times = (last.times ?? 1) + 1;
      return value;
    }
    if (last !== undefined) this.write(last);
    this.open.set(key, { kind, lane, value });
    return value;
  }

  callback(): Turn {
    const lane = currentLane();
    return { ready: undefined, isWithin: false, begins: (isWithin) => this.called(lane, isWithin) };
  }

  private called(lane: string, isWithin: boolean): void {
    const { pending } = this;
    if (pending?.kind === "callback" && pending.lane === lane && (pending.within ?? false) === isWithin)
      pending.times = (pending.times ?? 1) + 1;
    else this.order({ kind: "callback", lane, ...(isWithin ? { within: true } : {}) });
  }

  private order(line: OrderLine | undefined): void {
    if (this.isClosed) return;
    if (this.pending !== undefined) this.write(this.pending);
    this.pending = line;
  }

  stream(): never {
    throw new SpellError("internal", "Cannot replay what is being recorded");
  }

  async call<T>(
    { kind, name, request }: TapedCall,
    ask: () => Promise<T>,
    pieces: { began?: () => void } = {},
  ): Promise<T> {
    this.check();
    const lane = currentLane();
    let began: BegunLine | undefined;
    pieces.began = () => {
      if (began !== undefined) return;
      began = { kind: "begun", lane, number: ++this.begun };
      this.order(began);
    };
    /** Nothing happened since the first piece: then the answer's own place says it. */
    const start = () => {
      if (began === undefined) return {};
      if (this.pending !== began) return { begun: began.number };
      this.pending = undefined;
      return {};
    };
    const asked = this.options.secrets.outOfRequest(toWire(request));
    const of = kind === "count" ? { key: requestKey(kind, name, asked) } : { request: asked };
    const head = { kind, lane, name, ...of };
    try {
      const result = await ask();
      this.writeCall({ ...head, ...start(), answer: this.withoutSecrets(name, toWire(result)) });
      return result;
    } catch (error) {
      this.writeCall({
        ...head,
        ...start(),
        error: this.options.secrets.outOfAnswer(recordedError(error)) as RecordedError,
      });
      throw error;
    }
  }

  private withoutSecrets(name: string, answer: unknown): unknown {
    const clean = this.options.secrets.outOfAnswer(answer);
    if (!this.hasRedacted && !Bun.deepEquals(clean, answer)) {
      this.hasRedacted = true;
      this.options.onRedacted(name);
    }
    return clean;
  }

  private writeCall(line: CallLine): void {
    if (this.isClosed) return;
    if (isTimed(line)) this.order(undefined);
    this.flush();
    this.write(line);
    this.check();
  }

  private flush(): void {
    for (const line of this.open.values()) this.write(line);
    this.open.clear();
  }

  /**
   * At once and whole, so that a process that is killed leaves every line but the last one. After one that could not be
   * written none is: what is there can be replayed as far as it goes.
   */
  private write(line: TapeLine | TapeHeader): void {
    if (this.failure !== undefined) return;
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at);
      this.sizeBytes += bytes.length;
    } catch (error) {
      this.failure = ioError("Cannot record", this.options.path, error, "Make room, or record elsewhere");
      ftruncateSync(this.fd, this.sizeBytes);
    }
  }

  /** @throws SpellError io where something could not be written */
  private check(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  settle(): void {
    this.order(undefined);
    this.flush();
    this.check();
  }

  /** @throws SpellError as `settle` */
  [Symbol.dispose](): void {
    if (this.isClosed) return;
    try {
      this.settle();
    } finally {
      this.isClosed = true;
      closeSync(this.fd);
    }
  }
}

export function recordedError(error: unknown): RecordedError {
  if (error instanceof SpellError) return toWire(errorToJson(error)) as RecordedError;
  const { message, statusCode } = (error ?? {}) as { message?: unknown; statusCode?: unknown };
  return {
    message: typeof message === "string" ? message : String(error),
    ...(typeof statusCode === "number" ? { status: statusCode } : {}),
  };
}
