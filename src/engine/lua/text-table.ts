/** Metamethods of tables that have a text (`ScriptTable.parts.text`). */
import { SpellError } from "../../core/errors.ts";
import { LuaType, TYPE_NAMES } from "./api.ts";
import { type Stack, TEXT_KEY } from "./stack.ts";

/** Pushes the text of a `ScriptTable`, or the value itself. */
export function pushTextOf(stack: Stack, L: number, index: number): number {
  const { lua } = stack;
  if (lua.lua_type(L, index) === LuaType.table && lua.lua_getmetatable(L, index) !== 0) {
    stack.pushText(L, TEXT_KEY);
    lua.lua_rawget(L, -2);
    lua.lua_rotate(L, -2, 1);
    lua.lua_settop(L, -2);
    if (lua.lua_type(L, -1) === LuaType.string) return 1;
    lua.lua_settop(L, -2);
  }
  lua.lua_pushvalue(L, index);
  return 1;
}

/** `__concat` of a `ScriptTable`. */
export function concatenate(stack: Stack, L: number): number {
  for (const index of [1, 2]) {
    pushTextOf(stack, L, index);
    const type = stack.lua.lua_type(L, -1);
    if (type !== LuaType.string && type !== LuaType.number)
      throw new SpellError("script", `attempt to concatenate a ${TYPE_NAMES[type]} value`);
  }
  stack.lua.lua_concat(L, 2);
  return 1;
}
