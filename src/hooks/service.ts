/** Hooks as services and globals see them: points, contexts, results (spec/kernel.md section 17). */

export interface HookComponent {
  type: "Agent" | "Tool" | "Workflow" | "System" | "Custom";
  name: string;
  id?: string;
}

export interface ForkedOperation {
  id: string;
  /** `tool`, `agent` or `workflow`; `tool:NAME` names the target at once. */
  operationType: string;
  /** What the target gets. Where the type names no target: `{name, params}`. */
  parameters: unknown;
}

export type HookResult =
  | { type: "continue" }
  | { type: "modified"; data: unknown }
  | { type: "cancel"; reason: string }
  | { type: "redirect"; target: string }
  | { type: "replace"; data: unknown }
  /** `maxAttempts` counts the first one. */
  | { type: "retry"; delayMs: number; maxAttempts: number }
  | { type: "fork"; operations: readonly ForkedOperation[] }
  | {
      type: "cache";
      key: string;
      ttlMs: number;
      /** Only results that took as long are kept. */
      minMs?: number;
      /** Results are kept, and not looked up. */
      storeOnly?: boolean;
      /** The operation does not run: its result comes from the cache, or it is cancelled for this reason. */
      orCancel?: string;
    }
  | { type: "skipped"; reason: string };

export interface HookInput {
  /** One of spec/kernel.md section 17.1, or `custom:NAME`. */
  point: string;
  component: HookComponent;
  data: Record<string, unknown>;
  metadata?: Record<string, string>;
  /** Default: that of the request this code works for. */
  correlationId?: string | undefined;
  /** Aborted: hooks are not waited for any more. */
  signal?: AbortSignal | undefined;
}

/** What a hook is told. */
export interface HookContext {
  readonly point: string;
  readonly component: HookComponent;
  /** As the hooks before it left it. Not to be changed: a hook answers `modified`. */
  readonly data: Record<string, unknown>;
  readonly metadata: Record<string, string>;
  readonly correlationId: string;
  /** Milliseconds since the epoch. */
  readonly timestampMs: number;
  /** What tells this operation from others beside `data`, for caches: an agent's conversation. */
  identity(): string;
}

export type HookFunction = (context: HookContext) => HookResult | undefined | Promise<HookResult | undefined>;

export type BreakerPreset = "default" | "production" | "conservative" | "off";

export interface HookSpec {
  /** Point names in any spelling, or which of the canonical ones. */
  points: readonly string[] | ((point: string) => boolean);
  run: HookFunction;
  /** Default: the language and the id. */
  name?: string;
  priority?: number;
  /** Default `native`. */
  language?: string;
  description?: string;
  version?: string;
  tags?: readonly string[];
  /** Only where it holds does the hook run. */
  condition?: (context: HookContext) => boolean;
  /** It neither waits nor begins operations: it is called without a time limit, and within other hooks too. */
  immediate?: boolean;
  /** Default: `hooks.circuit_breaker` of the configuration. */
  breaker?: BreakerPreset;
  /** Called once when the hook is removed. */
  onRemoved?: () => void;
}

export interface RegisteredHook {
  readonly id: string;
  readonly name: string;
  /** The canonical point; `*` for a hook with several. */
  readonly point: string;
  readonly priority: number;
  readonly language: string;
  readonly description: string;
  readonly version: string;
  readonly tags: readonly string[];
}

export interface HookFilter {
  point?: string;
  language?: string;
  priority?: number;
  tag?: string;
}

/** Times in milliseconds; null where the hook has not run. */
export interface HookFigures {
  name: string;
  count: number;
  failures: number;
  /** Times it was passed over: by its circuit breaker or its rate limit. */
  skipped: number;
  totalMs: number;
  minMs: number | null;
  maxMs: number | null;
  avgMs: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
  /** Milliseconds since the epoch. */
  lastExecutionMs: number | null;
  breaker: "closed" | "open" | "half_open";
}

/** How a forked operation ended. */
export interface ForkResult {
  success: boolean;
  result?: unknown;
  error?: string;
}

