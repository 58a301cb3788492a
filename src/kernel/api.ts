/**
 * The kernel API: one typed request, reply and event union over any transport. Everything in it is structured-cloneable
 * and survives JSON (bytes and big integers aside, which transports encode).
 */
import type { ErrorJson } from "../core/errors.ts";
import type { UsageReport } from "../models/calls/run-account.ts";

export type { UsageReport };

/** Script arguments under spec/cli.md section 4. */
export interface ScriptArguments {
  /** `ARGS[0]`: the file name part of the script path. */
  script: string;
  positional: string[];
  named: Record<string, string>;
}

export interface ExecuteRequest {
  type: "execute";
  /** Source text, or its bytes as they stand in the file. */
  code: string | Uint8Array;
  /** Shown in messages and tracebacks: the path as the user gave it, or `exec`. */
  name: string;
  /** Absolute path of the script file, where there is one: `require` looks beside it. */
  path?: string;
  args: ScriptArguments;
  language: "lua";
  /** Send print output and tokens chunk by chunk at once. */
  stream: boolean;
  /** Typed at a prompt: an expression is run for its value. */
  interactive?: boolean;
  /** What `workflow prepare` replied: durable workflows go on where those of that run of the script stopped. */
  resume?: string;
  calls?: RunCalls;
}

/** How the calls of models of one run are watched, bounded, recorded or left out. */
export interface RunCalls {
  /** Send a `usage` event before the reply. */
  usage?: boolean;
  /** What the run may spend; wins over `[models.budget]`, key by key. */
  budget?: { tokens?: number; costUsd?: number; calls?: number; timeMs?: number };
  /** Absolute path of a new file that everything from outside is written to. Only in a kernel of one's own. */
  record?: { path: string; overwrite: boolean };
  /** Absolute path of such a file: everything is taken from it. Only in a kernel of one's own. */
  replay?: string;
  /** Call nothing; send a `planned` event that lists what would be called. Only in a kernel of one's own. */
  dryRun?: boolean;
}

/** What a run would call. */
export interface PlannedCalls {
  models: {
    provider: string;
    model: string;
    kind: "chat" | "embeddings" | "rerank";
    calls: number;
    /** About. */
    prompt_tokens: number;
    /** Null: some call names no longest answer. */
    max_tokens: number | null;
    /** Upper bound in USD; null where the price or the longest answer is unknown; absent for models of this machine. */
    max_cost_usd?: number | null;
  }[];
  /** `ran`: it only computes, so it was called. */
  tools: { tool: string; calls: number; ran: boolean }[];
  /** The sum of the known bounds; null where one is unknown. */
  max_cost_usd: number | null;
}

/** Whether an input that somebody types is whole. Replies `{state: "complete" | "incomplete" | "invalid", indent}`. */
export interface IsCompleteRequest {
  type: "is_complete";
  code: string;
}

/**
 * What may stand at a cursor. `complete` replies `{matches, cursor_start, cursor_end}`, `inspect`
 * `{found, markdown}`. Positions count UTF-16 units.
 */
export interface CursorRequest {
  type: "complete" | "inspect";
  code: string;
  cursor: number;
}

/** The global variables that scripts have set. Replies `{variables: {name, type, shown}[]}`, sorted by name. */
export interface VariablesRequest {
  type: "variables";
}

/** A fresh interpreter, once the executions before it have ended. Replies `ok`. */
export interface ResetRequest {
  type: "reset";
}

export type ToolRequest =
  | { type: "tool"; command: "list"; category?: string }
  | { type: "tool"; command: "info"; name: string; showSchema: boolean }
  | {
      type: "tool";
      command: "invoke";
      name: string;
      params: Record<string, unknown>;
      timeoutSeconds?: number;
    }
  | { type: "tool"; command: "search"; query: string; category?: string }
  | { type: "tool"; command: "test"; name: string; verbose: boolean };

export type ModelRequest =
  | { type: "model"; command: "list"; backend: string }
  | { type: "model"; command: "info"; model: string }
  | { type: "model"; command: "status"; backend?: string }
  /** `model`: which one of a directory with several. */
  | { type: "model"; command: "import"; path: string; name?: string; model?: string; force: boolean }
  | { type: "model"; command: "export"; model: string; path: string; force: boolean }
  | { type: "model"; command: "pull"; model: string; quantization?: string; force: boolean }
  /** Without a query: the recommended ones, and no network is touched. */
  | { type: "model"; command: "available"; backend?: string; recommended: boolean; query?: string }
  | { type: "model"; command: "remove" | "unload"; model: string }
  | { type: "model"; command: "install-ollama" }
  | { type: "providers"; command: "list" }
  | { type: "providers"; command: "info" | "test"; name: string };

/** Keys of the user who asks: never sent to a kernel of another process. */
export type KeysRequest =
  | {
      type: "keys";
      command: "add" | "rotate";
      provider: string;
      key: string;
      expiresInDays?: number;
      /** Somebody is there who can unlock a keychain. */
      interactive: boolean;
    }
  | { type: "keys"; command: "list" }
  | { type: "keys"; command: "remove"; provider: string }
  | { type: "keys"; command: "audit"; limit: number }
  /** Stores the variables `<prefix><PROVIDER>`. */
  | { type: "keys"; command: "load_env"; prefix: string; interactive: boolean };

