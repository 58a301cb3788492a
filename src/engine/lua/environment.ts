/** What a script finds beside our globals: the standard library within its policy, arguments, modules. */
import { closeSync, openSync, readFileSync, realpathSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { cpuMs } from "../../core/clock.ts";
import { SpellError } from "../../core/errors.ts";
import type { EnginePolicy } from "../engine.ts";
import { type LuaExports, LuaType, REGISTRY } from "./api.ts";
import type { ExecuteMessage } from "./link.ts";
import { OWN_CHUNK, POPEN, PRELUDE } from "./prelude.ts";
import type { LuaVm, Native } from "./vm.ts";

type Library = Extract<keyof LuaExports, `luaopen_${string}`>;
const LEVELS: Record<EnginePolicy["stdlib"], readonly (readonly [name: string, open: Library])[]> = (() => {
  const none = [
    ["_G", "luaopen_base"],
    // Our own Lua code needs these; the prelude takes them away from the script.
    ["coroutine", "luaopen_coroutine"],
    ["string", "luaopen_string"],
    ["table", "luaopen_table"],
    ["math", "luaopen_math"],
    ["utf8", "luaopen_utf8"],
  ] as const;
  const basic = [...none, ["os", "luaopen_os"], ["io", "luaopen_io"]] as const;
  const standard = [...basic, ["package", "luaopen_package"]] as const;
  return { None: none, Basic: basic, Standard: standard, All: standard };
})();

/** Calls to the kernel's side of the engine (`../host.ts`). */
export type SystemCall = (operation: "input" | "getenv" | "spawn" | "reading", argument: unknown) => unknown;

export interface SpawnResult {
  code: number | null;
  signal: string | null;
  /** What it wrote to standard output, when that was asked for. */
  output: Uint8Array;
}

export function fileAccessAllowed(policy: EnginePolicy): boolean {
  return policy.allowFileAccess && (policy.stdlib === "Standard" || policy.stdlib === "All");
}

function spawnAllowed(policy: EnginePolicy): boolean {
  return policy.allowProcessSpawn && policy.stdlib === "All";
}

/** On the same line as what follows, so that line numbers stay. */
const RETURN = new TextEncoder().encode("return ");

const SPAWN_REFUSED = "Permission denied: starting processes is not allowed by the configuration";

export class Environment {
  private scriptDirectory: string | undefined;
  /** Registry reference of what our own chunks have for `_ENV`. */
  private ownGlobals = 0;

  constructor(
    private readonly vm: LuaVm,
    private readonly policy: EnginePolicy,
    private readonly system: SystemCall,
    private readonly output: (bytes: Uint8Array) => void,
  ) {}

  install(): void {
    const { lua, stack, main: L } = this.vm;
    const level = this.policy.stdlib;
    for (const [name, open] of LEVELS[level]) this.openLibrary(name, open);
    this.vm.keepCollector();
    this.loadChunk(new TextEncoder().encode(PRELUDE), `=${OWN_CHUNK}`);
    lua.lua_createtable(L, 0, 16);
    for (const [name, native] of Object.entries(this.hostFunctions()))
      this.vm.setField(L, name, () => this.vm.pushNative(L, native));
    this.vm.setField(L, "package_path", () => stack.pushText(L, this.packagePath(".")));
    stack.pushText(L, level);
    this.vm.protectedCall(L, 2, 1);
    this.ownGlobals = lua.luaL_ref(L, REGISTRY);
  }

  private openLibrary(name: string, open: Library): void {
    const { lua, stack, main: L } = this.vm;
    const pointer = this.vm.exportPointer(open);
    stack.withText(name, (text) => lua.luaL_requiref(L, text, pointer, 1));
    lua.lua_settop(L, -2);
  }

  /** Replaces the value at the top of the stack by what a chunk of ours returns when called with it. */
  callOwnChunk(L: number, source: string, name: string): void {
    const { lua } = this.vm;
    this.loadChunk(new TextEncoder().encode(source), `=${OWN_CHUNK} ${name}`, L);
    lua.lua_rawgeti(L, REGISTRY, BigInt(this.ownGlobals));
    lua.lua_setupvalue(L, -2, 1);
    lua.lua_rotate(L, -2, 1);
    this.vm.protectedCall(L, 1, 1);
  }

  /** Pushes the compiled chunk. @throws SpellError script_syntax */
  loadChunk(code: Uint8Array, name: string, L = this.vm.main): void {
    const { lua, stack } = this.vm;
    const status = stack.withText("t", (mode) =>
      stack.withText(name, (chunkName) =>
        stack.withBytes(code, (pointer, size) => lua.luaL_loadbufferx(L, pointer, size, chunkName, mode)),
      ),
    );
    if (status === 0) return;
    const message = this.vm.textAt(L, -1);
    lua.lua_settop(L, -2);
    const line = /:(\d+):/.exec(message);
    throw new SpellError("script_syntax", message, line === null ? {} : { data: { line: Number(line[1]) } });
  }

  /** Pushes the script. At a prompt an expression stands for its value. @throws SpellError script_syntax */
  loadScript({ code, name, interactive }: ExecuteMessage): void {
    if (interactive && this.loadsAs(Buffer.concat([RETURN, code]), name)) return;
    this.loadChunk(skipShebang(code), `@${name}`);
  }

  private loadsAs(code: Uint8Array, name: string): boolean {
    try {
      this.loadChunk(code, `@${name}`);
      return true;
    } catch (error) {
      if (error instanceof SpellError && error.code === "script_syntax") return false;
      throw error;
    }
  }

  /** Sets what belongs to one execution: `ARGS`, `arg`, and where modules are found. */
  prepare(message: ExecuteMessage): void {
    const { lua, stack, main: L } = this.vm;
    this.scriptDirectory = message.path === null ? undefined : dirname(message.path);
    const { script, positional, named } = message.args;
    const all = [script, ...positional];
    lua.lua_createtable(L, all.length, all.length);
    stack.fillFields(L, named);
    for (const [i, text] of all.entries()) {
      stack.pushText(L, text);
      lua.lua_rawseti(L, -2, BigInt(i));
      this.vm.setField(L, String(i), () => stack.pushText(L, text));
    }
    for (const name of ["ARGS", "args", "Args"]) {
      lua.lua_pushvalue(L, -1);
      stack.withText(name, (text) => lua.lua_setglobal(L, text));
    }
    lua.lua_settop(L, -2);
    lua.lua_createtable(L, all.length, 0);
    for (const [i, text] of all.entries()) {
      stack.pushText(L, text);
      lua.lua_rawseti(L, -2, BigInt(i));
    }
    stack.withText("arg", (text) => lua.lua_setglobal(L, text));
    if (this.scriptDirectory !== undefined) this.setPackagePath(this.packagePath(this.scriptDirectory));
  }

  private setPackagePath(path: string): void {
    const { lua, stack, main: L } = this.vm;
    if (stack.withText("package", (name) => lua.lua_getglobal(L, name)) === LuaType.table)
      this.vm.setField(L, "path", () => stack.pushText(L, path));
    lua.lua_settop(L, -2);
  }

  private packagePath(directory: string): string {
    const roots = [...new Set([directory, ".", ...this.policy.modulePaths])];
    return roots.flatMap((root) => [join(root, "?.lua"), join(root, "?", "init.lua")]).join(";");
  }

  /** The real path of a Lua file that may be loaded. */
  private modulePath(path: string): string {
    const real = realpathSync(path);
    const roots = [this.scriptDirectory, process.cwd(), ...this.policy.modulePaths];
    if (!fileAccessAllowed(this.policy) && !roots.some((root) => root !== undefined && isBelow(root, real))) {
      throw new SpellError(
        "permission_denied",
        `cannot open ${path}: it lies outside the script's directory`,
      );
    }
    if (!statSync(real).isFile()) throw new SpellError("io", `cannot read ${path}: it is no file`);
    return real;
  }

  private hostFunctions(): Record<string, Native> {
    const { lua, stack } = this.vm;
    const argument = (L: number, index: number): string => {
      const type = lua.lua_type(L, index);
      if (type !== LuaType.string && type !== LuaType.number)
        throw new SpellError("invalid_argument", `bad argument #${index} (string expected)`);
      return this.vm.textAt(L, index);
    };
    const failed = (L: number, message: string): number => {
      lua.lua_pushnil(L);
      stack.pushText(L, message);
      return 2;
    };
    const ended = (L: number, result: SpawnResult): number => {
      if (result.code === 0) lua.lua_pushboolean(L, 1);
      else lua.lua_pushnil(L);
      stack.pushText(L, result.signal === null ? "exit" : "signal");
      stack.push(L, result.signal === null ? (result.code ?? 1) : signalNumber(result.signal));
      return 3;
    };
    return {
      print: (L) => this.print(L),
      popen: (L) => {
        this.callOwnChunk(L, POPEN, "popen");
        return 1;
      },
      source: (L) => {
        const path = argument(L, 1);
        try {
          stack.pushBytes(L, skipShebang(readFileSync(this.modulePath(path))));
          return 1;
        } catch (error) {
          return failed(L, openFailure(path, error));
        }
      },
      readable: (L) => {
        let found = true;
        try {
          this.modulePath(argument(L, 1));
        } catch {
          found = false; // searched paths need not exist
        }
        lua.lua_pushboolean(L, found ? 1 : 0);
        return 1;
      },
      getenv: (L) => {
        stack.push(L, this.system("getenv", argument(L, 1)));
        return 1;
      },
      clock: (L) => {
        lua.lua_pushnumber(L, cpuMs() / 1000);
        return 1;
      },
      exit: (L) => {
        const type = lua.lua_type(L, 1);
        if (type === LuaType.boolean) this.vm.exitCode = lua.lua_toboolean(L, 1) ? 0 : 1;
        else this.vm.exitCode = type === LuaType.number ? Number(lua.lua_tointegerx(L, 1, 0)) & 0xff : 0;
        this.vm.leave();
        return 0;
      },
      execute: (L) => {
        if (lua.lua_type(L, 1) <= LuaType.nil) {
          lua.lua_pushboolean(L, spawnAllowed(this.policy) ? 1 : 0);
          return 1;
        }
        if (!spawnAllowed(this.policy)) return failed(L, SPAWN_REFUSED);
        return ended(L, this.spawn({ command: argument(L, 1) }));
      },
      may_spawn: (L) => {
        if (!spawnAllowed(this.policy)) return failed(L, SPAWN_REFUSED);
        lua.lua_pushboolean(L, 1);
        return 1;
      },
      finish: (L) => ended(L, this.spawn({ command: argument(L, 1), input: stack.string(L, 2) })),
      capture: (L) => {
        if (!spawnAllowed(this.policy)) return failed(L, SPAWN_REFUSED);
        const result = this.spawn({ command: argument(L, 1), capture: true });
        stack.pushBytes(L, result.output);
        return 1 + ended(L, result);
      },
      tmpname: (L) => {
        if (!fileAccessAllowed(this.policy))
          return failed(L, "unable to generate a unique filename: Permission denied");
        const path = join(tmpdir(), `lua_${crypto.randomUUID().slice(0, 8)}`);
        closeSync(openSync(path, "wx", 0o600));
        stack.pushText(L, path);
        return 1;
      },
    };
  }

  private spawn(request: { command: string; input?: unknown; capture?: boolean }): SpawnResult {
    return this.system("spawn", request) as SpawnResult;
  }

  /** `print` of section 20.3: no ".0", no addresses. */
  private print(L: number): number {
    const { lua } = this.vm;
    const count = lua.lua_gettop(L);
    const parts: Uint8Array[] = [];
    let length = count === 0 ? 1 : count;
    for (let i = 1; i <= count; i++) {
      const part = this.printed(L, i);
      parts.push(part);
      length += part.length;
    }
    const line = new Uint8Array(length);
    let at = 0;
    for (const [i, part] of parts.entries()) {
      line.set(part, at);
      at += part.length;
      if (i < parts.length - 1) line[at++] = 9;
    }
    line[length - 1] = 10;
    this.output(line);
    lua.lua_settop(L, count);
    return 0;
  }

  private printed(L: number, index: number): Uint8Array {
    const { lua, stack } = this.vm;
    if (lua.lua_type(L, index) === LuaType.string) return stack.bytesView(L, index).slice();
    lua.luaL_tolstring(L, index, 0);
    const bytes = stack.bytesView(L, -1).slice();
    lua.lua_settop(L, -2);
    const type = lua.lua_type(L, index);
    if (type === LuaType.number) return withoutPointZero(bytes);
    return type >= LuaType.lightuserdata ? withoutAddress(bytes) : bytes;
  }

  /** Runs the chunk at the top of the main thread's stack; its first result as the kernel gets it. */
  runChunk(): unknown {
    const { lua, stack, main: L } = this.vm;
    const top = lua.lua_gettop(L) - 1;
    this.vm.protectedCall(L, 0, 1);
    const value = stack.value(L, top + 1, "result");
    lua.lua_settop(L, top);
    return value;
  }
}

const latin1 = new TextDecoder("latin1");

function withoutPointZero(bytes: Uint8Array): Uint8Array {
  const end = bytes.length;
  return bytes[end - 1] === 48 && bytes[end - 2] === 46 ? bytes.subarray(0, end - 2) : bytes;
}

function withoutAddress(bytes: Uint8Array): Uint8Array {
  const match = /^([\w*]+): 0x[0-9a-f]+$/.exec(latin1.decode(bytes));
  return match === null ? bytes : bytes.subarray(0, match[1]!.length);
}

/** A first line that starts with `#` is left out, its end kept so that line numbers stay. */
export function skipShebang(code: Uint8Array): Uint8Array {
  const from = code[0] === 0xef && code[1] === 0xbb && code[2] === 0xbf ? 3 : 0;
  if (code[from] !== 35) return from === 0 ? code : code.subarray(from);
  const end = code.indexOf(10, from);
  return end === -1 ? new Uint8Array(0) : code.subarray(end);
}

function isBelow(root: string, path: string): boolean {
  let real: string;
  try {
    real = realpathSync(resolve(root));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  const way = relative(real, path);
  return !isAbsolute(way) && way !== ".." && !way.startsWith(`..${sep}`);
}

function openFailure(path: string, error: unknown): string {
  if (error instanceof SpellError) return error.message;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return `cannot open ${path}: No such file or directory`;
  if (code === "EACCES") return `cannot open ${path}: Permission denied`;
  return `cannot open ${path}: ${code ?? "read failed"}`;
}

const SIGNALS: Record<string, number> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};
function signalNumber(name: string): number {
  return SIGNALS[name] ?? 0;
}
