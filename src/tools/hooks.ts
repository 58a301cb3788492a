/** The hook points of tools: spec/kernel.md section 17.1. Nothing is made where no hook stands. */
import { SpellError } from "../core/errors.ts";
import { isPlainObject } from "../core/values.ts";
import type { HookComponent, HookedOperation, HookInput, HookResult, HookService } from "../hooks/service.ts";
import { makeResult } from "./envelope.ts";
import { outcomeOf, plainPrimary } from "./outcome.ts";
import type { ToolCallOptions, ToolResult } from "./service.ts";
import type { ToolDefinition, ToolOutcome } from "./tool.ts";

type Params = Record<string, unknown>;

/** What one call used. */
export interface Usage {
  memoryBytes: number;
  operations: number;
  concurrent: number;
}

const CONTINUE: HookResult = { type: "continue" };
const NO_DATA: Params = {};

/** Custom points of the reference. */
export const TOOL_POINTS = {
  securityCheck: "custom:tool_security_check",
  resourceAllocated: "custom:tool_resource_allocated",
  resourceReleased: "custom:tool_resource_released",
  timeout: "custom:tool_timeout",
} as const;
type ToolPoint = (typeof TOOL_POINTS)[keyof typeof TOOL_POINTS];

export class ToolHooks {
  constructor(
    private readonly active: () => HookService | undefined,
    private readonly isBuiltin: (tool: ToolDefinition) => boolean,
  ) {}

  /** Whether there may be any. Without, a call begins at once. */
  get areOn(): boolean {
    return this.active() !== undefined;
  }

  /** Runs a call between its hooks. @param redirect runs another tool in its place; undefined where there is none */
  around(
    tool: ToolDefinition,
    params: Params,
    call: ToolCallOptions,
    work: (params: Params, usage: Usage) => Promise<ToolResult>,
    redirect: (target: string, params: Params) => Promise<ToolResult> | undefined,
  ): Promise<ToolResult> {
    const usage: Usage = { memoryBytes: 0, operations: 0, concurrent: 0 };
    const hooks = this.active();
    if (hooks === undefined || !isWatched(hooks)) return work(params, usage);
    // reading the processor's time costs more than built-in hooks do
    const isMeasured = hooks.hasScripted("AfterToolExecution");
    let cpu: NodeJS.CpuUsage | undefined;
    const begun = (data: Params) => {
      cpu = isMeasured ? process.cpuUsage() : undefined;
      return work(isPlainObject(data.params) ? data.params : {}, usage);
    };
    const operation: HookedOperation<ToolResult> = {
      before: "BeforeToolExecution",
      after: "AfterToolExecution",
      error: "ToolError",
      component: { type: "Tool", name: tool.name },
      metadata: this.metadataOf(tool),
      correlationId: call.correlationId,
      signal: call.signal,
      data: { ...facts(tool), execution_phase: "pre_execution", params },
      errorData: { execution_phase: "error_handling" },
      describe: (result) => ({
        execution_phase: "post_execution",
        result: result.result ?? result.text,
        success: result.success,
        resource_memory_bytes: usage.memoryBytes,
        ...(cpu === undefined ? {} : { resource_cpu_time_ms: milliseconds(process.cpuUsage(cpu)) }),
        resource_operations_count: usage.operations,
        resource_concurrent_ops: usage.concurrent,
      }),
      adopt: (value) => resultOf(tool, outcomeOf(value)),
      failureOf: ({ success, error }) =>
        success ? undefined : { message: error?.message ?? "The tool reports a failure", code: error?.code },
      skipped: (reason) =>
        resultOf(tool, {
          operation: "skipped",
          message: `Skipped by a hook: ${reason}`,
          metadata: { skipped: true },
        }),
      attach: (result, forked) => ({ ...result, metadata: { ...result.metadata, fork_results: forked } }),
      redirect: (target, data) => redirect(target, isPlainObject(data.params) ? data.params : {}),
    };
    return hooks.around(operation, begun);
  }

  /**
   * Checks the parameters, and lets hooks see what is wrong with them; parameters that a hook changed are checked again.
   * @throws SpellError what `check` throws; invalid_argument where a hook refuses them
   */
  validate(
    tool: ToolDefinition,
    given: Params,
    call: ToolCallOptions,
    check: (params: Params) => Params,
  ): Params | Promise<Params> {
    const hooks = this.active();
    if (!hooks?.has("ToolValidation")) return check(given);
    let failure: SpellError | undefined;
    let params = given;
    try {
      params = check(given);
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      failure = error;
    }
    const heed = (result: HookResult): Params => {
      if (result.type === "cancel")
        throw new SpellError("invalid_argument", `Cannot run tool "${tool.name}": ${result.reason}`, {
          data: { tool: tool.name },
        });
      const changed = result.type === "modified" ? (result.data as Params).params : undefined;
      if (changed !== given && isPlainObject(changed)) return check(changed);
      if (failure !== undefined) throw failure;
      return params;
    };
    const errors = failure === undefined ? [] : [failure.message];
    const data = { ...facts(tool), execution_phase: "parameter_validation", params: given, errors };
    const result = hooks.run(this.inputOf("ToolValidation", tool, call, data));
    return result instanceof Promise ? result.then(heed) : heed(result);
  }

