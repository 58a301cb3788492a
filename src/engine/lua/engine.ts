/** The kernel's end of a Lua VM: starts its thread, answers its calls, runs its functions, stops it. */
import { errorToJson, messageOf, SpellError } from "../../core/errors.ts";
import { takeScriptThread } from "../../core/script-thread.ts";
import type { GlobalDecl } from "../../globals/declare.ts";
import { Reader, Writer } from "../bridge/codec.ts";
import { Frames } from "../bridge/frames.ts";
import { type Numbering, numberDeclarations } from "../bridge/numbering.ts";
import { Outbox } from "../bridge/outbox.ts";
import { FrameReader } from "../bridge/pipe.ts";
import { FromScript, RING, SharedChannel, Stop, ToScript, type WorkerStart } from "../bridge/protocol.ts";
import { References } from "../bridge/references.ts";
import { RunClock } from "../clock.ts";
import type {
  CallTarget,
  EngineHost,
  EnginePolicy,
  ExecuteInput,
  ExecuteOutcome,
  ScriptEngine,
} from "../engine.ts";
import { systemCall } from "../host.ts";
import type { WorkerMessage } from "./start.ts";
import { installStopHook, type ReachableVm } from "./stop-hook.ts";

export interface LuaEngineOptions {
  globals: readonly GlobalDecl[];
  policy: EnginePolicy;
  host: EngineHost;
  /** The worker's entry file, where it is not the one that serves `src/globals/index.ts`. */
  worker?: string | URL;
}

/** How long a script may go on after it was told to stop, before its thread is ended. */
const GRACE_MS = 1500;
const PRESS_MS = 5;

export function createLuaEngine(options: LuaEngineOptions): ScriptEngine {
  return new LuaEngine(options);
}

/** How long messages of a script are handled before everything else gets its turn. */
const TURN_MS = 5;

class LuaEngine implements ScriptEngine {
  private thread: ScriptThread | undefined;
  private disposed = false;

  constructor(private readonly options: LuaEngineOptions) {
    this.thread = this.start();
  }

  private start(): ScriptThread {
    return new ScriptThread(this.options, () => {
      this.thread = undefined;
      this.options.host.vmEnded?.();
    });
  }

  async execute(input: ExecuteInput): Promise<ExecuteOutcome> {
    if (this.disposed) throw new SpellError("internal", "Cannot run a script: its engine was disposed");
    this.thread ??= this.start();
    return this.thread.execute(input);
  }

  interrupt(): void {
    this.thread?.stop(Stop.interrupted);
  }

  async dispose(): Promise<void> {
    this.disposed = true;
    await this.thread?.end(new SpellError("interrupted", "Script engine closed"));
  }
}

interface Run {
  finish(outcome: ExecuteOutcome): void;
  clock: RunClock;
  grace: ReturnType<typeof setTimeout> | undefined;
  reason: number;
}

