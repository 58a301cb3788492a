/** The hooks of one kernel. */
import { SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { didYouMean } from "../core/nearest.ts";
import type { RecorderSource } from "../core/recording.ts";
import type { EventService } from "../events/service.ts";
import type { ConfigService } from "../kernel/services.ts";
import { Around, type AroundOptions } from "./around.ts";
import { BREAKER_PRESETS, CircuitBreaker } from "./breaker.ts";
import { BUILTINS, type Builtin, type BuiltinSession, builtinOptions } from "./builtin/index.ts";
import { asResult, makeContext, runChain } from "./chain.ts";
import { Executor, type ExecutorSettings } from "./executor.ts";
import { unknownHook } from "./none.ts";
import { Hook, HookRegistry } from "./registry.ts";
import { ResultCache } from "./result-cache.ts";
import type {
  HookedOperation,
  HookFigures,
  HookFilter,
  HookInput,
  HookResult,
  HookService,
  HookSpec,
  RegisteredHook,
} from "./service.ts";
import { type RunTarget, Targets } from "./targets.ts";
import { WatchedExecutor } from "./watched.ts";

export interface HookServiceOptions {
  config: ConfigService;
  log: Log;
  /** The bus, where anybody has asked for it. */
  events?: () => EventService | undefined;
  /** What redirected and forked operations run. */
  targets?: { tool?: RunTarget; agent?: RunTarget; workflow?: RunTarget };
  /** What built-in hooks need of sessions. */
  session?: BuiltinSession;
  /** Where executions of scripts' hooks are recorded. */
  recorder?: RecorderSource;
  /** Milliseconds of a steady clock. */
  now?: () => number;
}

/** With the built-in hooks that the configuration asks for. @throws SpellError config */
export async function createHookService(options: HookServiceOptions): Promise<HookService> {
  const service = new Hooks(options);
  const { enabled, builtin } = options.config.current.hooks;
  if (enabled)
    for (const [name, section] of Object.entries(builtin))
      if (section?.enabled) await service.enableBuiltin(name);
  return service;
}

/** Points that come once: a hook that is registered later is told then. */
const ONCE = new Set(["SystemStartup", "PreKernelStartup", "PostKernelStartup"]);

class Hooks implements HookService {
  private readonly registry = new HookRegistry();
  private readonly executor: Executor;
  private readonly parts: AroundOptions;
  private readonly builtins = new Map<string, { hook: Hook; builtin: Builtin }>();
  /** What was told at points that come once. */
  private readonly past = new Map<string, HookInput>();
  private known: { config: unknown; settings: Settings } | undefined;

  constructor(private readonly options: HookServiceOptions) {
    const { log, events = () => undefined, targets = {}, now } = options;
    const parts = { settings: () => this.settings, log, events, ...(now === undefined ? {} : { now }) };
    this.executor =
      options.recorder === undefined ? new Executor(parts) : new WatchedExecutor(parts, options.recorder);
    const judge = (hooks: readonly Hook[], operationMs: number) => this.executor.judge(hooks, operationMs);
    this.parts = {
      fold: (input) => {
        const hooks = this.registry.at(input.point);
        return hooks.length > 0 && this.settings.on ? runChain(hooks, input, this.executor) : undefined;
      },
      cache: new ResultCache(),
      targets: new Targets(targets),
      ended: () => (this.executor.judges ? judge : undefined),
    };
  }

  has(point: string): boolean {
    return this.registry.at(point).length > 0 && this.settings.on;
  }

  hasScripted(point: string): boolean {
    return this.has(point) && this.registry.at(point).some((hook) => !hook.immediate);
  }

  run(input: HookInput): HookResult | Promise<HookResult> {
    if (ONCE.has(input.point)) this.past.set(input.point, input);
    const folded = this.parts.fold(input);
    if (folded instanceof Promise) return folded.then(asResult);
    return folded === undefined ? { type: "continue" } : asResult(folded);
  }

  standsAt(name: string, point: string): boolean {
    return this.recordedAt(name, point) !== undefined;
  }

  async runAgain(name: string, input: HookInput): Promise<HookResult> {
    const hook = this.recordedAt(name, input.point);
    if (hook === undefined) throw unknownHook(name);
    return this.executor.runAgain(hook, makeContext(input), input.signal);
  }

  private recordedAt(name: string, point: string): Hook | undefined {
    if (!this.settings.on) return undefined;
    return this.registry.at(point).find((hook) => hook.isRecorded && hook.name === name);
  }

  around<T>(
    operation: HookedOperation<T>,
    work: (data: Record<string, unknown>) => Promise<T> | T,
  ): Promise<T> {
    const isHooked =
      this.stands(operation.before) || this.stands(operation.after) || this.stands(operation.error);
    return isHooked ? new Around(operation, work, this.parts).run() : unhooked(operation, work);
  }

  private stands(point: string | undefined): boolean {
    return point !== undefined && this.has(point);
  }

  async register(spec: HookSpec): Promise<RegisteredHook> {
    const hook = new Hook(spec, this.breakerFor(spec));
    this.registry.add(hook, this.options.config.current.hooks.max_hooks);
    for (const [point, input] of this.past)
      if (hook.standsAt(point) && this.settings.on) await runChain([hook], input, this.executor);
    return hook;
  }

  /**
   * A hook of a script shares its VM with whatever else runs there, and may call tools and models: how long it takes says
   * little about it, so slow calls of it count only where somebody chose a breaker.
   */
  private breakerFor({ breaker, language }: HookSpec): CircuitBreaker | undefined {
    const { config, now } = this.options;
    const preset = breaker ?? config.current.hooks.circuit_breaker;
    if (preset === "off") return undefined;
    const isChosen = breaker !== undefined || config.isExplicit("hooks.circuit_breaker");
    const slow = language === "lua" && !isChosen ? { slowToOpen: Number.POSITIVE_INFINITY } : {};
    return new CircuitBreaker({ ...BREAKER_PRESETS[preset], ...slow }, now);
  }

  unregister(id: string): boolean {
    const hook = this.registry.remove(id);
    if (hook === undefined) return false;
    for (const [name, builtin] of this.builtins) if (builtin.hook === hook) this.builtins.delete(name);
    hook.spec.onRemoved?.();
    return true;
  }

  find(id: string): RegisteredHook | undefined {
    return this.registry.find(id);
  }

  list(filter?: HookFilter): RegisteredHook[] {
    return [...this.registry.list(filter)];
  }

  figures(): HookFigures[] {
    return this.registry
      .list()
      .map((hook) => ({ name: hook.name, ...hook.durations.summary(), breaker: hook.breakerState }));
  }

  removeScripts(): void {
    for (const { id } of this.registry.list({ language: "lua" })) this.unregister(id);
  }

  async enableBuiltin(name: string, given: Record<string, unknown> = {}): Promise<RegisteredHook> {
    const make = Object.hasOwn(BUILTINS, name) ? BUILTINS[name] : undefined;
    if (make === undefined) throw unknownBuiltin(name);
    const { config, log } = this.options;
    const configured = config.current.hooks.builtin[name as keyof typeof config.current.hooks.builtin];
    const builtin = make(builtinOptions(name, { ...configured, ...given }), {
      log,
      cache: this.parts.cache,
      timeoutMs: () => this.settings.timeoutMs || Number.POSITIVE_INFINITY,
      ...(this.options.now === undefined ? {} : { now: this.options.now }),
      ...(this.options.session === undefined ? {} : { session: this.options.session }),
    });
    this.disableBuiltin(name);
    const hook = (await this.register({
      ...builtin.spec,
      name,
      description: builtin.description,
      tags: ["builtin"],
      breaker: builtin.spec.breaker ?? "off",
    })) as Hook;
    this.builtins.set(name, { hook, builtin });
    return hook;
  }

  disableBuiltin(name: string): boolean {
    if (!Object.hasOwn(BUILTINS, name)) throw unknownBuiltin(name);
    const found = this.builtins.get(name);
    return found !== undefined && this.unregister(found.hook.id);
  }

  builtinReport(name: string): Record<string, unknown> {
    if (!Object.hasOwn(BUILTINS, name)) throw unknownBuiltin(name);
    const found = this.builtins.get(name);
    if (found === undefined)
      throw new SpellError("not_found", `Cannot read built-in hook "${name}": it is not on`, {
        hint: `Switch it on with Hook.enable_builtin("${name}")`,
      });
    return found.builtin.report();
  }

  /** As the configuration stands now. */
  private get settings(): Settings {
    const { config } = this.options;
    if (this.known?.config !== config.current) {
      const { enabled, timeout_ms, rate_limit_per_minute, circuit_breaker_threshold } = config.current.hooks;
      const ifSet = (key: string, value: number) => (config.isExplicit(`hooks.${key}`) ? value : undefined);
      const settings = {
        on: enabled || !config.isExplicit("hooks.enabled"),
        timeoutMs: timeout_ms,
        callsPerMinute: ifSet("rate_limit_per_minute", rate_limit_per_minute),
        overheadShare: ifSet("circuit_breaker_threshold", circuit_breaker_threshold),
      };
      this.known = { config: config.current, settings };
    }
    return this.known.settings;
  }
}

/** What `work` throws rejects. */
const unhooked = async <T>(
  { data }: HookedOperation<T>,
  work: (data: Record<string, unknown>) => Promise<T> | T,
): Promise<T> => work(data);

type Settings = ExecutorSettings & {
  /** False where the configuration says so: no hook runs. */
  on: boolean;
};

function unknownBuiltin(name: string): SpellError {
  const names = Object.keys(BUILTINS);
  return new SpellError("not_found", `Cannot find built-in hook: ${name}`, {
    hint: didYouMean(name, names) ?? `Built-in hooks are ${names.join(", ")}`,
  });
}
