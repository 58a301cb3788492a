/** Instantiates Lua's WebAssembly module with our own system interface: what it can reach is listed here. */

import { readFileSync } from "node:fs";
import gluePath from "wasmoon/dist/glue.wasm" with { type: "file" };
import { nowMs } from "../../core/clock.ts";
import { SpellError } from "../../core/errors.ts";
import type { LuaExports } from "./api.ts";
import { calendarImports } from "./libc.ts";

/** The operating system as Lua's C library sees it; each function returns a count or a negated errno. */
export interface FileSystem {
  open(path: string, flags: number): number;
  close(fd: number): number;
  read(fd: number, target: Uint8Array): number;
  write(fd: number, bytes: Uint8Array): number;
  /** @returns the new position */
  seek(fd: number, offset: number, whence: number): number;
  remove(path: string, directory: boolean): number;
  rename(from: string, to: string): number;
}

/** Thrown for longjmp; the C code has stored where it goes. */
const longjmp = Symbol("longjmp");

/** True for the exception that carries a Lua error through our frames. It must be thrown on. */
export function isLuaUnwind(thrown: unknown): boolean {
  return thrown === longjmp;
}

/** Errno values of the WebAssembly C library. */
export const ERRNO = {
  EACCES: 2,
  EBADF: 8,
  EBUSY: 10,
  EEXIST: 20,
  EINVAL: 28,
  EIO: 29,
  EISDIR: 31,
  EMFILE: 33,
  ENAMETOOLONG: 37,
  ENOENT: 44,
  ENOSPC: 51,
  ENOTDIR: 54,
  ENOTEMPTY: 55,
  EPERM: 63,
  EROFS: 69,
  ESPIPE: 70,
  EXDEV: 75,
} as const;

const PAGE_BYTES = 65_536;
/** The module's declared maximum. */
const MEMORY_CEILING_BYTES = 2_147_483_648;

export interface Functions {
  /** Called for every C function we declare; returns its result count. */
  call(L: number): number;
  hook(L: number, record: number): void;
}

export interface LuaInstance {
  lua: LuaExports;
  memory: () => Uint8Array;
  /** Table indices of `Functions`. */
  callPointer: number;
  hookPointer: number;
  /** The function table's index for an exported function. */
  addFunction(exported: unknown): number;
}

/**
 * A module that imports `e.f: (i32) -> i32` and `e.g: (i32, i32) -> ()` and exports them as `f` and `g`: a JavaScript
 * function must be a WebAssembly export before it may stand in the function table.
 */
const adapter = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 11, 2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 2, 0x7f, 0x7f, 0, 2, 13, 2, 1, 0x65, 1,
  0x66, 0, 0, 1, 0x65, 1, 0x67, 0, 1, 7, 9, 2, 1, 0x66, 0, 0, 1, 0x67, 0, 1,
]);

let compiled: WebAssembly.Module | undefined;

/** Lua's module, compiled once in a thread; called early, so that the work is done while the thread waits for its start. */
export function compileLua(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(withSharedMemory(new Uint8Array(readFileSync(gluePath))));
  return compiled;
}

const MEMORY_SECTION = 5;
const MEMORY_IS_SHARED = 2;

/** Declares a module's memory as shared, so that the kernel's thread can reach into it. */
function withSharedMemory(module: Uint8Array): Uint8Array {
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++]!;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < module.length) {
    const section = module[at++];
    const length = number();
    if (section === MEMORY_SECTION) {
      number(); // how many memories: one
      module[at]! |= MEMORY_IS_SHARED;
      return module;
    }
    at += length;
  }
  throw new SpellError("internal", "Cannot start the script VM: its module declares no memory");
}

/**
 * @param maxMemoryBytes what Lua may allocate; a request beyond it fails as "not enough memory" inside Lua
 */
