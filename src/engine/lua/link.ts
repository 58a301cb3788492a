/** The script thread's end of the bridge: sends, waits, and runs what the kernel asks for while it waits. */
import { type ErrorJson, errorFromJson, errorToJson, SpellError } from "../../core/errors.ts";
import { ScriptTable } from "../../core/values.ts";
import { Reader, Special, type SpecialCodec, Writer } from "../bridge/codec.ts";
import { FrameReader } from "../bridge/pipe.ts";
import { FromScript, type SharedChannel, ToScript } from "../bridge/protocol.ts";
import type { ThreadGarbage } from "./garbage.ts";
import { FunctionRef, HandleRef, LocalObject } from "./objects.ts";

/** Callbacks from the kernel may nest this deep before they are refused. */
const MAX_CALLBACK_DEPTH = 48;
const ROOM_POLL_MS = 100;

export interface ScriptSide {
  /** Runs a script function on behalf of the kernel. Throws what the script threw. */
  runFunction(id: number, args: unknown[]): unknown;
  releaseFunctions(pairs: readonly [id: number, crossings: number][]): void;
  execute(message: ExecuteMessage): void;
  /** Throws the reason for which the run must stop. */
  checkStop(): void;
  /** Counts a crossing of the function to the kernel. */
  crossed(ref: FunctionRef): void;
}

export interface ExecuteMessage {
  name: string;
  path: string | null;
  args: { script: string; positional: string[]; named: Record<string, string> };
  code: Uint8Array;
  interactive: boolean;
}

type Reply = { ok: true; value: unknown } | { ok: false; error: SpellError };

export class KernelLink {
  private readonly frames: FrameReader;
  private readonly writer: Writer;
  private readonly special: SpecialCodec;
  private readonly replies = new Map<number, Reply>();
  private readonly waiting = new Set<number>();
  private nextId = 1;
  /** Callbacks within each other, the innermost last. */
  private readonly running: number[] = [];
  /** Handles to give back, by id: how often each had crossed. */
  private readonly released = new Map<number, number>();

  constructor(
    private readonly channel: SharedChannel,
    private readonly ring: () => void,
    private readonly script: ScriptSide,
  ) {
    this.frames = new FrameReader(channel.toScript);
    this.special = { write: (value, w) => this.writeSpecial(value, w), read: readSpecial };
    this.writer = new Writer(this.special);
  }

  isRunning(callback: number): boolean {
    return callback !== 0 && this.running.includes(callback);
  }

  /** The innermost callback that runs, or 0. */
  private get callback(): number {
    return this.running.at(-1) ?? 0;
  }

  /** A wait call. */
  call(fn: number, handle: number, args: readonly unknown[]): unknown {
    const id = this.nextId++;
    this.writer.start(FromScript.call).uint32(id).uint32(this.callback).uint32(fn).uint32(handle).value(args);
    return this.exchange(id);
  }

  post(fn: number, handle: number, args: readonly unknown[]): void {
    this.script.checkStop();
    this.writer.start(FromScript.post).uint32(this.callback).uint32(fn).uint32(handle).value(args);
    this.send();
  }

  /** A call to the engine's own services on the kernel's side. */
  system(operation: string, argument: unknown): unknown {
    const id = this.nextId++;
    this.writer.start(FromScript.system).uint32(id).uint32(this.callback).value(operation).value(argument);
    return this.exchange(id);
  }

  output(stream: 1 | 2, bytes: Uint8Array): void {
    this.writer.start(FromScript.output).byte(stream).raw(bytes);
    this.send();
  }

  outcome(value: unknown): void {
    this.writer.start(FromScript.outcome).value(value);
    this.send();
  }

  /** Notes that the script no longer holds a handle; sent along with the next message. */
  releaseHandle(id: number, crossings: number): void {
    this.released.set(id, (this.released.get(id) ?? 0) + crossings);
  }

  private exchange(id: number): unknown {
    this.script.checkStop();
    this.waiting.add(id);
    try {
      this.send();
      const reply = this.waitFor(id);
      if (reply.ok) return reply.value;
      throw reply.error;
    } finally {
      this.waiting.delete(id);
      this.replies.delete(id);
    }
  }

