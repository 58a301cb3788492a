/** The Lua stack and JavaScript values: the one place where the two are converted (spec/lua-api.md section 0.1). */
import { SpellError } from "../../core/errors.ts";
import { ScriptTable } from "../../core/values.ts";
import { MAX_DEPTH, setField } from "../bridge/codec.ts";
import { type LuaExports, LuaType, REGISTRY, TYPE_NAMES } from "./api.ts";
import type { LuaInstance } from "./wasm.ts";

const SCRATCH_BYTES = 4096;
const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What the VM knows about values that are not plain data. */
export interface ObjectTables {
  /** The object behind the table at `index`, when it is a handle or a local object. */
  objectAt(L: number, index: number): object | undefined;
  /** A reference to the function at `index`. */
  functionAt(L: number, index: number): object;
  /** Pushes a function, handle or local object and returns true; false for plain data. */
  pushObject(L: number, value: object): boolean;
}

/**
 * - `argument`: functions become references; threads and userdata are refused.
 * - `result`: what a chunk returns, under section 20.4: a mixed table keeps its string keys, the rest becomes text.
 */
export type Mode = "argument" | "result";

/** The way from the value that is read to where the reading stands. */
interface Path {
  names: string[];
  /** Addresses of the tables on the way. */
  tables: number[];
}

export class Stack {
  readonly lua: LuaExports;
  private readonly memory: () => Uint8Array;
  private readonly scratch: number;
  private readonly lengthAt: number;

  constructor(
    instance: LuaInstance,
    private readonly objects: ObjectTables,
  ) {
    this.lua = instance.lua;
    this.memory = instance.memory;
    this.lengthAt = this.lua.malloc(16);
    this.scratch = this.lua.malloc(SCRATCH_BYTES);
  }

  /** Runs `use` with a zero-terminated copy of `text` in the VM's memory. */
  withText<T>(text: string, use: (pointer: number, length: number) => T): T {
    return this.withBytes(encoder.encode(text), use);
  }

  withBytes<T>(bytes: Uint8Array, use: (pointer: number, length: number) => T): T {
    const pointer = this.lua.malloc(bytes.length + 1);
    if (pointer === 0)
      throw new SpellError("limit", "Cannot pass the value: not enough memory", {
        data: { limit: "memory" },
      });
    this.memory().set(bytes, pointer);
    this.memory()[pointer + bytes.length] = 0;
    try {
      return use(pointer, bytes.length);
    } finally {
      this.lua.free(pointer);
    }
  }

