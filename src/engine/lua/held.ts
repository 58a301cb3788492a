/**
 * What a VM holds of the other side, and what the other side holds of it. Functions are counted: each crossing is
 * given back once, so that a release on its way and a new crossing do not miss each other. Objects are Lua tables, one
 * for an object while the script holds it; their finalizer gives the handle back.
 */
import { SpellError } from "../../core/errors.ts";
import { type LuaExports, LuaType, REGISTRY } from "./api.ts";
import { FunctionRef, HandleRef, LocalObject } from "./objects.ts";
import type { LuaVm } from "./vm.ts";

export interface ObjectOptions {
  /** The script's last reference to a kernel object is gone. */
  handleCollected: (id: number, crossings: number) => void;
  /** Pushes the table for an object that the VM has none for, its metatable included. */
  makeObject: (L: number, object: HandleRef | LocalObject) => void;
}

interface HeldObject {
  object: HandleRef | LocalObject;
  crossings: number;
}

export class HeldValues {
  private readonly lua: LuaExports;
  /** Objects by the address of their Lua table. */
  private readonly objects = new Map<number, HeldObject>();
  /** By function: how often it has crossed and was not given back. */
  private readonly crossings = new Map<number, number>();
  /** Registry tables: number → object table (weak), number → function, function → number. */
  private readonly tables: { objects: number; functions: number; numbers: number };
  private readonly collector: number;
  private nextFunction = 1;

  constructor(
    private readonly vm: LuaVm,
    private readonly options: ObjectOptions,
  ) {
    this.lua = vm.lua;
    this.tables = { objects: this.newTable("v"), functions: this.newTable(), numbers: this.newTable() };
    this.collector = vm.native((L) => this.collected(L));
  }

  get isEmpty(): boolean {
    return this.objects.size + this.crossings.size === 0;
  }

  private newTable(weak?: string): number {
    const L = this.vm.main;
    this.lua.lua_createtable(L, 0, 0);
    if (weak !== undefined) {
      this.lua.lua_createtable(L, 0, 1);
      this.vm.setField(L, "__mode", () => this.vm.stack.pushText(L, weak));
      this.lua.lua_setmetatable(L, -2);
    }
    return this.lua.luaL_ref(L, REGISTRY);
  }

  objectAt(L: number, index: number): object | undefined {
    const held = this.objects.size === 0 ? undefined : this.objects.get(this.lua.lua_topointer(L, index));
    return held?.object;
  }

  functionAt(L: number, index: number): FunctionRef {
    const { lua } = this;
    lua.lua_rawgeti(L, REGISTRY, BigInt(this.tables.numbers));
    lua.lua_pushvalue(L, index);
    lua.lua_rawget(L, -2);
    let id = lua.lua_tonumberx(L, -1, 0);
    if (id === 0) {
      id = this.nextFunction++;
      this.setPair(
        L,
        this.tables.numbers,
        () => lua.lua_pushvalue(L, index),
        () => lua.lua_pushnumber(L, id),
      );
      this.setNumbered(L, id, () => lua.lua_pushvalue(L, index));
    }
    lua.lua_settop(L, -3);
    return new FunctionRef(id, {
      runFunction: (ref, args) => this.vm.runFunction(ref, args),
      dropFunction: (ref) => this.dropFunction(ref),
    });
  }

  private setPair(L: number, table: number, key: () => void, value: () => void): void {
    this.lua.lua_rawgeti(L, REGISTRY, BigInt(table));
    key();
    value();
    this.lua.lua_rawset(L, -3);
    this.lua.lua_settop(L, -2);
  }

  private setNumbered(L: number, id: number, value: () => void): void {
    this.lua.lua_rawgeti(L, REGISTRY, BigInt(this.tables.functions));
    value();
    this.lua.lua_rawseti(L, -2, BigInt(id));
    this.lua.lua_settop(L, -2);
  }

  pushFunction(L: number, id: number): void {
    this.lua.lua_rawgeti(L, REGISTRY, BigInt(this.tables.functions));
    if (this.lua.lua_rawgeti(L, -1, BigInt(id)) !== LuaType.function)
      throw new SpellError("not_found", "Cannot run the script function: it was released");
    this.lua.lua_rotate(L, -2, 1);
    this.lua.lua_settop(L, -2);
  }

  /** Counts that the kernel was handed the function once more. */
  crossed(ref: FunctionRef): void {
    this.crossings.set(ref.id, (this.crossings.get(ref.id) ?? 0) + 1);
  }

  releaseFunction(id: number, crossings: number): void {
    const left = (this.crossings.get(id) ?? 0) - crossings;
    if (left > 0) this.crossings.set(id, left);
    else this.dropFunction(id);
  }

  dropFunction(id: number): void {
    const L = this.vm.main;
    this.crossings.delete(id);
    this.lua.lua_rawgeti(L, REGISTRY, BigInt(this.tables.functions));
    const known = this.lua.lua_rawgeti(L, -1, BigInt(id)) === LuaType.function;
    if (known)
      this.setPair(
        L,
        this.tables.numbers,
        () => this.lua.lua_pushvalue(L, -2),
        () => this.lua.lua_pushnil(L),
      );
    this.lua.lua_settop(L, -3);
    this.setNumbered(L, id, () => this.lua.lua_pushnil(L));
  }

  pushObject(L: number, value: object): boolean {
    if (value instanceof FunctionRef) {
      this.pushFunction(L, value.id);
      return true;
    }
    if (value instanceof HandleRef) {
      this.pushHandle(L, value);
      return true;
    }
    if (value instanceof LocalObject) {
      this.options.makeObject(L, value);
      this.objects.set(this.lua.lua_topointer(L, -1), { object: value, crossings: 0 });
      return true;
    }
    return false;
  }

  private pushHandle(L: number, handle: HandleRef): void {
    const { lua } = this;
    lua.lua_rawgeti(L, REGISTRY, BigInt(this.tables.objects));
    if (lua.lua_rawgeti(L, -1, BigInt(handle.id)) === LuaType.table) {
      this.objects.get(lua.lua_topointer(L, -1))!.crossings++;
    } else {
      lua.lua_settop(L, -2);
      this.options.makeObject(L, handle);
      this.objects.set(lua.lua_topointer(L, -1), { object: handle, crossings: 1 });
      lua.lua_pushvalue(L, -1);
      lua.lua_rawseti(L, -3, BigInt(handle.id));
    }
    lua.lua_rotate(L, -2, 1);
    lua.lua_settop(L, -2);
  }

  /** Pushes the `__gc` metamethod of object tables. */
  pushCollector(L: number): void {
    this.vm.pushNative(L, this.collector);
  }

  private collected(L: number): number {
    const pointer = this.lua.lua_topointer(L, 1);
    const held = this.objects.get(pointer);
    this.objects.delete(pointer);
    if (held?.object instanceof HandleRef) this.options.handleCollected(held.object.id, held.crossings);
    return 0;
  }
}