  private send(): void {
    const frame = this.writer.frame();
    let sent = this.channel.toKernel.write(frame, 0);
    while (sent < frame.length) {
      if (this.channel.shouldRing()) this.ring();
      this.channel.toKernel.waitForRoom(ROOM_POLL_MS);
      sent += this.channel.toKernel.write(frame, sent);
    }
    if (this.channel.shouldRing()) this.ring();
    if (this.released.size > 0) this.sendReleases();
  }

  private sendReleases(): void {
    const pairs = [...this.released];
    this.released.clear();
    const writer = this.writer.start(FromScript.releaseHandles).uint32(pairs.length);
    for (const [id, crossings] of pairs) writer.uint32(id).uint32(crossings);
    this.send();
  }

  private waitFor(id: number): Reply {
    for (;;) {
      const reply = this.replies.get(id);
      if (reply !== undefined) return reply;
      this.take();
      this.script.checkStop();
    }
  }

  /** Serves the kernel for as long as the thread lives. */
  serve(garbage: ThreadGarbage): never {
    for (;;) if (!this.take(garbage.patienceMs)) garbage.idle();
  }

  /** Handles a message, or waits for one: false where none came in time. */
  private take(patienceMs = Number.POSITIVE_INFINITY): boolean {
    const frame = this.frames.next();
    if (this.channel.takeRoomWish()) this.ring();
    if (frame === undefined) return this.channel.toScript.waitForData(patienceMs);
    const reader = new Reader(frame, this.special);
    switch (reader.byte()) {
      case ToScript.reply:
        this.storeReply(reader);
        break;
      case ToScript.run:
        this.run(reader);
        break;
      case ToScript.execute:
        this.script.execute(reader.value() as ExecuteMessage);
        break;
      case ToScript.releaseFunctions:
        this.script.releaseFunctions(readPairs(reader));
        break;
      default: // ToScript.stop only ends the wait
    }
    return true;
  }

  private storeReply(reader: Reader): void {
    const id = reader.uint32();
    if (!this.waiting.has(id)) return;
    const ok = reader.byte() === 1;
    this.replies.set(
      id,
      ok
        ? { ok, value: reader.value() }
        : { ok, error: errorFromJson(reader.value() as unknown as ErrorJson) },
    );
  }

  private run(reader: Reader): void {
    const id = reader.uint32();
    const fn = reader.uint32();
    let value: unknown;
    let error: unknown;
    let failed = false;
    this.running.push(id);
    try {
      if (this.running.length > MAX_CALLBACK_DEPTH) throw tooDeep();
      value = this.script.runFunction(fn, reader.value() as unknown[]);
      this.writer.start(FromScript.result).uint32(id).byte(1).value(value);
    } catch (thrown) {
      failed = true;
      error = thrown;
    } finally {
      this.running.pop();
    }
    if (failed) this.writer.start(FromScript.result).uint32(id).byte(0).value(errorToJson(error));
    this.send();
  }

  private writeSpecial(value: object, writer: Writer): boolean {
    if (value instanceof FunctionRef) {
      this.script.crossed(value);
      writer.byte(Special.function).uint32(value.id);
      return true;
    }
    if (value instanceof HandleRef) {
      writer.byte(Special.handle).uint32(value.id);
      return true;
    }
    if (value instanceof LocalObject)
      throw new SpellError("invalid_argument", `Cannot pass a ${value.className} to the kernel`);
    return false;
  }
}

function readPairs(reader: Reader): [number, number][] {
  const pairs: [number, number][] = [];
  for (let left = reader.uint32(); left > 0; left--) pairs.push([reader.uint32(), reader.uint32()]);
  return pairs;
}

function readSpecial(reader: Reader): unknown {
  switch (reader.byte()) {
    case Special.function:
      return new FunctionRef(reader.uint32());
    case Special.handle:
      return new HandleRef(reader.uint32(), reader.uint32(), reader.value() as Record<string, unknown>);
    default:
      return new ScriptTable(reader.value() as ConstructorParameters<typeof ScriptTable>[0]);
  }
}

function tooDeep(): SpellError {
  return new SpellError(
    "limit",
    `Cannot run a script function: callbacks must nest at most ${MAX_CALLBACK_DEPTH} deep`,
    {
      data: { limit: "callback_depth", max: MAX_CALLBACK_DEPTH },
      hint: "A function called by the kernel calls back into itself through tools, agents or hooks",
    },
  );
}
