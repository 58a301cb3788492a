/** One Lua state: running chunks and functions, references, limits. What a script finds in it is set up elsewhere. */
import { SpellError } from "../../core/errors.ts";
import { Stop } from "../bridge/protocol.ts";
import type { EnginePolicy } from "../engine.ts";
import { LUA_ERRMEM, LUA_MASKCOUNT, LUA_OK, type LuaExports, LuaType, REGISTRY, upvalue } from "./api.ts";
import { ErrorMemory, type Raised, scriptTraceback, toSpellError } from "./errors.ts";
import { HeldValues, type ObjectOptions } from "./held.ts";
import { OWN_CHUNK } from "./prelude.ts";
import { Stack } from "./stack.ts";
import { allowHooks, type ReachableVm, runningStates } from "./stop-hook.ts";
import { concatenate, pushTextOf } from "./text-table.ts";
import { type FileSystem, instantiateLua, isLuaUnwind, type LuaInstance } from "./wasm.ts";

const HOOK_INSTRUCTIONS = 1000;
const ARGUMENT_SLOTS = 8;
const UNTIDY_BYTES = 64 * 1024;

/** A C function for Lua: takes the state, returns the count of results it pushed. */
export type Native = (L: number) => number;

export interface VmOptions extends ObjectOptions {
  policy: EnginePolicy;
  files: FileSystem;
  /** Why the run must stop, from shared memory. */
  stop: () => number;
  /** Whether a callback that runs must end, and nothing else. */
  mustEndCallback: () => boolean;
}

export class LuaVm {
  readonly lua: LuaExports;
  readonly stack: Stack;
  readonly errors = new ErrorMemory();
  /** The main thread of the state. */
  readonly main: number;
  /** The thread that runs now: callbacks of a wait run on it. */
  current: number;
  /** Set by `os.exit`. */
  exitCode: number | undefined;
  /** Functions and objects that stand for something on the other side. */
  readonly held: HeldValues;
  private readonly natives: Native[] = [];
  private readonly instance: LuaInstance;
  private readonly handler: number;
  private instructions = 0;
  private stopped: SpellError | undefined;
  private raised: Raised | undefined;

  constructor(private readonly options: VmOptions) {
    const { policy, files } = options;
    this.instance = instantiateLua(
      { call: (L) => this.dispatch(L), hook: (L) => this.hook(L) },
      files,
      policy.maxMemoryBytes,
    );
    this.lua = this.instance.lua;
    this.stack = new Stack(this.instance, {
      objectAt: (L, index) => this.held.objectAt(L, index),
      functionAt: (L, index) => this.held.functionAt(L, index),
      pushObject: (L, value) => this.held.pushObject(L, value),
    });
    const L = this.lua.luaL_newstate();
    if (L === 0) throw new SpellError("limit", "Cannot start the script VM: not enough memory");
    this.main = L;
    this.current = L;
    this.held = new HeldValues(this, options);
    this.stack.textFunction = this.keepNative((state) => pushTextOf(this.stack, state, 1));
    this.stack.concatFunction = this.keepNative((state) => concatenate(this.stack, state));
    this.handler = this.keepNative((state) => this.onError(state));
    this.countInstructions(L);
  }

  /** For the kernel's thread. */
  get reachable(): ReachableVm {
    return { memory: this.lua.memory, main: this.main, hook: this.instance.hookPointer };
  }

  /** Sets a field of the table at the top to what `push` pushes. */
  setField(L: number, name: string, push: () => void): void {
    this.stack.pushText(L, name);
    push();
    this.lua.lua_rawset(L, -3);
  }

  // ---- functions of ours in Lua ----

  private dispatch(L: number): number {
    const outer = this.current;
    this.current = L;
    try {
      return this.natives[this.lua.lua_touserdata(L, upvalue(1))]!(L);
    } catch (thrown) {
      if (isLuaUnwind(thrown) || thrown instanceof WebAssembly.RuntimeError) throw thrown;
      this.stack.pushText(L, this.errors.remember(thrown));
      return this.lua.lua_error(L);
    } finally {
      this.current = outer;
    }
  }

  /** Registers a native once; the number makes closures of it. */
  native(native: Native): number {
    return this.natives.push(native) - 1;
  }

  pushNative(L: number, native: Native | number, upvalues = 0): void {
    const number = typeof native === "number" ? native : this.native(native);
    this.lua.lua_pushlightuserdata(L, number);
    if (upvalues > 0) this.lua.lua_rotate(L, -1 - upvalues, 1);
    this.lua.lua_pushcclosure(L, this.instance.callPointer, 1 + upvalues);
  }