/**
 * State of this kernel (spec/kernel.md section 3.3). Without a scope, a key may name its own (`user:bob:theme`); else it
 * is of `global`. The scope `component` means all of agents, tools and hooks.
 */
export type StateRequest =
  /** Replies `{found, value}`. */
  | { type: "state"; command: "get"; scope?: string; key: string }
  | { type: "state"; command: "set"; scope?: string; key: string; value: unknown }
  | { type: "state"; command: "delete"; scope?: string; key: string }
  /** Replies `{keys, count}`: with a scope its keys, else storage keys. */
  | { type: "state"; command: "list"; scope?: string }
  /** Replies `{state}` by key as `list` gives them, without secrets; with a key `{found, value}`. */
  | { type: "state"; command: "show"; scope?: string; key?: string }
  | { type: "state"; command: "clear"; scope?: string; key?: string }
  /** Replies `{state}` by storage key, with secrets. */
  | { type: "state"; command: "export"; scope?: string }
  /** Without `merge` everything else goes. */
  | { type: "state"; command: "import"; state: Record<string, unknown>; merge: boolean }
  /** Replies `{status, backend, records, problems}`. */
  | { type: "state"; command: "check" }
  /** Keeps what can be read of a damaged database, in a process of its own. */
  | { type: "state"; command: "repair" };

/** Backups of this kernel's state. `backup`: an id, or the absolute path of a `.backup` file. */
export type BackupRequest =
  | { type: "backup"; command: "create"; incremental: boolean; description?: string; output?: string }
  | {
      type: "backup";
      command: "restore";
      backup: string;
      dryRun: boolean;
      verify: boolean;
      /** Save the present state first. */
      safety: boolean;
      /** Migrate what is restored to this schema version. */
      targetVersion?: string;
    }
  | { type: "backup"; command: "list"; limit?: number }
  | { type: "backup"; command: "info" | "validate" | "delete"; backup: string }
  | { type: "backup"; command: "cleanup"; dryRun: boolean };

/** Migrates this kernel's state to another schema version; without one replies how it stands. */
export type MigrateRequest =
  | { type: "migrate"; command: "status" }
  | {
      type: "migrate";
      command: "run";
      version: string;
      dryRun: boolean;
      /** Undefined: as configured. */
      backup?: boolean;
      level?: "None" | "Basic" | "Strict" | "Paranoid";
    };
/** Replies have the fields of spec/cli.md section 11. Paths are absolute. */
export type SessionRequest =
  | { type: "session"; command: "list" }
  | { type: "session"; command: "show" | "delete"; id: string }
  | { type: "session"; command: "delete_all" }
  | {
      type: "session";
      command: "replay";
      id: string;
      fromStep?: number;
      toStep?: number;
      /** Kinds of steps that run again: `tool`, `model`, `hook`, `event`; default: only tools that compute. */
      run?: readonly string[];
      /** Other values in the inputs of steps, as JSON: every step that has the path runs again. */
      modifications?: readonly { path: string; value: unknown }[];
    }
  | { type: "session"; command: "create"; name?: string }
  | { type: "session"; command: "export"; id: string; path: string }
  | { type: "session"; command: "import"; path: string };

/** Journals of durable workflows. Steps are named by their path in the journal. */
export type WorkflowRequest =
  /** Replies `{runs, count}`. */
  | { type: "workflow"; command: "list" }
  /** Replies `{run}` with its steps. */
  | { type: "workflow"; command: "show"; id: string }
  /** Replies `{run_id, outcome}`: `cancelled`, or `requested` where another process has to heed it. */
  | { type: "workflow"; command: "cancel"; id: string }
  | { type: "workflow"; command: "delete"; id: string }
  /**
   * Notes what is decided about steps. Replies `{run_id, script, script_hash, arguments, resume}`: what to execute, so that
   * the run goes on.
   */
  | { type: "workflow"; command: "prepare"; id: string; retry: string[]; skip: string[] };

/** Offers the local models over HTTP until it is interrupted; then replies `ok`. */
export interface ServeRequest {
  type: "serve";
  /** An address of this machine, or `localhost`. */
  host: string;
  /** 0: any that is free. */
  port: number;
  /** What clients must send as their bearer token. Undefined: they need none, and the host must be loopback. */
  token?: string;
  /** Models that are loaded at once and served alone; empty: every local model, loaded at its first use. */
  models: string[];
  /** Origins of pages that may call. */
  origins: string[];
  /** Names besides `host` and `localhost` under which clients reach the server. */
  hosts: string[];
  /** Requests that are answered or wait at the same time; more are refused. */
  maxRequests: number;
}

/** Examines what local inference needs on this machine. */
export interface DoctorRequest {
  type: "doctor";
}

export interface DoctorProblem {
  /** `error`: local models cannot be run. */
  severity: "error" | "warning";
  message: string;
  hint: string | null;
}