  pushText(L: number, text: string): void {
    const { length } = text;
    if (length * 3 > SCRATCH_BYTES) {
      this.pushBytes(L, encoder.encode(text));
      return;
    }
    const memory = this.memory();
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127 || i > 48) break;
      memory[this.scratch + i] = code;
    }
    if (i < length) {
      const rest = memory.subarray(this.scratch + i, this.scratch + SCRATCH_BYTES);
      i += encoder.encodeInto(text.slice(i), rest).written;
    }
    this.lua.lua_pushlstring(L, this.scratch, i);
  }

  pushBytes(L: number, bytes: Uint8Array): void {
    this.withBytes(bytes, (pointer, length) => this.lua.lua_pushlstring(L, pointer, length));
  }

  /** The bytes of the string at `index`, valid until the VM runs again. Only for strings. */
  bytesView(L: number, index: number): Uint8Array {
    const from = this.lua.lua_tolstring(L, index, this.lengthAt);
    return this.memory().subarray(from, from + this.word(this.lengthAt));
  }

  /** The 32-bit integer at an address. */
  word(at: number): number {
    const m = this.memory();
    return m[at]! | (m[at + 1]! << 8) | (m[at + 2]! << 16) | (m[at + 3]! << 24);
  }

  /** The zero-terminated text at an address. */
  textAt(at: number): string {
    const m = this.memory();
    return new TextDecoder().decode(m.subarray(at, m.indexOf(0, at)));
  }

  /** Text, or a copy of the bytes when they are not UTF-8. */
  string(L: number, index: number): string | Uint8Array {
    const bytes = this.bytesView(L, index);
    if (bytes.length <= 24) {
      let text = "";
      let i = 0;
      for (; i < bytes.length; i++) {
        const code = bytes[i]!;
        if (code > 127) break;
        text += String.fromCharCode(code);
      }
      if (i === bytes.length) return text;
    }
    return decodeText(bytes);
  }

  /** What `tostring` gives for the value at `index`, decoded leniently. May raise a Lua error. */
  display(L: number, index: number): string {
    this.lua.luaL_tolstring(L, index, 0);
    const text = this.string(L, -1);
    this.lua.lua_settop(L, -2);
    return typeof text === "string" ? text : new TextDecoder().decode(text);
  }

  values(L: number, from: number, to: number): unknown[] {
    const values: unknown[] = [];
    for (let i = from; i <= to; i++) values.push(this.value(L, i));
    return values;
  }

  /** @param index absolute */
  value(L: number, index: number, mode: Mode = "argument"): unknown {
    return this.read(L, index, mode, { names: [], tables: [] });
  }

  private read(L: number, index: number, mode: Mode, path: Path): unknown {
    const type = this.lua.lua_type(L, index);
    switch (type) {
      case LuaType.none:
      case LuaType.nil:
        return null;
      case LuaType.boolean:
        return this.lua.lua_toboolean(L, index) !== 0;
      case LuaType.number:
        return this.number(L, index);
      case LuaType.string:
        return this.string(L, index);
      case LuaType.table:
        return this.table(L, index, mode, path);
      default:
        if (mode === "result") return `<${TYPE_NAMES[type]}>`;
        if (type === LuaType.function) return this.objects.functionAt(L, index);
        throw new SpellError(
          "invalid_argument",
          `Cannot pass a ${TYPE_NAMES[type]} to the kernel${place(path.names)}`,
          { hint: "Pass plain values, tables or functions" },
        );
    }
  }

  private number(L: number, index: number): number | bigint | null {
    const number = this.lua.lua_tonumberx(L, index, 0);
    if (Number.isSafeInteger(number)) return number;
    if (this.lua.lua_isinteger(L, index)) return this.lua.lua_tointegerx(L, index, 0);
    return Number.isFinite(number) ? number : null;
  }

  private table(L: number, index: number, mode: Mode, path: Path): unknown {
    const { lua } = this;
    const object = this.objects.objectAt(L, index);
    if (object !== undefined) return mode === "result" ? `<${this.display(L, index).split(":")[0]}>` : object;
    if (path.names.length >= MAX_DEPTH || lua.lua_checkstack(L, 4) === 0) throw tooDeep(path.names);
    const address = lua.lua_topointer(L, index);
    if (path.tables.includes(address)) {
      throw new SpellError(
        "invalid_argument",
        `Circular reference detected at path: ${path.names.join("").replace(/^\./, "")}`,
        {
          hint: "Pass a table without cycles",
        },
      );
    }
    path.tables.push(address);
    const value = this.contents(L, index, mode, path);
    path.tables.pop();
    return value;
  }

  private contents(L: number, index: number, mode: Mode, path: Path): unknown {
    const { lua } = this;
    const length = lua.lua_rawlen(L, index);
    const top = lua.lua_gettop(L);
    if (length > 0 && !(mode === "result" && this.hasTextKey(L, index))) {
      const items: unknown[] = [];
      for (let i = 1; i <= length; i++) {
        lua.lua_rawgeti(L, index, BigInt(i));
        path.names.push(`[${i}]`);
        items.push(this.read(L, top + 1, mode, path));
        path.names.pop();
        lua.lua_settop(L, top);
      }
      return items;
    }
    const fields: Record<string, unknown> = {};
    lua.lua_pushnil(L);
    while (lua.lua_next(L, index) !== 0) {
      const key = this.key(L, top + 1, mode, length > 0, path);
      if (key !== undefined) {
        path.names.push(`.${key}`);
        setField(fields, key, this.read(L, top + 2, mode, path));
        path.names.pop();
      }
      lua.lua_settop(L, top + 1);
    }
    return fields;
  }

  /** The object key for a table key; undefined for a key that is left out. */
  private key(L: number, index: number, mode: Mode, mixed: boolean, path: Path): string | undefined {
    const type = this.lua.lua_type(L, index);
    if (type === LuaType.number && !mixed) return this.display(L, index);
    if (type !== LuaType.string) return undefined;
    const text = this.string(L, index);
    if (typeof text === "string") return text;
    if (mode === "result") return new TextDecoder().decode(text);
    throw new SpellError(
      "invalid_argument",
      `Cannot pass a table${place(path.names)}: its keys must be valid UTF-8`,
    );
  }

  private hasTextKey(L: number, index: number): boolean {
    const top = this.lua.lua_gettop(L);
    this.lua.lua_pushnil(L);
    while (this.lua.lua_next(L, index) !== 0) {
      const found = this.lua.lua_type(L, top + 1) === LuaType.string;
      this.lua.lua_settop(L, found ? top : top + 1);
      if (found) return true;
    }
    return false;
  }

  push(L: number, value: unknown, depth = 0): void {
    switch (typeof value) {
      case "boolean":
        this.lua.lua_pushboolean(L, value ? 1 : 0);
        return;
      case "number":
        this.pushNumber(L, value);
        return;
      case "bigint":
        if (BigInt.asIntN(64, value) === value) this.lua.lua_pushinteger(L, value);
        else this.lua.lua_pushnumber(L, Number(value));
        return;
      case "string":
        this.pushText(L, value);
        return;
      case "object":
        if (value !== null) {
          this.pushTable(L, value, depth);
          return;
        }
    }
    if (value === null || value === undefined) this.lua.lua_pushnil(L);
    else throw new SpellError("internal", `Cannot give a ${typeof value} to a script`);
  }

  private pushNumber(L: number, value: number): void {
    if (Number.isInteger(value) && value >= -0x8000_0000_0000_0000 && value < 0x8000_0000_0000_0000)
      this.lua.lua_pushinteger(L, BigInt(value));
    else if (Number.isFinite(value)) this.lua.lua_pushnumber(L, value);
    else this.lua.lua_pushnil(L);
  }

  private pushTable(L: number, value: object, depth: number): void {
    const { lua } = this;
    if (value instanceof Uint8Array) {
      this.pushBytes(L, value);
      return;
    }
    if (depth > MAX_DEPTH || lua.lua_checkstack(L, 8) === 0) throw tooDeep([]);
    if (value instanceof ScriptTable) this.pushScriptTable(L, value, depth);
    else if (!this.objects.pushObject(L, value)) {
      if (Array.isArray(value)) {
        lua.lua_createtable(L, value.length, 0);
        this.fillArray(L, value, depth);
      } else {
        lua.lua_createtable(L, 0, 0);
        this.fillFields(L, value as Record<string, unknown>, depth);
      }
    }
  }

  private fillArray(L: number, items: readonly unknown[], depth: number): void {
    for (let i = 0; i < items.length; i++) {
      this.push(L, items[i], depth + 1);
      this.lua.lua_rawseti(L, -2, BigInt(i + 1));
    }
  }

  /** Sets fields on the table at the top. */
  fillFields(L: number, fields: Record<string, unknown>, depth = 0): void {
    for (const key of Object.keys(fields)) {
      const field = fields[key];
      if (field === undefined || field === null) continue;
      this.pushText(L, key);
      this.push(L, field, depth + 1);
      this.lua.lua_rawset(L, -3);
    }
  }

  private pushScriptTable(L: number, { parts }: ScriptTable, depth: number): void {
    const { lua } = this;
    lua.lua_createtable(L, parts.array?.length ?? 0, 0);
    if (parts.array !== undefined) this.fillArray(L, parts.array, depth);
    if (parts.fields !== undefined) this.fillFields(L, parts.fields, depth);
    if (parts.text === undefined && parts.fallback === undefined) return;
    lua.lua_createtable(L, 0, 3);
    if (parts.fallback !== undefined) {
      this.pushText(L, "__index");
      lua.lua_createtable(L, 0, 0);
      this.fillFields(L, parts.fallback, depth);
      lua.lua_rawset(L, -3);
    }
    if (parts.text !== undefined) {
      this.pushText(L, TEXT_KEY);
      this.pushText(L, parts.text);
      lua.lua_rawset(L, -3);
      for (const event of ["__tostring", "__concat"]) {
        this.pushText(L, event);
        lua.lua_rawgeti(
          L,
          REGISTRY,
          BigInt(event === "__tostring" ? this.textFunction : this.concatFunction),
        );
        lua.lua_rawset(L, -3);
      }
    }
    lua.lua_setmetatable(L, -2);
  }

  /** Registry references of the functions that serve `__tostring` and `__concat` of tables with a text. */
  textFunction = 0;
  concatFunction = 0;
}

/** The metatable field that holds a `ScriptTable`'s text. */
export const TEXT_KEY = "llmspell.text";

function place(path: readonly string[]): string {
  return path.length === 0 ? "" : `: at ${path.slice(0, 12).join("")}${path.length > 12 ? "…" : ""}`;
}

function tooDeep(path: readonly string[]): SpellError {
  return new SpellError(
    "limit",
    `Cannot pass the value: it must nest at most ${MAX_DEPTH} tables deep${place(path)}`,
    { data: { limit: "depth" }, hint: "A table that contains itself cannot be passed" },
  );
}

function decodeText(bytes: Uint8Array): string | Uint8Array {
  try {
    return strictDecoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return bytes.slice();
    throw error;
  }
}