export function instantiateLua(
  functions: Functions,
  files: FileSystem,
  maxMemoryBytes: number | undefined,
): LuaInstance {
  const module = compileLua();
  let lua: LuaExports;
  let bytes = new Uint8Array(0);
  let ceiling = MEMORY_CEILING_BYTES;
  const memory = () => {
    if (bytes.length === 0) bytes = new Uint8Array(lua.memory.buffer);
    return bytes;
  };
  const words = () => new DataView(lua.memory.buffer);
  const text = (pointer: number) => {
    const end = memory().indexOf(0, pointer);
    return new TextDecoder("latin1").decode(memory().subarray(pointer, end));
  };
  const path = (pointer: number) =>
    new TextDecoder().decode(memory().subarray(pointer, memory().indexOf(0, pointer)));
  const vectors = (pointer: number, count: number, each: (part: Uint8Array) => number) => {
    let total = 0;
    for (let i = 0; i < count; i++) {
      const from = words().getUint32(pointer + i * 8, true);
      const length = words().getUint32(pointer + i * 8 + 4, true);
      if (length === 0) continue;
      const done = each(memory().subarray(from, from + length));
      if (done < 0) return done;
      total += done;
      if (done < length) break;
    }
    return total;
  };
  const counted = (total: number, result: number) => {
    if (total < 0) return -total;
    words().setUint32(result, total, true);
    return 0;
  };
  const table = (): WebAssembly.Table => lua.__indirect_function_table;

  const imports = {
    env: {
      invoke_vii(index: number, a: number, b: number) {
        const stack = lua.stackSave();
        try {
          table().get(index)(a, b);
        } catch (thrown) {
          lua.stackRestore(stack);
          if (thrown !== longjmp) throw thrown;
          lua.setThrew(1, 0);
        }
      },
      _emscripten_throw_longjmp() {
        throw longjmp;
      },
      emscripten_resize_heap(wanted: number) {
        const size = wanted >>> 0;
        const now = lua.memory.buffer.byteLength;
        if (size > ceiling) return 0;
        const target = Math.min(ceiling, Math.max(size, now + (now >>> 2)));
        lua.memory.grow(Math.ceil((target - now) / PAGE_BYTES));
        bytes = new Uint8Array(lua.memory.buffer);
        return 1;
      },
      abort() {
        throw new WebAssembly.RuntimeError("the script VM aborted");
      },
      exit() {
        throw new WebAssembly.RuntimeError("the script VM left");
      },
      system: () => -1,
      emscripten_date_now: nowMs,
      _emscripten_get_now_is_monotonic: () => 0,
      __syscall_openat: (_dir: number, name: number, flags: number) => files.open(path(name), flags),
      __syscall_fcntl64: () => 0,
      __syscall_ioctl: () => -ERRNO.EINVAL,
      __syscall_dup3: () => -ERRNO.EBADF,
      __syscall_unlinkat: (_dir: number, name: number, flags: number) =>
        files.remove(path(name), flags !== 0),
      __syscall_rmdir: (name: number) => files.remove(path(name), true),
      __syscall_renameat: (_from: number, from: number, _to: number, to: number) =>
        files.rename(path(from), path(to)),
      __syscall_readlinkat: () => -ERRNO.ENOENT,
      ...calendarImports(words, memory, text, (value) =>
        words().setInt32(lua.__errno_location(), value, true),
      ),
    },
    wasi_snapshot_preview1: {
      fd_write: (fd: number, pointer: number, count: number, result: number) =>
        counted(
          vectors(pointer, count, (part) => files.write(fd, part)),
          result,
        ),
      fd_read: (fd: number, pointer: number, count: number, result: number) =>
        counted(
          vectors(pointer, count, (part) => files.read(fd, part)),
          result,
        ),
      fd_close: (fd: number) => -files.close(fd),
      fd_seek(fd: number, offset: bigint, whence: number, result: number) {
        const position = files.seek(fd, Number(offset), whence);
        if (position < 0) return -position;
        words().setBigInt64(result, BigInt(position), true);
        return 0;
      },
      environ_sizes_get(count: number, size: number) {
        words().setUint32(count, 0, true);
        words().setUint32(size, 0, true);
        return 0;
      },
      environ_get: () => 0,
    },
  };

  lua = new WebAssembly.Instance(module, imports).exports as unknown as LuaExports;
  bytes = new Uint8Array(lua.memory.buffer);
  lua.__wasm_call_ctors();
  if (maxMemoryBytes !== undefined) ceiling = limitMemory(lua, maxMemoryBytes);

  const adapted = new WebAssembly.Instance(new WebAssembly.Module(adapter), {
    e: { f: functions.call, g: functions.hook },
  }).exports as { f: unknown; g: unknown };
  const callPointer = table().grow(2);
  table().set(callPointer, adapted.f);
  table().set(callPointer + 1, adapted.g);
  const addFunction = (exported: unknown): number => {
    const index = table().grow(1);
    table().set(index, exported);
    return index;
  };
  return { lua, memory, callPointer, hookPointer: callPointer + 1, addFunction };
}

/**
 * The size that memory may reach so that the heap holds `maxMemoryBytes`. Memory starts at 16 MiB; for a smaller limit
 * the surplus is allocated once and never touched.
 */
function limitMemory(lua: LuaExports, maxMemoryBytes: number): number {
  const probe = lua.malloc(16);
  const heapStart = probe;
  lua.free(probe);
  const start = lua.memory.buffer.byteLength;
  const wanted = heapStart + Math.max(maxMemoryBytes, MINIMUM_MEMORY_BYTES);
  if (wanted < start) lua.malloc(start - wanted);
  return Math.min(MEMORY_CEILING_BYTES, Math.max(start, wanted));
}

/** What the standard library and our tables need at least. */
const MINIMUM_MEMORY_BYTES = 1_048_576;
