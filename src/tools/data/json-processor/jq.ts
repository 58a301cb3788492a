/**
 * jq itself (C, compiled to WebAssembly by the jq-web package). Runs in the worker only: a program may take any time, and
 * only the end of the thread stops it.
 */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { Script } from "node:vm";
import glueSource from "jq-web/jq.js" with { type: "text" };
import wasmPath from "jq-web/jq.wasm" with { type: "file" };
import { SpellError } from "../../../core/errors.ts";
import { guarded, REFUSED_EXIT_CODE } from "./query.ts";

interface Jq {
  raw(input: string, program: string, flags: string[]): string | undefined;
}

/** What jq-web throws when jq ends with a code other than 0. */
interface JqFailure {
  exitCode?: number;
  stderr?: string;
}

interface JqExports {
  memory: WebAssembly.Memory;
  _emscripten_stack_restore(address: number): void;
}

type WasmImports = Parameters<typeof WebAssembly.instantiate>[1];

const PAGE_BYTES = 65_536;
/** 2 GiB less one page: what the package allows itself. */
const MEMORY_PAGES = 32_767;
const STACK_PAGES = 256;
const GUARD_PAGES = 256;

/** A run never gives its thread keys back; after some thirty there are none left. */
const RUNS_PER_INSTANCE = 16;

interface Instance {
  jq: Jq;
  memory: WebAssembly.Memory;
  runs: number;
}

let current: Instance | undefined;
let compiling: Promise<WebAssembly.Module> | undefined;
let glue: Glue | undefined;

type Glue = (
  module: { exports: unknown },
  exports: unknown,
  require: (name: string) => unknown,
  console: object,
  WebAssembly: object,
  dirname: string,
  filename: string,
) => void;

/**
 * The texts of the values a program yields, one JSON text each.
 * @param inputs JSON texts, one after the other; the program runs once for each
 * @throws SpellError invalid_argument (the program does not compile), permission_denied, tool_failed
 */
export async function runJq(inputs: string, query: string): Promise<string[]> {
  const program = guarded(query);
  if (current === undefined || current.runs === RUNS_PER_INSTANCE) current = await instantiate();
  const { jq, memory } = current;
  current.runs += 1;
  const { exitCode, output = "", stderr = "" } = run(jq, inputs, program);
  const isBroken = exitCode === undefined || isExhausted(memory);
  if (isBroken) current = undefined;
  if (isBroken || exitCode !== 0) throw failure(isBroken ? undefined : exitCode, stderr);
  return output.split("\n").filter((line) => line !== "");
}

/** The exit code is undefined when jq did not come to its end. */
function run(
  jq: Jq,
  inputs: string,
  program: string,
): { exitCode?: number; output?: string; stderr?: string } {
  try {
    return { exitCode: 0, output: jq.raw(inputs, program, ["-c"]) ?? "" };
  } catch (error) {
    return error as JqFailure;
  }
}

/**
 * The package looks for its module beside itself on disk, where an executable has nothing: it is handed the embedded one,
 * compiled once.
 */
async function instantiate(): Promise<Instance> {
  compiling ??= WebAssembly.compile(readFileSync(wasmPath));
  const compiled = await compiling;
  glue ??= new Script(`(function (module, exports, require, console, WebAssembly, __dirname, __filename) {
${glueSource}
})`).runInThisContext() as Glue;
  const builtin: Record<string, unknown> = { fs: { readFileSync: () => new Uint8Array(0) }, path: posix };
  const quiet = { log() {}, warn() {}, error() {} };
  let memory: WebAssembly.Memory | undefined;
  const wasm = {
    RuntimeError: WebAssembly.RuntimeError,
    instantiate: async (_bytes: Uint8Array, imports: WasmImports) => {
      const instance = await WebAssembly.instantiate(compiled, imports);
      const exports = instance.exports as unknown as JqExports;
      enlargeStack(exports);
      memory = exports.memory;
      return { module: compiled, instance };
    },
  };
  const module: { exports: unknown } = { exports: {} };
  glue(module, module.exports, (name) => builtin[name], quiet, wasm, "/jq", "/jq/jq.js");
  const jq = (await module.exports) as Jq;
  return { jq, memory: memory!, runs: 0 };
}

/**
 * The package is linked with a stack of 64 KiB that nothing guards: values nested fifty deep overwrite jq's data. The
 * stack is moved to the end of the largest memory jq may have; untouched pages cost nothing.
 */
function enlargeStack({ memory, _emscripten_stack_restore: setStackPointer }: JqExports): void {
  memory.grow(MEMORY_PAGES - memory.buffer.byteLength / PAGE_BYTES);
  setStackPointer(MEMORY_PAGES * PAGE_BYTES - 16);
}

/** True when the heap from below or the stack from above has written into the pages that lie between them. */
function isExhausted(memory: WebAssembly.Memory): boolean {
  const words = new Uint32Array(memory.buffer);
  const wordsPerPage = PAGE_BYTES / 4;
  for (let page = MEMORY_PAGES - STACK_PAGES - GUARD_PAGES; page < MEMORY_PAGES - STACK_PAGES; page++) {
    if (words[page * wordsPerPage] !== 0) return true;
  }
  return false;
}

/** @param exitCode undefined when jq did not come to its end */
function failure(exitCode: number | undefined, stderr: string): SpellError {
  const text = stderr.trim();
  const reason = text.replaceAll(/^(?:jq: )?error(?: \(at [^)]*\))?(?: \(not a string\))?: /gm, "");
  if (exitCode === undefined) {
    return new SpellError("tool_failed", `Cannot run the query: jq stopped: ${reason || "out of memory"}`);
  }
  if (exitCode === REFUSED_EXIT_CODE) {
    return new SpellError(
      "permission_denied",
      `Security violation: The query uses a blocked function: ${text}`,
      {
        hint: "Queries see their input only: no environment, further inputs, modules or debug output",
      },
    );
  }
  if (exitCode === 2 || exitCode === 3) {
    const first = reason.split("\n")[0]!.replace(" (Unix shell quoting issues?)", "");
    return new SpellError("invalid_argument", `Invalid query: ${first}`, {
      hint: "Queries are in the jq language",
    });
  }
  return new SpellError("tool_failed", `Query failed: ${reason}`);
}
