/** A script language runtime: one VM, its globals, its limits. */
import type { ErrorJson } from "../core/errors.ts";
import type { Task } from "../core/task.ts";
import type { Feature } from "../globals/declare.ts";
import type { ScriptArguments } from "../kernel/api.ts";

/** Standard-library rules of spec/lua-api.md section 20.1, already decided from configuration. */
export interface EnginePolicy {
  /** Globals and functions declared for others are absent. */
  features: readonly Feature[];
  stdlib: "None" | "Basic" | "Standard" | "All";
  allowFileAccess: boolean;
  allowProcessSpawn: boolean;
  /** Directories from which `require`, `dofile` and `loadfile` may read, besides the script's own. */
  modulePaths: readonly string[];
  /** Undefined: no limit. */
  maxMemoryBytes: number | undefined;
  timeoutMs: number | undefined;
  maxInstructions: number | undefined;
  /**
   * The run is recorded or replayed: the VM asks the host for the time. What it is when the VM starts, in milliseconds
   * since 1970; chance follows from it.
   */
  tapedStartMs?: number;
}

export interface ExecuteInput {
  code: string | Uint8Array;
  name: string;
  path?: string;
  args: ScriptArguments;
  /** Typed at a prompt: an expression gives its value. */
  interactive?: boolean;
}

export interface ExecuteOutcome {
  /** The chunk's value after spec/lua-api.md section 20.4, or null. */
  value?: unknown;
  /** Set when the script called `os.exit`. */
  exitCode?: number;
  /** Bytes in use on the VM's heap afterwards. */
  heapBytes?: number;
  /** Set when it failed; `traceback` holds the script's stack. */
  error?: ErrorJson;
}

export interface EngineHost {
  /**
   * Runs a wait or post call. `fn` is a function of a global, or a method when `object` is given. Returned objects
   * follow `core/values.ts`.
   */
  call(target: CallTarget, args: unknown[], blocked: () => ReadonlySet<Task>): unknown;
  /** Script output in order; bytes when the text is not UTF-8. */
  output(stream: "stdout" | "stderr", text: string | Uint8Array): void;
  /** Asked after output: a promise while its reader is behind. The script writes no further until it resolves. */
  room?(): Promise<void> | undefined;
  /** A line of standard input as it stands, its end included; null at the end of input. */
  input(prompt: string): Promise<Uint8Array | null>;
  /** The VM is gone, with its globals and functions. The next execution has a new one. */
  vmEnded?(): void;
  /** What `os.getenv` gives. Without it, the process's own environment. */
  environment?(name: string): string | undefined;
}

export interface CallTarget {
  global: string;
  fn: string;
  /** The kernel object for a method call. */
  object?: object;
}

export interface ScriptEngine {
  /** One at a time; globals persist between calls. */
  execute(input: ExecuteInput): Promise<ExecuteOutcome>;
  /** Stops the running script with `interrupted`; force ends the thread when it does not react. */
  interrupt(): void;
  dispose(): Promise<void>;
}