export interface Failure {
  message: string;
  code?: string | undefined;
}

/** An operation with points around it. Points that are left out do not fire. */
export interface HookedOperation<T = unknown> {
  before?: string;
  after?: string;
  error?: string;
  component: HookComponent;
  /** What the hooks before it see and may change (`modified`, `replace` of `data`). */
  data: Record<string, unknown>;
  metadata?: Record<string, string>;
  correlationId?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Under which key of `data` the hooks after it find the result and may change it. Default `result`. */
  resultKey?: string;
  /** The result as hooks see it, and what else they are told of it. Default: the result as it is. */
  describe?: (result: T) => Record<string, unknown>;
  /** Makes a result of what a hook gives in its place; `before` is the one it changes. Default: it is one. */
  adopt?: (data: unknown, before?: T) => T;
  /** What else hooks are told of a failure. */
  errorData?: Record<string, unknown>;
  /** Why a result that came back is a failure all the same. */
  failureOf?: (result: T) => Failure | undefined;
  /** The result of an operation that a hook skipped. Without it nothing is skipped. */
  skipped?: (reason: string) => T;
  /** Runs another target in place of this one. Default, and where it gives nothing: a tool, agent or workflow of that name. */
  redirect?: (target: string, data: Record<string, unknown>) => Promise<T> | undefined;
  /** Gives results of forked operations to the caller. Hooks after it find them in `fork_results`. */
  attach?: (result: T, forked: Record<string, ForkResult>) => T;
  /** What tells this operation from others beside `data`. */
  identity?: () => string;
}

/** What services need of hooks. */
export interface HookRunner {
  /** Whether a hook is registered at this point: where none is, callers need not make a context. */
  has(point: string): boolean;
  /**
   * Runs the hooks of a point, by priority, and folds what they say into one result: the result itself where every hook
   * answers at once. Never throws for a hook's failure.
   */
  run(input: HookInput): HookResult | Promise<HookResult>;
  /**
   * Runs an operation between its hooks and gives every result its effect: changed data, another result, a
   * repetition, a result from the cache, a refusal. Without hooks it only calls `work`.
   * @param work gets the data as the hooks before it left it
   * @throws SpellError permission_denied where a hook cancelled it; what `work` throws
   */
  around<T>(
    operation: HookedOperation<T>,
    work: (data: Record<string, unknown>) => Promise<T> | T,
  ): Promise<T>;
}

/** What replays need of hooks. */
export interface HookReruns {
  /** Whether a hook of this name whose executions are recorded is registered at the point. */
  standsAt(name: string, point: string): boolean;
  /** Runs that hook alone, for a replay. @throws SpellError not_found where there is none */
  runAgain(name: string, input: HookInput): Promise<HookResult>;
}

export interface HookService extends HookRunner, HookReruns {
  /** Whether a hook is registered there that is no built-in one. */
  hasScripted(point: string): boolean;
  /**
   * Adds a hook; it stays until it is removed.
   * @throws SpellError invalid_argument for an unknown point, limit where there are `hooks.max_hooks`
   */
  register(spec: HookSpec): Promise<RegisteredHook>;
  /** False where it is not registered any more. */
  unregister(id: string): boolean;
  find(id: string): RegisteredHook | undefined;
  /** By priority; of equal ones, in the order of registration. @throws SpellError invalid_argument for an unknown point */
  list(filter?: HookFilter): RegisteredHook[];
  /** Of every hook, in the order of `list`. */
  figures(): HookFigures[];
  /** Removes the hooks of scripts: their VM has ended. */
  removeScripts(): void;
  /**
   * Switches a built-in hook on, with what `[hooks.builtin.NAME]` and then `options` say. One that is on is replaced.
   * @throws SpellError not_found for an unknown one, config for a wrong option
   */
  enableBuiltin(name: string, options?: Record<string, unknown>): Promise<RegisteredHook>;
  disableBuiltin(name: string): boolean;
  /** What a built-in hook has gathered. @throws SpellError not_found where it is not on */
  builtinReport(name: string): Record<string, unknown>;
}
