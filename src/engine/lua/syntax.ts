/** Compiling Lua without running it: a bare state on the caller's own thread, so that it answers while a script runs. */
import { LUA_ERRMEM, LUA_OK, type LuaExports } from "./api.ts";
import { ERRNO, type FileSystem, instantiateLua, type LuaInstance } from "./wasm.ts";

/** For texts that people type; a longer one is left to the VM that runs it. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;

const noFiles: FileSystem = {
  open: () => -ERRNO.EACCES,
  close: () => -ERRNO.EBADF,
  read: () => -ERRNO.EBADF,
  write: () => -ERRNO.EBADF,
  seek: () => -ERRNO.EBADF,
  remove: () => -ERRNO.EACCES,
  rename: () => -ERRNO.EACCES,
};

interface Compiler {
  lua: LuaExports;
  instance: LuaInstance;
  /** The state. */
  L: number;
}

let compiler: Compiler | undefined;

function theCompiler(): Compiler {
  if (compiler === undefined) {
    const instance = instantiateLua({ call: () => 0, hook: () => undefined }, noFiles, MAX_MEMORY_BYTES);
    compiler = { instance, lua: instance.lua, L: instance.lua.luaL_newstate() };
  }
  return compiler;
}

/** Lua's own message; undefined where the text compiles, or is too large to try. */
export function syntaxError(code: string): string | undefined {
  const { lua, instance, L } = theCompiler();
  const bytes = new TextEncoder().encode(code);
  const name = new TextEncoder().encode("=input\0t\0");
  const at = lua.malloc(bytes.length + name.length);
  if (at === 0) return undefined;
  instance.memory().set(name, at);
  instance.memory().set(bytes, at + name.length);
  const mode = at + "=input\0".length;
  const status = lua.luaL_loadbufferx(L, at + name.length, bytes.length, at, mode);
  lua.free(at);
  const message = status === LUA_OK || status === LUA_ERRMEM ? undefined : textAtTop(instance, L);
  lua.lua_settop(L, 0);
  return message;
}

function textAtTop({ lua, memory }: LuaInstance, L: number): string {
  const from = lua.lua_tolstring(L, -1, 0);
  return new TextDecoder().decode(memory().subarray(from, memory().indexOf(0, from)));
}
