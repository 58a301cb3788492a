/** Hooks as services and globals see them: points, contexts, results (spec/kernel.md section 17). */

export interface HookComponent {
  type: "Agent" | "Tool" | "Workflow" | "System" | "Custom";
  name: string;
  id?: string;
}

export type HookResult =
  | { type: "continue" }
  | { type: "modified"; data: unknown }
  | { type: "cancel"; reason: string }
  | { type: "redirect"; target: string }
  | { type: "replace"; data: unknown }
  | { type: "retry"; delayMs: number; maxAttempts: number }
  | { type: "fork"; operations: readonly { id: string; operationType: string; parameters: unknown }[] }
  | { type: "cache"; key: string; ttlMs: number }
  | { type: "skipped"; reason: string };

export interface HookInput {
  /** One of spec/kernel.md section 17.1, or `custom:NAME`. */
  point: string;
  component: HookComponent;
  data: Record<string, unknown>;
  metadata?: Record<string, string>;
  /** Default: that of the request this code works for. */
  correlationId?: string;
}

/** An operation with points around it. Points that are left out do not fire. */
export interface HookedOperation {
  before?: string;
  after?: string;
  error?: string;
  component: HookComponent;
  /** What the hooks before it see and may change (`modified`, `replace` of `data`). */
  data: Record<string, unknown>;
  correlationId?: string;
  signal?: AbortSignal;
}

export interface HookService {
  /** Whether a hook is registered at this point: where none is, callers need not make a context. */
  has(point: string): boolean;
  /** Runs the hooks of a point, by priority, and folds what they say into one result. Never throws for a hook's failure. */
  run(input: HookInput): Promise<HookResult>;
  /**
   * Runs an operation between its hooks and gives every result its effect: changed data, another result, a
   * repetition, a result from the cache, a refusal. Without hooks it only calls `work`.
   * @param work gets the data as the hooks before it left it
   * @throws SpellError permission_denied where a hook cancelled it; what `work` throws
   */
  around<T>(operation: HookedOperation, work: (data: Record<string, unknown>) => Promise<T> | T): Promise<T>;
}
