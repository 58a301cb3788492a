/** What Lua tells about itself: the call stack and the heap. */
import type { StackFrame, VmInspection } from "../../globals/declare.ts";
import { type LuaExports, LuaType } from "./api.ts";
import { OWN_CHUNK } from "./prelude.ts";
import type { Stack } from "./stack.ts";

/** Offsets in C's `lua_Debug` of Lua 5.4, 32 bits. */
const NAME = 4;
const WHAT = 12;
const CURRENT_LINE = 24;
const SHORT_SOURCE = 44;
const DEBUG_BYTES = 128;

export interface InspectedVm {
  readonly lua: LuaExports;
  readonly stack: Stack;
  /** The thread that runs now. */
  readonly current: number;
  heapBytes(): { usedBytes: number; allocatedBytes: number };
}

interface Frame extends StackFrame {
  level: number;
}

export class Inspection implements VmInspection {
  private readonly record: number;

  constructor(private readonly vm: InspectedVm) {
    this.record = vm.lua.malloc(DEBUG_BYTES);
  }

  memory(): { usedBytes: number; allocatedBytes: number } {
    return this.vm.heapBytes();
  }

  stack(options: { maxDepth: number; locals: boolean; upvalues: boolean }): StackFrame[] {
    const frames: StackFrame[] = [];
    // Level 0 is the function that asks.
    for (let level = 1; frames.length < options.maxDepth; level++) {
      const frame = this.frame(level);
      if (frame === undefined) break;
      if (frame.source.startsWith(OWN_CHUNK)) continue;
      const { level: at, ...shown } = frame;
      if (options.locals && shown.what !== "C") shown.locals = this.locals(at);
      if (options.upvalues && shown.what !== "C") shown.upvalues = this.upvalues(at);
      frames.push(shown);
    }
    return frames;
  }

  private frame(level: number): Frame | undefined {
    const { lua, stack, current: L } = this.vm;
    if (lua.lua_getstack(L, level, this.record) === 0) return undefined;
    stack.withText("nSl", (what) => lua.lua_getinfo(L, what, this.record));
    const name = stack.word(this.record + NAME);
    return {
      level,
      source: stack.textAt(this.record + SHORT_SOURCE),
      line: stack.word(this.record + CURRENT_LINE),
      name: name === 0 ? "" : stack.textAt(name),
      what: stack.textAt(stack.word(this.record + WHAT)) as StackFrame["what"],
    };
  }

  private locals(level: number): { name: string; value: string }[] {
    const { lua, current: L } = this.vm;
    lua.lua_getstack(L, level, this.record);
    return this.collect((n) => lua.lua_getlocal(L, this.record, n));
  }

  private upvalues(level: number): { name: string; value: string }[] {
    const { lua, stack, current: L } = this.vm;
    lua.lua_getstack(L, level, this.record);
    stack.withText("f", (what) => lua.lua_getinfo(L, what, this.record));
    const fn = lua.lua_gettop(L);
    const found = this.collect((n) => lua.lua_getupvalue(L, fn, n));
    lua.lua_settop(L, fn - 1);
    return found;
  }

  /** @param push pushes the n-th variable and gives the address of its name, or 0 */
  private collect(push: (n: number) => number): { name: string; value: string }[] {
    const { lua, stack, current: L } = this.vm;
    const found: { name: string; value: string }[] = [];
    for (let n = 1; ; n++) {
      const name = push(n);
      if (name === 0) return found;
      const text = stack.textAt(name);
      if (!text.startsWith("(")) found.push({ name: text, value: this.shown(L) });
      lua.lua_settop(L, -2);
    }
  }

  /** The value at the top as text; metamethods are not run. */
  private shown(L: number): string {
    const { lua, stack } = this.vm;
    const type = lua.lua_type(L, -1);
    if (type === LuaType.table || type === LuaType.userdata)
      return `${type === LuaType.table ? "table" : "userdata"}: 0x${lua.lua_topointer(L, -1).toString(16).padStart(8, "0")}`;
    const text = stack.display(L, -1);
    return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  }
}

const SHOWN_CHARACTERS = 120;