/** Sizes in bytes; null where something cannot be told. */
export interface DoctorReply {
  status: "ok";
  processor: {
    name: string | null;
    allowed: number;
    cores: number;
    fast_cores: number;
    quota: number | null;
    threads: number;
    why: string;
    numa_nodes: number;
    numa: string | null;
    library: string | null;
    features: string[];
  };
  memory: { total_bytes: number; free_bytes: number; bound_by: "machine" | "cgroup" };
  libraries: {
    directory: string | null;
    temporary: boolean | null;
    places: { directory: string; problem: string | null }[];
    backends: { file: string; backend: string | null; problem: string | null }[];
  };
  devices: {
    setting: string;
    found: {
      name: string;
      description: string;
      backend: string;
      type: string;
      free_bytes: number;
      total_bytes: number;
    }[];
    chosen: string | null;
    why: string | null;
    /** What an answer of the built-in model really ran on. */
    ran_on: string | null;
    fallback: string | null;
  };
  store: {
    directory: string;
    free_bytes: number;
    models: { id: string; memory_bytes: number | null; fits: boolean; problem: string | null }[];
  };
  problems: DoctorProblem[];
}

/** Asks a kernel that listens how it is (spec/kernel.md section 3.3). */
export interface KernelStatusRequest {
  type: "kernel_status";
}

/** A request of the Debug Adapter Protocol (spec/kernel.md section 6). Replies with the protocol's response. */
export interface DebugRequest {
  type: "debug";
  message: { seq: number; type: "request"; command: string; arguments?: unknown };
}

export interface DebugReply {
  status: "ok";
  message: {
    seq: number;
    type: "response";
    request_seq: number;
    command: string;
    success: boolean;
    message?: string;
    body: Record<string, unknown>;
  };
}

export type KernelRequest =
  | ExecuteRequest
  | ToolRequest
  | ModelRequest
  | KeysRequest
  | BackupRequest
  | MigrateRequest
  | StateRequest
  | SessionRequest
  | WorkflowRequest
  | ServeRequest
  | DoctorRequest
  | IsCompleteRequest
  | CursorRequest
  | ResetRequest
  | VariablesRequest
  | KernelStatusRequest
  | DebugRequest;

/** Sent while a request runs, in order. */
export type KernelEvent =
  | { type: "stream"; stream: "stdout" | "stderr"; text: string | Uint8Array }
  /** What the script shows in a form of its own; `text`: for front ends that show text only, its line end included. */
  | { type: "display"; value: unknown; text: string }
  /** A piece of a model's answer, for front ends that show tokens as they come. */
  | { type: "token"; agent: string; text: string }
  /** What the run has asked of models; sent once, at its end. */
  | { type: "usage"; usage: UsageReport }
  /** What the run would have called; sent once, at its end. */
  | { type: "planned"; planned: PlannedCalls }
  /** The script waits for a line on standard input. */
  | { type: "input"; id: number; prompt: string }
  | { type: "progress"; label: string; done: number; total?: number }
  /** How a pull gets on (spec/kernel.md section 3.2). */
  | {
      type: "model_progress";
      model_id: string;
      status: string;
      percent_complete: number;
      bytes_downloaded: number;
      bytes_total: number | null;
    }
  /** A server takes requests now. `url` is what clients call their base URL. */
  | { type: "listening"; url: string; host: string; port: number };

export interface ExecuteReply {
  status: "ok";
  /** The value the chunk returned, converted as spec/lua-api.md section 20.4 says; null for none. */
  value: unknown;
  /** What the script handed to `os.exit`. */
  exitCode?: number;
  durationMs: number;
  /** Bytes in use on the script's heap afterwards. */
  heapBytes?: number;
}

/** `ok` replies of tool and model requests have the fields of spec/kernel.md section 3. */
export type KernelReply =
  | ExecuteReply
  | DoctorReply
  | DebugReply
  | ({ status: "ok" } & Record<string, unknown>)
  | { status: "error"; error: ErrorJson };

export interface RequestOptions {
  /** Correlation id of all that the request does; a new one when absent. */
  id?: string;
  onEvent?: (event: KernelEvent) => void;
  /** Asked after output: a promise while its reader is behind. The script writes no further until it resolves. */
  room?: () => Promise<void> | undefined;
  /** Interrupts the request; it then replies `interrupted`. */
  signal?: AbortSignal;
  /** Answers `input` events: a line as it stands, its end included, or null at the end of input. */
  onInput?: (prompt: string) => Promise<Uint8Array | null>;
  /** Whether a person answers there: some questions no file or pipe should answer. */
  isAttended?: () => boolean;
}

/** What front ends hold, whatever the transport. */
export interface KernelClient {
  /** `connected`: the kernel is another process, with a configuration and a working directory of its own. */
  readonly mode: "embedded" | "connected";
  request(
    request: ExecuteRequest,
    options?: RequestOptions,
  ): Promise<ExecuteReply | { status: "error"; error: ErrorJson }>;
  request(request: KernelRequest, options?: RequestOptions): Promise<KernelReply>;
  /** Ends scripts, closes models, flushes. Idempotent. */
  shutdown(): Promise<void>;
}
