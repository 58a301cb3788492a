/** Builds the script's globals from their declarations. */
import { SpellError } from "../../core/errors.ts";
import type { ScriptValue } from "../../core/values.ts";
import { checkArgs } from "../../globals/check.ts";
import type { Feature, GlobalDecl, LocalContext, LocalEnvironment } from "../../globals/declare.ts";
import {
  type NumberedClass,
  type NumberedFunction,
  type NumberedGlobal,
  type Numbering,
  numberDeclarations,
} from "../bridge/numbering.ts";
import { LuaType, REGISTRY, upvalue } from "./api.ts";
import { Inspection } from "./inspect.ts";
import type { KernelLink } from "./link.ts";
import { type HandleRef, LocalObject } from "./objects.ts";
import type { LuaVm } from "./vm.ts";

type LocalHandler = (ctx: LocalContext<unknown>, ...args: unknown[]) => unknown;

const COMPILED_AT_FIRST_CALL = `
local compile, compiled = ..., nil
return function(...)
  compiled = compiled or compile()
  return compiled(...)
end`;

export class Bindings {
  private readonly numbering: Numbering;
  private readonly natives = new Map<number, number>();
  /** Registry references of functions written in Lua. */
  private readonly luaFunctions = new Map<number, number>();
  private readonly metatables = new Map<number, number>();
  private readonly classNumbers: ReadonlyMap<string, NumberedClass>;
  private readonly inspection: Inspection;
  private readonly byName: ReadonlyMap<string, NumberedFunction>;
  private readonly contextOfGlobals: LocalContext<unknown>;

  constructor(
    declared: readonly GlobalDecl[],
    private readonly vm: LuaVm,
    private readonly link: KernelLink,
    private readonly environment: LocalEnvironment,
    private readonly features: readonly Feature[],
    /** Replaces the value at the top of the stack by what the chunk returns when called with it. */
    private readonly callChunk: (L: number, source: string, name: string) => void,
  ) {
    this.numbering = numberDeclarations(declared);
    this.classNumbers = new Map(this.numbering.classes.map((c) => [c.decl.name, c]));
    this.inspection = new Inspection(vm);
    this.byName = new Map(this.numbering.functions.map((f) => [`${f.owner}.${f.name}`, f]));
    this.contextOfGlobals = this.context(undefined);
  }

  install(): void {
    const { lua, stack, main: L } = this.vm;
    this.pushFilling(L);
    for (const global of this.numbering.globals) {
      if (!this.offers(global.decl.when)) continue;
      lua.lua_createtable(L, 0, 0);
      this.unfilled.set(lua.lua_topointer(L, -1), global);
      lua.lua_pushvalue(L, -2);
      lua.lua_setmetatable(L, -2);
      stack.withText(global.decl.name, (name) => lua.lua_setglobal(L, name));
    }
    lua.lua_settop(L, -2);
  }

  /** Globals that nobody has looked at yet, by the address of their table. */
  private readonly unfilled = new Map<number, NumberedGlobal>();

  /**
   * Pushes the metatable of globals' tables that are still empty. A script uses few of them: the functions of one are put into
   * its table when it is first looked at, which then has the metatable it is meant to have.
   */
  private pushFilling(L: number): void {
    const { vm } = this;
    const { lua } = vm;
    vm.stack.withText("next", (name) => lua.lua_getglobal(L, name));
    const next = lua.luaL_ref(L, REGISTRY);
    lua.lua_createtable(L, 0, 3);
    vm.setField(L, "__index", () =>
      vm.pushNative(L, (state) => {
        lua.lua_settop(state, 2); // a script may call it with anything
        this.fill(state);
        lua.lua_gettable(state, 1);
        return 1;
      }),
    );
    vm.setField(L, "__newindex", () =>
      vm.pushNative(L, (state) => {
        lua.lua_settop(state, 3);
        this.fill(state);
        lua.lua_settable(state, 1);
        return 0;
      }),
    );
    vm.setField(L, "__pairs", () =>
      vm.pushNative(L, (state) => {
        lua.lua_settop(state, 1);
        this.fill(state);
        lua.lua_rawgeti(state, REGISTRY, BigInt(next));
        lua.lua_pushvalue(state, 1);
        lua.lua_pushnil(state);
        return 3;
      }),
    );
  }

