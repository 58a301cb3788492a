/** The tools service: looks a tool up, checks the call, runs it within its limits and shapes the result. */
import { steadyMs } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import { stringifyJson } from "../core/json.ts";
import type { Log } from "../core/log.ts";
import { currentPlan } from "../core/plan.ts";
import { type RecorderSource, recorded } from "../core/recording.ts";
import { type Span, span } from "../core/span.ts";
import type { HookService } from "../hooks/service.ts";
import type { ConfigService } from "../kernel/services.ts";
import { createCapabilities } from "../security/create.ts";
import { refused } from "../security/denial.ts";
import { checkLevel, grantedLevel } from "../security/levels.ts";
import { limitsOf, ResourceBudget } from "../security/limits.ts";
import { fits, ToolCatalogue, unknownTool } from "./catalogue.ts";
import { failedOutcome, makeResult } from "./envelope.ts";
import { TOOL_POINTS, ToolHooks, type Usage } from "./hooks.ts";
import { checkParameters, type ParameterSchema } from "./parameters.ts";
import { RateLimit } from "./rate-limit.ts";
import { toolOutput } from "./recorded.ts";
import { builtinTools } from "./registry.ts";
import type { ToolCallOptions, ToolFilter, ToolResult, ToolService } from "./service.ts";
import { runWithin, weightOf } from "./supervise.ts";
import type { ToolDefinition, ToolOutcome } from "./tool.ts";

export interface ToolServiceOptions {
  config: ConfigService;
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
  /** Relative paths of tools start here. */
  cwd: string;
  /** Where there may be any. */
  hooks?: () => HookService | undefined;
  /** In place of the built-in ones. */
  tools?: readonly ToolDefinition[];
  /** Milliseconds of a steady clock, for the rate limit. */
  now?: () => number;
  /** Where calls are recorded. */
  recorder?: RecorderSource;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const SECURITY_CHECK = { execution_phase: "security_check" };
/** How long the end of the process waits for calls that were given up. */
const CLEAN_UP_MS = 1000;

export function createToolService(options: ToolServiceOptions): ToolService {
  return new Tools(options);
}

class Tools implements ToolService {
  private readonly catalogue: ToolCatalogue;
  private readonly rate: RateLimit;
  private readonly hooks: ToolHooks;
  private readonly isBuiltin: (tool: ToolDefinition) => boolean;
  private readonly running = new Set<Promise<unknown>>();

  constructor(private readonly options: ToolServiceOptions) {
    const builtin = options.tools ?? builtinTools;
    this.catalogue = new ToolCatalogue(builtin);
    const all = new Set(builtin);
    this.isBuiltin = (tool) => all.has(tool);
    this.hooks = new ToolHooks(options.hooks ?? (() => undefined), this.isBuiltin);
    this.rate = new RateLimit(options.now);
  }

  list(): readonly ToolDefinition[] {
    return this.catalogue.list();
  }

  discover(filter: ToolFilter): Promise<readonly ToolDefinition[]> {
    return this.hooks.discover(filter, (asked) => this.list().filter(fits(asked)));
  }

  find(name: string): ToolDefinition | undefined {
    return this.catalogue.find(name);
  }

  register(definition: ToolDefinition): void {
    this.catalogue.add(definition);
  }

  unregister(name: string): void {
    this.catalogue.remove(name);
  }

  async execute(
    name: string,
    params: Record<string, unknown>,
    call: ToolCallOptions = {},
  ): Promise<ToolResult> {
    const tool = this.catalogue.find(name);
    if (tool === undefined) throw unknownTool(name, this.list());
    return span(
      {
        category: "tool",
        operation: "execute_tool",
        name: `execute_tool ${tool.name}`,
        attributes: {
          "gen_ai.operation.name": "execute_tool",
          "gen_ai.tool.name": tool.name,
          "gen_ai.tool.type": "function",
          "gen_ai.tool.call.id": call.callId,
        },
      },
      (watched) => this.call(tool, params, call, watched),
    );
  }

