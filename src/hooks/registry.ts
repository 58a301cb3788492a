/** Which hooks stand at which points, in the order in which they run. */
import { randomId } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import type { BreakerState, CircuitBreaker } from "./breaker.ts";
import { Durations } from "./figures.ts";
import { canonicalPoints } from "./points.ts";
import { PRIORITIES } from "./priority.ts";
import type { HookContext, HookFilter, HookFunction, HookSpec, RegisteredHook } from "./service.ts";

/** A registered hook with what is known of its calls. */
export class Hook implements RegisteredHook {
  readonly id = randomId();
  readonly name: string;
  readonly point: string;
  readonly priority: number;
  readonly language: string;
  readonly description: string;
  readonly version: string;
  readonly tags: readonly string[];
  readonly run: HookFunction;
  readonly condition: ((context: HookContext) => boolean) | undefined;
  readonly immediate: boolean;
  readonly durations = new Durations();
  /** Milliseconds spent in it, and in the operations that it was called for, since the overhead was looked at last. */
  readonly share = { hookMs: 0, operationMs: 0, operations: 0 };
  /** When its calls of the last minute began; kept only where there is a limit. */
  calls: number[] = [];
  private readonly at: (point: string) => boolean;

  constructor(
    readonly spec: HookSpec,
    readonly breaker: CircuitBreaker | undefined,
  ) {
    const { points, language = "native", priority = PRIORITIES.normal } = spec;
    if (typeof points === "function") {
      this.point = "*";
      this.at = points;
    } else {
      const names = new Set(points.flatMap((point) => canonicalPoints(point)));
      this.point = names.size === 1 ? [...names][0]! : "*";
      this.at = (point) => names.has(point);
    }
    this.language = language;
    this.name = spec.name ?? `${language}_${this.id}`;
    this.priority = priority;
    this.description =
      spec.description ?? `A ${language} hook at ${this.point === "*" ? "several points" : this.point}`;
    this.version = spec.version ?? "1.0.0";
    this.tags = spec.tags ?? [];
    this.run = spec.run;
    this.condition = spec.condition;
    this.immediate = spec.immediate ?? false;
  }

  standsAt(point: string): boolean {
    return this.at(point);
  }

  /** Its executions are recorded. Built-in hooks watch themselves. */
  get isRecorded(): boolean {
    return !this.immediate && this.language !== "native";
  }

  get breakerState(): BreakerState {
    return this.breaker?.state ?? "closed";
  }
}

const NONE: readonly Hook[] = [];

export class HookRegistry {
  /** By priority; of equal ones, in the order of registration. */
  private readonly hooks: Hook[] = [];
  private byPoint = new Map<string, readonly Hook[]>();

  /** @throws SpellError limit */
  add(hook: Hook, maxHooks: number): void {
    if (this.hooks.length >= maxHooks) {
      throw new SpellError("limit", `Cannot register a hook: hooks.max_hooks is ${maxHooks}`, {
        data: { limit: "max_hooks", max: maxHooks },
        hint: "Unregister hooks that are not needed any more, or raise hooks.max_hooks",
      });
    }
    const at = this.hooks.findIndex((other) => other.priority > hook.priority);
    this.hooks.splice(at === -1 ? this.hooks.length : at, 0, hook);
    this.byPoint = new Map();
  }

  remove(id: string): Hook | undefined {
    const at = this.hooks.findIndex((hook) => hook.id === id);
    if (at === -1) return undefined;
    const [hook] = this.hooks.splice(at, 1);
    this.byPoint = new Map();
    return hook;
  }

  find(id: string): Hook | undefined {
    return this.hooks.find((hook) => hook.id === id);
  }

  /** @param point canonical */
  at(point: string): readonly Hook[] {
    const known = this.byPoint.get(point);
    if (known !== undefined) return known;
    const found = this.hooks.filter((hook) => hook.standsAt(point));
    this.byPoint.set(point, found.length === 0 ? NONE : found);
    return found;
  }

  /** @throws SpellError invalid_argument */
  list({ point, language, priority, tag }: HookFilter = {}): readonly Hook[] {
    const points = point === undefined ? undefined : canonicalPoints(point);
    return this.hooks.filter(
      (hook) =>
        (points === undefined || points.some((name) => hook.standsAt(name))) &&
        (language === undefined || hook.language === language) &&
        (priority === undefined || hook.priority === priority) &&
        (tag === undefined || hook.tags.includes(tag)),
    );
  }
}
