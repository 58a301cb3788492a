/** Lua 5.4's C API as exported by wasmoon's WebAssembly build: the functions we call. Pointers are numbers. */
export interface LuaExports {
  memory: WebAssembly.Memory;
  __indirect_function_table: WebAssembly.Table;
  __wasm_call_ctors(): void;
  __errno_location(): number;
  malloc(size: number): number;
  free(pointer: number): void;
  stackSave(): number;
  stackRestore(pointer: number): void;
  setThrew(threw: number, value: number): void;

  luaL_newstate(): number;
  luaL_requiref(L: number, name: number, open: number, global: number): void;
  luaL_loadbufferx(L: number, buffer: number, size: number, name: number, mode: number): number;
  luaL_ref(L: number, table: number): number;
  luaL_unref(L: number, table: number, ref: number): void;
  luaL_tolstring(L: number, index: number, length: number): number;
  luaL_traceback(L: number, L1: number, message: number, level: number): void;
  luaL_where(L: number, level: number): void;
  luaopen_base(L: number): number;
  luaopen_coroutine(L: number): number;
  luaopen_table(L: number): number;
  luaopen_io(L: number): number;
  luaopen_os(L: number): number;
  luaopen_string(L: number): number;
  luaopen_utf8(L: number): number;
  luaopen_math(L: number): number;
  luaopen_package(L: number): number;

  lua_checkstack(L: number, count: number): number;
  lua_concat(L: number, count: number): void;
  lua_createtable(L: number, array: number, fields: number): void;
  lua_error(L: number): never;
  lua_getglobal(L: number, name: number): number;
  lua_getinfo(L: number, what: number, record: number): number;
  lua_getlocal(L: number, record: number, n: number): number;
  lua_getstack(L: number, level: number, record: number): number;
  lua_getupvalue(L: number, index: number, n: number): number;
  lua_getmetatable(L: number, index: number): number;
  lua_gettable(L: number, index: number): number;
  lua_gettop(L: number): number;
  lua_isinteger(L: number, index: number): number;
  lua_next(L: number, index: number): number;
  lua_pcallk(L: number, args: number, results: number, handler: number, ctx: number, k: number): number;
  lua_callk(L: number, args: number, results: number, ctx: number, k: number): void;
  lua_pushboolean(L: number, value: number): void;
  lua_pushcclosure(L: number, fn: number, upvalues: number): void;
  lua_pushinteger(L: number, value: bigint): void;
  lua_pushlightuserdata(L: number, pointer: number): void;
  lua_pushlstring(L: number, text: number, length: number): number;
  lua_pushnil(L: number): void;
  lua_pushnumber(L: number, value: number): void;
  lua_pushvalue(L: number, index: number): void;
  lua_rawequal(L: number, a: number, b: number): number;
  lua_rawget(L: number, index: number): number;
  lua_rawgeti(L: number, index: number, n: bigint): number;
  lua_rawlen(L: number, index: number): number;
  lua_rawset(L: number, index: number): void;
  lua_rawseti(L: number, index: number, n: bigint): void;
  lua_rotate(L: number, index: number, n: number): void;
  lua_setglobal(L: number, name: number): void;
  lua_sethook(L: number, hook: number, mask: number, count: number): void;
  lua_setmetatable(L: number, index: number): number;
  lua_setupvalue(L: number, index: number, n: number): number;
  lua_settable(L: number, index: number): void;
  lua_settop(L: number, index: number): void;
  lua_toboolean(L: number, index: number): number;
  lua_tointegerx(L: number, index: number, isInteger: number): bigint;
  lua_tolstring(L: number, index: number, length: number): number;
  lua_tonumberx(L: number, index: number, isNumber: number): number;
  lua_topointer(L: number, index: number): number;
  lua_touserdata(L: number, index: number): number;
  lua_type(L: number, index: number): number;
}

export const LuaType = {
  none: -1,
  nil: 0,
  boolean: 1,
  lightuserdata: 2,
  number: 3,
  string: 4,
  table: 5,
  function: 6,
  userdata: 7,
  thread: 8,
} as const;

export const TYPE_NAMES = [
  "nil",
  "boolean",
  "userdata",
  "number",
  "string",
  "table",
  "function",
  "userdata",
  "thread",
] as const;

export const LUA_OK = 0;
export const LUA_ERRMEM = 4;
export const LUA_MASKCOUNT = 8;
export const REGISTRY = -1_001_000;
export const upvalue = (n: number): number => REGISTRY - n;