  private async call(
    tool: ToolDefinition,
    params: Record<string, unknown>,
    call: ToolCallOptions,
    watched: Span,
  ): Promise<ToolResult> {
    if (watched.holdsContent) watched.set({ "gen_ai.tool.call.arguments": stringifyJson(params) });
    const admitted = this.admit(tool, call);
    if (admitted !== undefined) await admitted;
    const log =
      call.correlationId === undefined
        ? this.options.log
        : this.options.log.withCorrelation(call.correlationId);
    try {
      const result = await this.hooks.around(
        tool,
        params,
        call,
        (data, usage) =>
          recorded(
            this.options.recorder,
            { kind: "tool", name: tool.name, input: data, ...correlation(call) },
            async () => {
              const plan = currentPlan();
              if (plan !== undefined) {
                const ran = onlyComputes(tool, data, this.isBuiltin(tool));
                plan.tool(tool.name, ran);
                if (!ran) return makeResult(tool, NOT_CALLED, 0);
              }
              const startMs = steadyMs();
              const outcome = await this.run(tool, data, call, usage);
              return makeResult(tool, outcome, steadyMs() - startMs);
            },
            toolOutput,
          ),
        (target, data) => {
          const other = target.replace(/^tool:/, "");
          return this.find(other) === undefined ? undefined : this.execute(other, data, call);
        },
      );
      if (!result.success) watched.fail(result.error?.code ?? "tool_failed", result.error?.message);
      if (watched.holdsContent && typeof result.text === "string")
        watched.set({ "gen_ai.tool.call.result": result.text });
      log.debug("tool", "tool call completed", {
        tool: tool.name,
        success: result.success,
        durationMs: result.metadata.execution_time_ms,
      });
      return result;
    } catch (error) {
      const isBug = !(error instanceof SpellError);
      log.write(isBug ? "error" : "debug", "tool", "tool call failed", {
        tool: tool.name,
        error: isBug && error instanceof Error ? error.stack : String(error),
      });
      throw error;
    }
  }

  /** Undefined where there is nothing to wait for. @throws SpellError permission_denied, limit */
  private admit(tool: ToolDefinition, call: ToolCallOptions): undefined | Promise<void> {
    const asked = this.hooks.ask(TOOL_POINTS.securityCheck, tool, call, SECURITY_CHECK);
    return asked === undefined ? this.checkOrReport(tool, call) : this.admitWhen(asked, tool, call);
  }

  private async admitWhen(asked: Promise<void>, tool: ToolDefinition, call: ToolCallOptions): Promise<void> {
    await asked;
    await this.checkOrReport(tool, call);
  }

  private checkOrReport(tool: ToolDefinition, call: ToolCallOptions): undefined | Promise<never> {
    try {
      this.checkAdmission(tool);
      return undefined;
    } catch (error) {
      if (!this.hooks.areOn) throw error;
      return this.hooks.report(tool, call, error).then(() => {
        throw error;
      });
    }
  }

  private checkAdmission(tool: ToolDefinition): void {
    const { tools } = this.options.config.current;
    if (!tools.enabled) {
      const text = "Security violation: Tools are disabled: Permission denied by tools.enabled";
      const hint = "Set tools.enabled to true in the configuration";
      throw refused("switched_off", new SpellError("permission_denied", text, { hint }));
    }
    checkLevel(tool.name, tool.level, grantedLevel(tools, tool.name));
    if (tools.rate_limit_per_minute !== undefined) this.rate.take(tools.rate_limit_per_minute);
  }