  /** The tools that a query finds. @param matches whether a tool fits a filter */
  async discover<F extends object>(
    filter: F,
    find: (filter: F) => readonly ToolDefinition[],
  ): Promise<readonly ToolDefinition[]> {
    const hooks = this.active();
    if (!hooks?.has("BeforeToolDiscovery") && !hooks?.has("AfterToolDiscovery")) return find(filter);
    const named = (names: unknown): readonly ToolDefinition[] => {
      if (!Array.isArray(names)) return [];
      const all = find({} as F);
      return names.flatMap((name) => all.find((tool) => tool.name === name) ?? []);
    };
    return hooks.around<readonly ToolDefinition[]>(
      {
        before: "BeforeToolDiscovery",
        after: "AfterToolDiscovery",
        component: { type: "System", name: "tools" },
        data: { filter: { ...filter } },
        resultKey: "tools",
        describe: (tools) => ({ tools: tools.map(({ name }) => name) }),
        adopt: named,
        skipped: () => [],
      },
      (data) => find((isPlainObject(data.filter) ? data.filter : {}) as F),
    );
  }

  /** A refusal or a reached limit, for those who watch. */
  async report(tool: ToolDefinition, call: ToolCallOptions, error: unknown): Promise<void> {
    const hooks = this.active();
    if (hooks === undefined || !(error instanceof SpellError)) return;
    const { code, data, message } = error;
    if (code === "permission_denied" && hooks.has("SecurityViolation")) {
      const rule = data.rule ?? data.limit ?? (data.needed === undefined ? "sandbox" : "security_level");
      const what = { rule, component: tool.name, detail: message };
      await hooks.run(this.inputOf("SecurityViolation", tool, call, what));
    }
    if (code === "limit" && hooks.has("ResourceLimitExceeded")) {
      const { limit = null, allowed = null, used = null } = data;
      const what = { resource: limit, limit: allowed, actual: used, detail: message };
      await hooks.run(this.inputOf("ResourceLimitExceeded", tool, call, what));
    }
    if (code === "timeout") await this.notify(TOOL_POINTS.timeout, tool, call, { error: message });
  }

  /** Where every hook answers at once, so does this: the calls of tools come by the thousand. */
  notify(
    point: ToolPoint,
    tool: ToolDefinition,
    call: ToolCallOptions,
    data: Params = NO_DATA,
  ): HookResult | Promise<HookResult> {
    const hooks = this.active();
    if (!hooks?.has(point)) return CONTINUE;
    const all = data === NO_DATA ? facts(tool) : Object.assign(facts(tool), data);
    return hooks.run(this.inputOf(point, tool, call, all));
  }

  /**
   * The same where hooks may refuse. Undefined where there is nothing to wait for.
   * @throws SpellError permission_denied where one cancels
   */
  ask(
    point: ToolPoint,
    tool: ToolDefinition,
    call: ToolCallOptions,
    data: Params = NO_DATA,
  ): undefined | Promise<void> {
    const result = this.notify(point, tool, call, data);
    if (result instanceof Promise) return result.then((later) => refuseCancelled(tool, later));
    refuseCancelled(tool, result);
    return undefined;
  }

  private inputOf(point: string, tool: ToolDefinition, call: ToolCallOptions, data: Params): HookInput {
    const { correlationId, signal } = call;
    const component: HookComponent = { type: "Tool", name: tool.name };
    return { point, component, metadata: this.metadataOf(tool), correlationId, signal, data };
  }

  private metadataOf(tool: ToolDefinition): Record<string, string> {
    return {
      tool_name: tool.name,
      tool_category: tool.category,
      security_level: tool.level,
      tool_origin: this.isBuiltin(tool) ? "builtin" : "registered",
    };
  }
}

const isWatched = (hooks: HookService): boolean =>
  hooks.has("BeforeToolExecution") || hooks.has("AfterToolExecution") || hooks.has("ToolError");

function refuseCancelled(tool: ToolDefinition, result: HookResult): void {
  if (result.type !== "cancel") return;
  throw new SpellError(
    "permission_denied",
    `Cannot run tool "${tool.name}": a hook cancelled it: ${result.reason}`,
    { data: { reason: result.reason } },
  );
}

const milliseconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1000;

function facts({ name, category, level }: ToolDefinition): Record<string, unknown> {
  return { tool_name: name, tool_category: category, security_level: level };
}

/** A result in the tool's style that did not come from the tool. */
function resultOf(tool: ToolDefinition, outcome: ToolOutcome): ToolResult {
  return makeResult({ ...tool, primary: plainPrimary }, outcome, 0);
}