  /** Fills the table that is the first argument. */
  private fill(L: number): void {
    const { lua } = this.vm;
    const at = lua.lua_topointer(L, 1);
    const global = this.unfilled.get(at);
    if (global === undefined) return;
    this.unfilled.delete(at);
    lua.lua_pushvalue(L, 1);
    lua.lua_pushnil(L);
    lua.lua_setmetatable(L, -2);
    this.fillGlobal(L, global);
    lua.lua_settop(L, -2);
  }

  private offers(feature: Feature | undefined): boolean {
    return feature === undefined || this.features.includes(feature);
  }

  private isVisible({ decl }: NumberedFunction): boolean {
    return !decl.internal && this.offers(decl.when);
  }

  /** Of the table at the top. */
  private fillGlobal(L: number, global: NumberedGlobal): void {
    const { vm } = this;
    for (const [name, fn] of global.functions)
      if (this.isVisible(fn)) vm.setField(L, name, () => this.pushFunction(L, fn));
    if (global.index !== undefined) this.setIndex(L, () => this.pushIndex(L, global.index!));
    else if (global.decl.bothSpellings) this.setIndex(L, () => this.pushOtherSpellings(L, global));
  }

  /** Pushes the private table that a global's Lua functions are given: its other functions. */
  private pushInternals(L: number, owner: string): void {
    const { functions } = this.numbering.globals.find((g) => g.decl.name === owner)!;
    this.vm.lua.lua_createtable(L, 0, functions.size);
    for (const [name, fn] of functions)
      if (fn.decl.crossing !== "lua") this.vm.setField(L, name, () => this.pushNativeOf(L, fn));
  }

  /** Gives the table at the top a metatable with only `__index`. */
  private setIndex(L: number, push: () => void): void {
    this.vm.lua.lua_createtable(L, 0, 1);
    this.vm.setField(L, "__index", push);
    this.vm.lua.lua_setmetatable(L, -2);
  }

  private pushOtherSpellings(L: number, { functions }: NumberedGlobal): void {
    this.vm.lua.lua_createtable(L, 0, functions.size);
    for (const [name, fn] of functions) {
      const other = otherSpelling(name);
      if (other !== name && !functions.has(other) && this.isVisible(fn))
        this.vm.setField(L, other, () => this.pushFunction(L, fn));
    }
  }

  /** Pushes the `__index` metamethod of a global: called with the table and the key. */
  private pushIndex(L: number, fn: NumberedFunction): void {
    if (fn.decl.crossing === "lua") this.pushFunction(L, fn);
    else this.vm.pushNative(L, (state) => this.run(state, fn, undefined, 2));
  }

  private pushFunction(L: number, fn: NumberedFunction): void {
    const { decl } = fn;
    if (decl.crossing !== "lua") {
      this.pushNativeOf(L, fn);
      return;
    }
    const known = this.luaFunctions.get(fn.number);
    if (known !== undefined) {
      this.vm.lua.lua_rawgeti(L, REGISTRY, BigInt(known));
      return;
    }
    const name = `${fn.owner}.${fn.name}`;
    this.vm.pushNative(L, (state) => {
      this.pushInternals(state, fn.owner);
      this.callChunk(state, decl.source, name);
      return 1;
    });
    this.callChunk(L, COMPILED_AT_FIRST_CALL, name);
    this.vm.lua.lua_pushvalue(L, -1);
    this.luaFunctions.set(fn.number, this.vm.lua.luaL_ref(L, REGISTRY));
  }

  private pushNativeOf(L: number, fn: NumberedFunction): void {
    this.vm.pushNative(L, this.nativeOf(fn));
  }

  private nativeOf(fn: NumberedFunction): number {
    let native = this.natives.get(fn.number);
    if (native === undefined) {
      native = this.vm.native((L) => this.run(L, fn, undefined, 1));
      this.natives.set(fn.number, native);
    }
    return native;
  }

  private run(L: number, fn: NumberedFunction, self: object | undefined, from: number): number {
    const { stack, lua } = this.vm;
    const args = stack.values(L, from, lua.lua_gettop(L));
    const result = this.cross(fn, self, args);
    const state = result instanceof LocalObject ? result.state : result;
    // A builder's methods give back the builder: the same table, not one more for the same state.
    if (self instanceof LocalObject && state === self.state) lua.lua_pushvalue(L, upvalue(2));
    else stack.push(L, result);
    return 1;
  }