  /** A registry reference to a native. */
  private keepNative(native: Native): number {
    this.pushNative(this.main, native);
    return this.lua.luaL_ref(this.main, REGISTRY);
  }

  /** The table index of an exported C function. */
  exportPointer(name: keyof LuaExports): number {
    return this.instance.addFunction(this.lua[name]);
  }

  // ---- limits ----

  private hook(L: number): void {
    this.instructions += HOOK_INSTRUCTIONS;
    try {
      this.checkStop();
    } catch (thrown) {
      this.checkEveryInstruction();
      allowHooks(this.instance.memory(), L);
      this.stack.pushText(L, this.errors.remember(thrown));
      this.lua.lua_error(L);
    }
    this.countInstructions(L);
  }

  /** Sets the hook that the policy asks for; others are there only to stop a script. */
  private countInstructions(L: number): void {
    const { hookPointer } = this.instance;
    if (this.options.policy.maxInstructions === undefined) this.lua.lua_sethook(L, 0, 0, 0);
    else this.lua.lua_sethook(L, hookPointer, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
  }

  /** For a run that must end: no `pcall` may keep the script alive. */
  private checkEveryInstruction(): void {
    for (const state of runningStates(this.reachable))
      this.lua.lua_sethook(state, this.instance.hookPointer, LUA_MASKCOUNT, 1);
  }

  /** Ends the run from within, after `exitCode` was set. */
  leave(): never {
    this.checkEveryInstruction();
    this.checkStop();
    throw new SpellError("internal", "Cannot leave the script: nothing asked for it");
  }

  /** Throws the reason for which the script must end. */
  checkStop(): void {
    const reason = this.options.stop();
    const { maxInstructions, timeoutMs } = this.options.policy;
    if (reason === Stop.interrupted) this.stopped ??= new SpellError("interrupted", "Script interrupted");
    else if (reason === Stop.timeout) {
      this.stopped ??= new SpellError("limit", `Script stopped: it may run at most ${timeoutMs} ms`, {
        data: { limit: "time", maxMs: timeoutMs },
        hint: "Raise engines.lua.timeout_ms or runtime.security.max_execution_time_ms",
      });
    } else if (maxInstructions !== undefined && this.instructions > maxInstructions) {
      this.stopped ??= new SpellError(
        "limit",
        `Script stopped: it may run at most ${maxInstructions} instructions`,
        {
          data: { limit: "instructions", max: maxInstructions },
        },
      );
    }
    if (this.exitCode !== undefined)
      this.stopped ??= new SpellError("interrupted", "Script left through os.exit");
    if (this.stopped !== undefined) throw this.stopped;
    if (this.options.mustEndCallback())
      throw new SpellError("interrupted", "Script function stopped: nobody waits for it any more");
  }

  /** Begins a run: limits count from here. */
  reset(): void {
    this.stopped = undefined;
    this.exitCode = undefined;
    this.instructions = 0;
    this.errors.clear();
    this.lua.lua_settop(this.main, 0);
    this.countInstructions(this.main);
  }

  // ---- running ----

  /**
   * Runs the function below `args` on the stack of `L`; leaves `results` values.
   * @throws SpellError with the script's traceback in `data.traceback`
   */
  protectedCall(L: number, args: number, results: number): void {
    const { lua } = this;
    const base = lua.lua_gettop(L) - args;
    lua.lua_rawgeti(L, REGISTRY, BigInt(this.handler));
    lua.lua_rotate(L, base, 1);
    this.raised = undefined;
    const outer = this.current;
    this.current = L;
    let status: number;
    try {
      status = lua.lua_pcallk(L, args, results, base, 0, 0);
    } finally {
      this.current = outer;
    }
    if (status !== LUA_OK) {
      const error = this.takeError(L, status);
      lua.lua_settop(L, base - 1);
      throw error;
    }
    lua.lua_rotate(L, base, -1);
    lua.lua_settop(L, -2);
  }

  private takeError(L: number, status: number): SpellError {
    const raised = this.raised ?? { message: this.textAt(L, -1), where: "", traceback: "" };
    this.raised = undefined;
    if (this.stopped !== undefined) {
      const { code, message, data, hint } = this.stopped;
      const all = { ...data, traceback: raised.traceback };
      return new SpellError(code, message, hint === undefined ? { data: all } : { data: all, hint });
    }
    if (status === LUA_ERRMEM) return this.outOfMemory(raised);
    return toSpellError(raised, this.errors, "script");
  }

  private outOfMemory(raised: Raised): SpellError {
    const max = this.options.policy.maxMemoryBytes;
    const limit = max === undefined ? "" : `: it may use at most ${max} bytes`;
    return new SpellError("limit", `Script stopped: not enough memory${limit}`, {
      data: { limit: "memory", ...(max === undefined ? {} : { maxBytes: max }), traceback: raised.traceback },
      hint: "Raise engines.lua.max_memory_bytes and runtime.security.max_memory_bytes",
    });
  }

  /** The message handler: notes where the error was raised while the stack still stands. */
  private onError(L: number): number {
    const { lua } = this;
    let where = "";
    for (let level = 1; level < 40 && where === ""; level++) {
      lua.luaL_where(L, level);
      const text = this.textAt(L, -1);
      if (!text.startsWith(OWN_CHUNK)) where = text;
      lua.lua_settop(L, -2);
    }
    lua.luaL_traceback(L, L, 0, 1);
    const traceback = scriptTraceback(this.textAt(L, -1));
    lua.lua_settop(L, -2);
    this.raised = { ...this.describeError(L), where, traceback };
    return 1;
  }

  private describeError(L: number): { message: string; value?: unknown } {
    const { lua, stack } = this;
    const type = lua.lua_type(L, 1);
    if (type === LuaType.string || type === LuaType.number) return { message: this.textAt(L, 1) };
    const value = stack.value(L, 1, "result");
    const text = stack.display(L, 1);
    if (!/^(table|function|userdata|thread): 0x/.test(text)) return { message: text, value };
    const named = (value as { message?: unknown } | null)?.message;
    if (typeof named === "string") return { message: named, value };
    return { message: `error object is a ${text.slice(0, text.indexOf(":"))} value`, value };
  }

  /** The string or number at `index`, decoded leniently. */
  textAt(L: number, index: number): string {
    if (this.lua.lua_type(L, index) === LuaType.nil) return "nil";
    const bytes = this.stack.bytesView(L, index);
    return new TextDecoder().decode(bytes);
  }

  runFunction(id: number, args: readonly unknown[]): unknown {
    const { lua, stack } = this;
    const L = this.current;
    if (lua.lua_checkstack(L, args.length + ARGUMENT_SLOTS) === 0)
      throw new SpellError("limit", "Cannot run a script function: the stack is full", {
        data: { limit: "stack" },
      });
    const top = lua.lua_gettop(L);
    try {
      this.held.pushFunction(L, id);
      for (const value of args) stack.push(L, value);
      this.protectedCall(L, args.length, 1);
      return stack.value(L, lua.lua_gettop(L));
    } finally {
      lua.lua_settop(L, top);
    }
  }

  /** A full collection: finalizers run, handles nobody holds are given back. */
  collectGarbage(): void {
    const { lua, stack, main: L } = this;
    const top = lua.lua_gettop(L);
    lua.lua_rawgeti(L, REGISTRY, BigInt(this.collectgarbage));
    stack.pushText(L, "collect");
    if (lua.lua_pcallk(L, 1, 0, 0, 0, 0) !== LUA_OK) lua.lua_settop(L, top);
    this.collectedBytes = this.heapBytes().usedBytes;
  }

  /** The same where it is worth it: what little an input at a prompt leaves may wait for the next. */
  tidy(): void {
    const grown = this.heapBytes().usedBytes - this.collectedBytes;
    if (grown > UNTIDY_BYTES || !this.held.isEmpty) this.collectGarbage();
  }

  /** Bytes in use after the last collection. */
  private collectedBytes = 0;

  /** The registry reference of Lua's own `collectgarbage`, which a script may have replaced. */
  private collectgarbage = 0;

  heapBytes(): { usedBytes: number; allocatedBytes: number } {
    const { lua, stack, main: L } = this;
    const top = lua.lua_gettop(L);
    lua.lua_rawgeti(L, REGISTRY, BigInt(this.collectgarbage));
    stack.pushText(L, "count");
    const counted = lua.lua_pcallk(L, 1, 1, 0, 0, 0) === LUA_OK;
    const usedBytes = counted ? Math.round(lua.lua_tonumberx(L, -1, 0) * 1024) : 0;
    lua.lua_settop(L, top);
    return { usedBytes, allocatedBytes: lua.memory.buffer.byteLength };
  }

  /** Called once the base library stands. */
  keepCollector(): void {
    this.stack.withText("collectgarbage", (name) => this.lua.lua_getglobal(this.main, name));
    this.collectgarbage = this.lua.luaL_ref(this.main, REGISTRY);
  }
}
