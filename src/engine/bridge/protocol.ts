/** The messages between the script thread and the kernel, and the memory both share. */
import type { EnginePolicy } from "../engine.ts";
import { Pipe, pipeBytes } from "./pipe.ts";

/** From the script thread. */
export const FromScript = {
  /** A wait call: id, innermost callback, function number, handle, arguments. */
  call: 1,
  /** A post call: innermost callback, function number, handle, arguments. */
  post: 2,
  /** The result of a script function: id, ok, value or error. */
  result: 3,
  /** The outcome of an execution: JSON. */
  outcome: 4,
  /** Handles the script no longer holds: count, then (id, crossings) pairs. */
  releaseHandles: 5,
  /** Output: stream (1 or 2), bytes. */
  output: 6,
  /** A call to the engine's own host services (`host.ts`): id, operation, argument. */
  system: 7,
} as const;

/** To the script thread. */
export const ToScript = {
  /** Run a chunk: JSON of `ExecuteMessage`, code as bytes. */
  execute: 1,
  /** The answer to a wait or system call: id, ok, value or error. */
  reply: 2,
  /** Run a script function: id, function, arguments. */
  run: 3,
  /** Function references no longer held: count, then (id, crossings) pairs. */
  releaseFunctions: 4,
  /** Nothing to do but look at the `stop` words. */
  stop: 5,
} as const;

/** Why a run must stop; the value of the `stop` word. */
export const Stop = { none: 0, interrupted: 1, timeout: 2 } as const;

const PIPE_BYTES = 256 * 1024;
const CONTROL_BYTES = 16;
const STOP = 0;
const RUNG = 1;
const WANTS_ROOM = 2;
const STOPPED_CALLBACK = 3;

/** The memory shared by both threads: a few control words and one pipe each way. */
export class SharedChannel {
  readonly memory: SharedArrayBuffer;
  readonly toKernel: Pipe;
  readonly toScript: Pipe;
  private readonly control: Int32Array;

  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(CONTROL_BYTES + 2 * pipeBytes(PIPE_BYTES));
    this.control = new Int32Array(this.memory, 0, CONTROL_BYTES / 4);
    this.toKernel = new Pipe(this.memory, CONTROL_BYTES, PIPE_BYTES);
    this.toScript = new Pipe(this.memory, CONTROL_BYTES + pipeBytes(PIPE_BYTES), PIPE_BYTES);
  }

  get stop(): number {
    return Atomics.load(this.control, STOP);
  }

  set stop(reason: number) {
    Atomics.store(this.control, STOP, reason);
  }

  /** The callback that must end while the run goes on; 0 for none. */
  get stoppedCallback(): number {
    return Atomics.load(this.control, STOPPED_CALLBACK);
  }

  set stoppedCallback(id: number) {
    Atomics.store(this.control, STOPPED_CALLBACK, id);
  }

  /** True when the kernel has to be rung: it has not been since it last looked. */
  shouldRing(): boolean {
    return Atomics.exchange(this.control, RUNG, 1) === 0;
  }

  answered(): void {
    Atomics.store(this.control, RUNG, 0);
  }

  /** The kernel is reading: nobody needs to ring. */
  looking(): void {
    Atomics.store(this.control, RUNG, 1);
  }

  /** The kernel has more for the script than fits now. */
  wantRoom(): void {
    Atomics.store(this.control, WANTS_ROOM, 1);
  }

  takeRoomWish(): boolean {
    return (
      Atomics.load(this.control, WANTS_ROOM) === 1 && Atomics.exchange(this.control, WANTS_ROOM, 0) === 1
    );
  }
}

/** What the script thread posts when it has written. */
export const RING = 0;

/** What the worker is started with. */
export interface WorkerStart {
  memory: SharedArrayBuffer;
  policy: EnginePolicy;
}
