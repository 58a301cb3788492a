/**
 * Stops a script that runs, from another thread. Lua looks for a hook before every instruction once a count hook is
 * installed, and runs at half its speed; so there is none until a script must stop. Then the kernel's thread writes it
 * into the VM's memory, as `lua_sethook` would, and the VM calls it at its next jump or call.
 */
import { LUA_MASKCOUNT } from "./api.ts";

/** What another thread needs to reach a VM. */
export interface ReachableVm {
  /** Shared memory: each thread sees it grow. */
  memory: WebAssembly.Memory;
  /** Address of the main thread's state. */
  main: number;
  /** The hook's index in the function table. */
  hook: number;
}

/** Offsets in the structures of Lua 5.4 with 32-bit pointers. */
const STATE = { tag: 4, allowHook: 7, frame: 20, hook: 88, baseCount: 104, count: 108, mask: 112 } as const;
const FRAME = { function: 0, previous: 8, trap: 20, status: 34 } as const;
const CLOSURE = { firstUpvalue: 16 } as const;
const VALUE = { tag: 8, bytes: 16 } as const;

const FRAME_OF_C = 2;
const TAG_THREAD = 8;
const COLLECTABLE = 0x40;
const TAG_C_FUNCTION = 0x16;
const TAG_C_CLOSURE = 0x26 | COLLECTABLE;

/** More coroutines than C calls may nest. */
const MAX_STATES = 256;

/** Another thread's structures, which may change meanwhile: what lies outside of memory is 0 and takes nothing. */
class Structures {
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;

  constructor(memory: WebAssembly.Memory) {
    this.words = new Int32Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
  }

  private word(at: number): number {
    return this.words[at >>> 2] ?? 0;
  }

  private byte(at: number): number {
    return this.bytes[at] ?? 0;
  }

  store(at: number, value: number): void {
    if (at >>> 2 < this.words.length) Atomics.store(this.words, at >>> 2, value);
  }

  /** Sets a flag that is not set. */
  raise(at: number): void {
    if (at >>> 2 < this.words.length) Atomics.compareExchange(this.words, at >>> 2, 0, 1);
  }

  /** The main state and the coroutines that run within each other, the innermost last. */
  runningStates(main: number): number[] {
    const states = [main];
    for (let next = this.resumed(main); next !== 0; next = this.resumed(next)) {
      if (states.includes(next) || states.length === MAX_STATES) break;
      states.push(next);
    }
    return states;
  }

  /**
   * The coroutine that a state waits for, or 0. `coroutine.resume` and `coroutine.close` have it as their first
   * argument, a wrapped coroutine's function as its first upvalue.
   */
  private resumed(state: number): number {
    const frame = this.word(state + STATE.frame);
    if (!this.isOfC(frame)) return 0;
    const fn = this.word(frame + FRAME.function);
    const tag = this.byte(fn + VALUE.tag);
    if (tag === TAG_C_FUNCTION) return this.threadAt(fn + VALUE.bytes);
    return tag === TAG_C_CLOSURE ? this.threadAt(this.word(fn) + CLOSURE.firstUpvalue) : 0;
  }

  private threadAt(value: number): number {
    if (this.byte(value + VALUE.tag) !== (TAG_THREAD | COLLECTABLE)) return 0;
    const state = this.word(value);
    return this.byte(state + STATE.tag) === TAG_THREAD ? state : 0;
  }

  private isOfC(frame: number): boolean {
    return (this.byte(frame + FRAME.status) & FRAME_OF_C) !== 0;
  }

  /** The Lua function that a state runs, or the one that called the C function it runs; 0 without one. */
  innermostOfLua(state: number): number {
    let frame = this.word(state + STATE.frame);
    for (let steps = 0; frame !== 0 && this.isOfC(frame) && steps < MAX_STATES; steps++)
      frame = this.word(frame + FRAME.previous);
    return this.isOfC(frame) ? 0 : frame;
  }
}

/** For the VM's own thread. */
export function runningStates({ memory, main }: Omit<ReachableVm, "hook">): number[] {
  return new Structures(memory).runningStates(main);
}

/**
 * For a hook that is about to raise an error: the script's message handler runs within it, without hooks unless they are
 * allowed again. The call that catches the error restores what was.
 */
export function allowHooks(memory: Uint8Array, state: number): void {
  memory[state + STATE.allowHook] = 1;
}

/**
 * For any other thread. To be repeated until the script has stopped: the coroutine that ran may have ended while this
 * was written, or a finalizer, in which Lua calls no hooks, may have been running.
 */
export function installStopHook({ memory, main, hook }: ReachableVm): void {
  const structures = new Structures(memory);
  for (const state of structures.runningStates(main)) {
    structures.store(state + STATE.hook, hook);
    structures.store(state + STATE.baseCount, 1);
    structures.store(state + STATE.count, 1);
    structures.store(state + STATE.mask, LUA_MASKCOUNT);
    const frame = structures.innermostOfLua(state);
    if (frame !== 0) structures.raise(frame + FRAME.trap);
  }
}