/** One worker with one VM. It is not used again once it was ended. */
class ScriptThread {
  private readonly channel = new SharedChannel();
  private readonly worker: Worker;
  private readonly frames: FrameReader;
  private readonly references: References;
  private readonly writer: Writer;
  private readonly calls: Frames;
  private readonly numbering: Numbering;
  private readonly outbox = new Outbox();
  private run: Run | undefined;
  private ended = false;
  private turnEndMs = 0;
  /** A reply was sent since the last look. */
  private replied = false;
  /** While it is set, nothing is read from the script. */
  private room: Promise<void> | undefined;
  /** Known once the thread has made it. */
  private vm: ReachableVm | undefined;
  private pressing: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly options: LuaEngineOptions,
    private readonly onEnd: () => void,
  ) {
    this.numbering = numberDeclarations(options.globals);
    this.references = new References(this.numbering, {
      call: (fn, args) => (this.ended ? Promise.reject(vmEnded()) : this.calls.run(fn, args)),
      release: (pairs) => this.sendReleases(pairs),
    });
    this.writer = new Writer(this.references);
    this.frames = new FrameReader(this.channel.toKernel);
    this.calls = new Frames(
      (id, fn, args) => {
        this.writer.start(ToScript.run).uint32(id).uint32(this.references.idOf(fn)).value(args);
        this.send();
      },
      (callback) => this.stopCallback(callback),
    );
    this.worker = options.worker === undefined ? takeScriptThread() : new Worker(options.worker);
    this.worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => {
      if (data === RING) this.answer();
      else this.vm = data;
    };
    this.worker.onerror = (event) => {
      event.preventDefault();
      void this.end(new SpellError("internal", `The script thread failed: ${event.message}`));
    };
    const start: WorkerStart = { memory: this.channel.memory, policy: options.policy };
    this.worker.postMessage(start);
  }

  execute(input: ExecuteInput): Promise<ExecuteOutcome> {
    if (this.run !== undefined)
      return Promise.resolve({
        error: errorToJson(new SpellError("internal", "Cannot run a script: one is running")),
      });
    this.channel.stop = Stop.none;
    const { timeoutMs } = this.options.policy;
    return new Promise((resolve) => {
      this.run = {
        finish: resolve,
        clock: new RunClock(timeoutMs, () => this.stop(Stop.timeout)),
        grace: undefined,
        reason: Stop.none,
      };
      const code = typeof input.code === "string" ? new TextEncoder().encode(input.code) : input.code;
      const { name, path = null, args, interactive = false } = input;
      this.writer.start(ToScript.execute).value({ name, path, args, code, interactive });
      this.send();
    });
  }

  private finish(outcome: ExecuteOutcome): void {
    const { run } = this;
    if (run === undefined) return;
    this.run = undefined;
    run.clock.stop();
    clearTimeout(run.grace);
    clearInterval(this.pressing);
    this.channel.stop = Stop.none;
    const ended = () => new SpellError("interrupted", "The script has ended");
    this.calls.endAll(ended, run.reason === Stop.none);
    run.finish(outcome);
  }

  stop(reason: number): void {
    const { run } = this;
    if (run === undefined || run.reason !== Stop.none) return;
    run.reason = reason;
    this.channel.stop = reason;
    this.writer.start(ToScript.stop);
    this.send();
    this.press();
    run.grace = setTimeout(() => void this.end(stopError(reason, this.options.policy)), GRACE_MS);
    this.goOn(); // the script may wait in its output
  }

  /** Ends a callback while the run goes on; 0: none any more. */
  private stopCallback(callback: number): void {
    this.channel.stoppedCallback = callback;
    if (this.ended || (this.run !== undefined && this.run.reason !== Stop.none)) return;
    if (callback === 0) {
      clearInterval(this.pressing);
      return;
    }
    this.writer.start(ToScript.stop);
    this.send();
    this.press();
  }

  /** Makes a script that computes look at the `stop` words, until it has. */
  private press(): void {
    const install = () => {
      if (this.vm !== undefined) installStopHook(this.vm);
    };
    install();
    clearInterval(this.pressing);
    this.pressing = setInterval(install, PRESS_MS);
    this.pressing.unref();
  }

  /** Ends the thread at once; whatever waits for it fails with `error`. */
  async end(error: SpellError): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    this.onEnd();
    this.worker.terminate();
    this.references.clear();
    this.calls.endAll(() => error);
    this.finish({ error: errorToJson(error) });
    // A thread ends at a call from compiled code, which a tight loop does not make.
    this.channel.stop = Stop.interrupted;
    this.press();
    this.worker.addEventListener("close", () => clearInterval(this.pressing));
  }

  // ---- messages ----

  private send(): void {
    this.outbox.add(this.writer.frame());
    this.outbox.flush(this.channel);
  }

  private sendReleases(pairs: readonly (readonly [number, number])[]): void {
    if (this.ended) return;
    const writer = this.writer.start(ToScript.releaseFunctions).uint32(pairs.length);
    for (const [id, crossings] of pairs) writer.uint32(id).uint32(crossings);
    this.send();
  }

  /**
   * The script thread rang. A script may write as fast as this reads, so reading takes turns with timers, signals and
   * other clients.
   */
  private answer(): void {
    this.turnEndMs = performance.now() + TURN_MS;
    this.read();
  }

  private read(): void {
    if (this.room !== undefined) return;
    do {
      for (let frame = this.frames.next(); frame !== undefined; frame = this.frames.next()) {
        if (this.ended) return;
        this.handle(new Reader(frame, this.references));
        if (this.room === undefined && performance.now() < this.turnEndMs) continue;
        // Not answered yet, so the script does not ring meanwhile: rings would come before the timers.
        this.outbox.flush(this.channel);
        if (this.room === undefined) setTimeout(() => this.answer(), 0);
        return;
      }
      if (this.replied && this.listen()) continue;
      this.channel.answered();
    } while (this.channel.toKernel.available() > 0 && !this.ended);
    this.outbox.flush(this.channel);
  }

  /** The script's output has no reader: what it sends stays in the pipe until there is room, which in time stops it. */
  private waitForRoom(): void {
    const room = this.run?.reason === Stop.none ? this.options.host.room?.() : undefined;
    if (room === undefined) return;
    this.room = room;
    void room.then(() => {
      if (this.room === room) this.goOn();
    });
  }

  private goOn(): void {
    if (this.room === undefined) return;
    this.room = undefined;
    if (!this.ended) this.answer();
  }

  /** After a reply the script's next call often follows at once: a look for it saves both threads a wake-up. */
  private listen(): boolean {
    this.replied = false;
    return this.channel.toKernel.look();
  }

  /** Goes on reading after a reply that came later, while the turn lasts. */
  private resume(): void {
    if (this.ended || this.room !== undefined || performance.now() >= this.turnEndMs) return;
    this.channel.looking();
    this.read();
  }

  private handle(reader: Reader): void {
    switch (reader.byte()) {
      case FromScript.call: {
        const id = reader.uint32();
        this.reply(id, () => this.dispatch(reader, id));
        break;
      }
      case FromScript.post:
        this.post(reader);
        break;
      case FromScript.result:
        this.calls.settle(reader.uint32(), reader.byte() === 1, reader.value());
        break;
      case FromScript.outcome:
        this.outcome(reader.value() as Record<string, unknown>);
        break;
      case FromScript.releaseHandles:
        for (let left = reader.uint32(); left > 0; left--)
          this.references.releaseHandle(reader.uint32(), reader.uint32());
        break;
      case FromScript.output: {
        const stream = reader.byte() === 1 ? "stdout" : "stderr";
        this.options.host.output(stream, textOrBytes(reader.raw()));
        this.waitForRoom();
        break;
      }
      case FromScript.system: {
        const [id, callback] = [reader.uint32(), reader.uint32()];
        const [operation, argument] = [reader.value(), reader.value()];
        this.reply(id, () => {
          const answer = this.calls.within(id, callback, () =>
            systemCall(this.options.host, operation as string, argument, this.calls.signalOf(id)),
          );
          return operation === "input" ? this.run?.clock.without(answer as Promise<unknown>) : answer;
        });
        break;
      }
    }
  }

  private dispatch(reader: Reader, id: number): unknown {
    const callback = reader.uint32();
    const fn = this.numbering.functions[reader.uint32()]!;
    const handle = reader.uint32();
    const args = reader.value() as unknown[];
    const target: CallTarget = { global: fn.owner, fn: fn.name };
    if (handle !== 0) target.object = this.references.objectOf(handle);
    return this.calls.within(id, callback, () =>
      this.options.host.call(target, args, () => this.calls.blocked()),
    );
  }

  private post(reader: Reader): void {
    try {
      const done = this.dispatch(reader, 0);
      if (done instanceof Promise) done.catch((error: unknown) => this.postFailed(error));
    } catch (error) {
      this.postFailed(error);
    }
  }

  private postFailed(error: unknown): void {
    this.options.host.output("stderr", `${messageOf(error)}\n`);
  }

  private reply(id: number, work: () => unknown): void {
    const ok = (value: unknown) => {
      if (this.ended) return;
      this.calls.close(id);
      try {
        this.writer.start(ToScript.reply).uint32(id).byte(1).value(value);
      } catch (error) {
        failed(error);
        return;
      }
      this.send();
      this.replied = true;
    };
    const failed = (error: unknown) => {
      if (this.ended) return;
      this.calls.close(id);
      this.writer.start(ToScript.reply).uint32(id).byte(0).value(errorToJson(error));
      this.send();
      this.replied = true;
    };
    let result: unknown;
    this.calls.open(id);
    try {
      result = work();
    } catch (error) {
      failed(error);
      return;
    }
    if (result instanceof Promise) result.then(ok, failed).then(() => this.resume());
    else ok(result);
  }

  private outcome(message: Record<string, unknown>): void {
    const { broken, ...outcome } = message as ExecuteOutcome & { broken?: boolean };
    this.finish(outcome);
    if (broken) void this.end(new SpellError("interrupted", "The script VM was replaced"));
  }
}

function vmEnded(): SpellError {
  return new SpellError("interrupted", "Cannot run the script function: its VM has ended", {
    data: { vmEnded: true },
  });
}

function stopError(reason: number, policy: EnginePolicy): SpellError {
  if (reason === Stop.timeout) {
    return new SpellError("limit", `Script stopped: it may run at most ${policy.timeoutMs} ms`, {
      data: { limit: "time", maxMs: policy.timeoutMs, replaced: true },
      hint: "The script did not react, so its VM was replaced: its globals are gone",
    });
  }
  return new SpellError("interrupted", "Script interrupted", {
    data: { replaced: true },
    hint: "The script did not react, so its VM was replaced: its globals are gone",
  });
}

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  try {
    return strictDecoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return bytes;
    throw error;
  }
}