  private cross(fn: NumberedFunction, self: object | undefined, args: unknown[]): unknown {
    const { decl } = fn;
    const handle = self === undefined || self instanceof LocalObject ? 0 : (self as HandleRef).id;
    switch (decl.crossing) {
      case "wait":
        return this.link.call(fn.number, handle, args);
      case "post":
        this.link.post(fn.number, handle, args);
        return undefined;
      case "local": {
        const separator = self === undefined ? "." : ":";
        const checked = checkArgs(`${fn.owner}${separator}${fn.name}`, decl.params, args);
        const ctx =
          self === undefined
            ? this.contextOfGlobals
            : this.context(self instanceof LocalObject ? self.state : self);
        return (decl.handler as LocalHandler)(ctx, ...checked);
      }
      default:
        throw new SpellError("internal", `Cannot call ${fn.owner}.${fn.name}: it is a Lua function`);
    }
  }

  private context(self: unknown): LocalContext<unknown> {
    return {
      self,
      env: this.environment,
      vm: this.inspection,
      wait: (global, fn, ...args) => this.link.call(this.find(global, fn).number, 0, args) as ScriptValue,
      post: (global, fn, ...args) => this.link.post(this.find(global, fn).number, 0, args),
      create: (className, state) => new LocalObject(className, state) as unknown as ScriptValue,
    };
  }

  private find(global: string, name: string): NumberedFunction {
    const fn = this.byName.get(`${global}.${name}`);
    if (fn === undefined)
      throw new SpellError("internal", `Cannot call ${global}.${name}: no such function is declared`);
    return fn;
  }

  // ---- objects ----

  /** Pushes the table of an object: its fields, and a metatable that finds methods. */
  pushObjectTable(L: number, object: HandleRef | LocalObject): void {
    const { lua, stack } = this.vm;
    const cls =
      object instanceof LocalObject
        ? this.classNumbers.get(object.className)
        : this.numbering.classes[object.classNumber];
    if (cls === undefined)
      throw new SpellError("internal", "Cannot give an object to a script: unknown class");
    lua.lua_createtable(L, 0, 8);
    const fields = object instanceof LocalObject ? cls.decl.fields?.(object.state as never) : object.fields;
    if (fields !== undefined) stack.fillFields(L, fields);
    this.pushMetatable(L, cls);
    lua.lua_setmetatable(L, -2);
  }

  private pushMetatable(L: number, cls: NumberedClass): void {
    const { vm } = this;
    const { lua, stack } = vm;
    const known = this.metatables.get(cls.number);
    if (known !== undefined) {
      lua.lua_rawgeti(L, REGISTRY, BigInt(known));
      return;
    }
    lua.lua_createtable(L, 0, 4);
    vm.setField(L, "__name", () => stack.pushText(L, cls.decl.name));
    vm.setField(L, "__metatable", () => stack.pushText(L, cls.decl.name));
    vm.setField(L, "__gc", () => vm.held.pushCollector(L));
    vm.setField(L, "__index", () => vm.pushNative(L, (state) => this.findMethod(state, cls)));
    lua.lua_pushvalue(L, -1);
    this.metatables.set(cls.number, lua.luaL_ref(L, REGISTRY));
  }

  /** `__index`: makes a closure bound to the object at the first use of a method, and keeps it in the table. */
  private findMethod(L: number, cls: NumberedClass): number {
    const { vm } = this;
    const { lua } = vm;
    const key = lua.lua_type(L, 2) === LuaType.string ? vm.stack.string(L, 2) : undefined;
    if (typeof key !== "string") return 0;
    const fn = cls.methods.get(key) ?? cls.methods.get(otherSpelling(key));
    if (fn === undefined) return 0;
    lua.lua_settop(L, 2);
    lua.lua_pushvalue(L, 1);
    vm.pushNative(L, this.methodNative(fn), 1);
    lua.lua_pushvalue(L, 2);
    lua.lua_pushvalue(L, 3);
    lua.lua_rawset(L, 1);
    return 1;
  }

  private methodNative(fn: NumberedFunction): number {
    let native = this.natives.get(fn.number);
    if (native === undefined) {
      native = this.vm.native((L) => {
        const self = this.vm.held.objectAt(L, upvalue(2));
        const { lua } = this.vm;
        const bySelf = lua.lua_gettop(L) > 0 && lua.lua_rawequal(L, 1, upvalue(2)) !== 0;
        return this.run(L, fn, self, bySelf ? 2 : 1);
      });
      this.natives.set(fn.number, native);
    }
    return native;
  }
}

/** `camelCase` for `snake_case` and the reverse. */
function otherSpelling(name: string): string {
  return name.includes("_")
    ? name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
    : name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