  private async run(
    tool: ToolDefinition,
    given: Record<string, unknown>,
    call: ToolCallOptions,
    usage: Usage,
  ): Promise<ToolOutcome> {
    const budget = new ResourceBudget(limitsOf(tool.level, tool.limits));
    try {
      budget.hold(weightOf(given));
      const check = (asked: Record<string, unknown>) => checkParameters(tool, asked);
      const valid = this.hooks.validate(tool, given, call, check);
      const params = valid instanceof Promise ? await valid : valid;
      const allocated = this.hooks.ask(TOOL_POINTS.resourceAllocated, tool, call);
      if (allocated !== undefined) await allocated;
      usage.concurrent = this.running.size + 1;
      const outcome = await runWithin(tool.name, this.timeoutMs(tool, call), call.signal, (signal) =>
        this.follow(this.perform(tool, params, budget, signal)),
      );
      budget.hold(weightOf(outcome));
      return outcome;
    } catch (error) {
      if (this.hooks.areOn) await this.hooks.report(tool, call, error);
      const operation = operationOf(tool, given);
      if (isReturned(tool, operation, error)) return failedOutcome(operation, error);
      throw error;
    } finally {
      const { memoryBytes, operations } = budget.used;
      usage.memoryBytes = memoryBytes;
      usage.operations = operations;
      const told = this.hooks.notify(TOOL_POINTS.resourceReleased, tool, call, { memoryBytes, operations });
      if (told instanceof Promise) await told;
    }
  }

  private async perform(
    tool: ToolDefinition,
    params: Record<string, unknown>,
    budget: ResourceBudget,
    signal: AbortSignal,
  ): Promise<ToolOutcome> {
    const { config, env, cwd } = this.options;
    const can = createCapabilities({ config, env, workingDirectory: cwd, needs: tool.needs, budget, signal });
    return tool.execute(params, { can, signal, settings: config.current.tools });
  }

  /** Calls that were given up still run until they have noticed and cleaned up. */
  private follow<T>(work: Promise<T>): Promise<T> {
    this.running.add(work);
    const done = () => this.running.delete(work);
    work.then(done, done);
    return work;
  }

  async dispose(): Promise<void> {
    if (this.running.size === 0) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLEAN_UP_MS);
    await Promise.race([Promise.allSettled(this.running), late]);
    clearTimeout(timer);
  }

  /** The configured time, else the tool's own, else 30 s; a caller may only shorten it. */
  private timeoutMs(tool: ToolDefinition, call: ToolCallOptions): number {
    const { timeouts } = this.options.config.current.tools;
    const seconds = (name: string) => (Object.hasOwn(timeouts, name) ? timeouts[name]! * 1000 : undefined);
    const allowed = seconds(tool.name) ?? tool.timeoutMs ?? seconds("default") ?? DEFAULT_TIMEOUT_MS;
    return Math.min(allowed, call.timeoutMs ?? allowed);
  }
}

/** What a tool that is left out of a dry run answers. */
const NOT_CALLED: ToolOutcome = {
  operation: "dry_run",
  message: "Dry run: the tool was not called",
  result: {},
};

/** A built-in tool that touches nothing; what a script or an agent is behind is planned in its turn. */
function onlyComputes(tool: ToolDefinition, params: Record<string, unknown>, isBuiltin: boolean): boolean {
  if (!isBuiltin) return tool.needs.length === 0;
  return tool.isPure?.(params) ?? (tool.level === "safe" && tool.needs.length === 0);
}

const correlation = ({ correlationId }: ToolCallOptions) =>
  correlationId === undefined ? {} : { correlationId };

/** Bugs, time-outs and interrupts are never results. */
function isReturned(tool: ToolDefinition, operation: string, error: unknown): boolean {
  if (!(error instanceof SpellError) || ["internal", "timeout", "interrupted"].includes(error.code))
    return false;
  const { returnsFailures = false } = tool;
  return typeof returnsFailures === "function" ? returnsFailures(operation) : returnsFailures;
}

function operationOf(tool: ToolDefinition, given: Record<string, unknown>): string {
  const schema = (tool.parameters as ParameterSchema).properties?.operation;
  const operation = given.operation ?? schema?.default ?? "execute";
  return String(operation);
}
