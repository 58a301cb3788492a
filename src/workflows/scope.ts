/** What a running workflow's texts and conditions can name. */
import { isPlainObject } from "../core/values.ts";
import type { StepOutcome } from "./outcome.ts";

type Input = Record<string, unknown>;

/** Its own data first, then what it was given; a workflow within another sees the outer one's too. */
export class SharedData {
  constructor(
    /** Set by the script. */
    readonly own: ReadonlyMap<string, unknown>,
    private input: Input,
    private readonly parent?: SharedData,
  ) {}

  get(key: string): unknown {
    if (this.own.has(key)) return this.own.get(key);
    if (Object.hasOwn(this.input, key)) return this.input[key];
    if (this.parent === undefined) return undefined;
    return key.startsWith("parent:") ? this.parent.get(key.slice("parent:".length)) : this.parent.get(key);
  }

  /** Another input, before the first step. */
  take(input: Input): void {
    this.input = input;
  }

  /** What it holds itself. */
  all(): Record<string, unknown> {
    return { ...this.input, ...Object.fromEntries(this.own) };
  }
}

interface Loop {
  value: unknown;
  /** From 0. */
  index: number;
  /** Passes begun. */
  iteration: number;
}

export class Scope {
  loop: Loop | undefined;
  private readonly finished = new Map<string, StepOutcome>();

  private constructor(
    private given: Input,
    readonly shared: SharedData,
    /** Of the same workflow: what was finished before the branch began. */
    private readonly before: Scope | undefined,
    /** Of the workflow of which this one is a step. */
    private readonly parent: Scope | undefined,
  ) {}

  static of(input: Input, own: ReadonlyMap<string, unknown>, parent: Scope | undefined): Scope {
    return new Scope(input, new SharedData(own, input, parent?.shared), undefined, parent);
  }

  get input(): Input {
    return this.given;
  }

  /** Another input, before the first step. */
  take(input: Input): void {
    this.given = input;
    this.shared.take(input);
  }

  /** For a branch: it sees what was finished before, and not what others do beside it. */
  branch(): Scope {
    return new Scope(this.input, this.shared, this, this.parent);
  }

  finish(outcome: StepOutcome): void {
    this.finished.set(outcome.name, outcome);
  }

  /** Takes over what a branch has finished. */
  join(branch: Scope): void {
    for (const outcome of branch.finished.values()) this.finish(outcome);
  }

  step(name: string): StepOutcome | undefined {
    return this.finished.get(name) ?? this.before?.step(name);
  }

  /** Finished steps of this workflow by name. */
  steps(): Map<string, StepOutcome> {
    return new Map([...(this.before?.steps() ?? []), ...this.finished]);
  }

  private get currentLoop(): Loop | undefined {
    return this.loop ?? this.before?.currentLoop;
  }

  /** @param name as a placeholder writes it @returns nothing where nothing has that name */
  find(name: string): { value: unknown } | undefined {
    const [, kind, rest] = /^(steps?|step_result|input|shared|shared_data|loop)[.:](.+)$/s.exec(name) ?? [];
    switch (kind) {
      case "step":
      case "steps":
      case "step_result":
        return this.findStep(rest!);
      case "input":
        return memberOf(this.input, rest!) ?? this.parent?.find(name);
      case "shared":
      case "shared_data":
        return this.findShared(rest!);
      case "loop":
        return this.findLoop(rest!);
      default:
        return this.findBare(name);
    }
  }

  private findStep(rest: string): { value: unknown } | undefined {
    for (
      let end = rest.length;
      end > 0;
      end = Math.max(rest.lastIndexOf(".", end - 1), rest.lastIndexOf(":", end - 1))
    ) {
      const outcome = this.step(rest.slice(0, end));
      if (outcome !== undefined) return fieldOf(outcome, rest.slice(end + 1));
    }
    return this.parent?.findStep(rest);
  }

  private findShared(rest: string): { value: unknown } | undefined {
    const whole = this.shared.get(rest);
    if (whole !== undefined) return { value: whole };
    const dot = rest.indexOf(".");
    if (dot <= 0) return undefined;
    return memberOf(this.shared.get(rest.slice(0, dot)), rest.slice(dot + 1));
  }

  private findLoop(rest: string): { value: unknown } | undefined {
    const loop = this.currentLoop;
    if (loop === undefined) return this.parent?.findLoop(rest);
    const [, word, path] =
      /^(current_value|current_item|current_index|value|index|iteration)(?:\.(.+))?$/s.exec(rest) ?? [];
    if (word === undefined) return undefined;
    if (word === "iteration") return { value: loop.iteration };
    if (word.endsWith("index")) return { value: loop.index };
    return path === undefined ? { value: loop.value } : memberOf(loop.value, path);
  }

  private findBare(name: string): { value: unknown } | undefined {
    const loop = this.currentLoop;
    if (loop !== undefined) {
      if (name === "iteration" || name === "loop_index") return this.findLoop(name.replace("loop_", ""));
      const [, path] = /^loop_value(?:\.(.+))?$/s.exec(name) ?? [];
      if (name === "loop_value" || path !== undefined)
        return this.findLoop(path === undefined ? "value" : `value.${path}`);
    }
    const outcome = this.step(name);
    if (outcome !== undefined) return { value: outcome.value };
    if (name === "input") return { value: runText(this.input) ?? this.input };
    const shared = this.shared.get(name);
    return shared === undefined ? this.parent?.findBare(name) : { value: shared };
  }
}

/** The text of a run's input: spec/lua-api.md section 3.8. */
export function runText({ input, text }: Input): string | undefined {
  if (typeof input === "string") return input;
  return typeof text === "string" ? text : undefined;
}

function fieldOf(outcome: StepOutcome, rest: string): { value: unknown } | undefined {
  const [, word, path] = /^(\w*)(?:[.:](.+))?$/s.exec(rest) ?? [];
  switch (word) {
    case "":
    case "result":
    case "output":
      if (path === undefined) return { value: outcome.value };
      return memberOf(outcome.fields, path) ?? memberOf(outcome.value, path);
    case "success":
      return { value: outcome.status !== "failed" };
    case "failed":
      return { value: outcome.status === "failed" };
    case "skipped":
      return { value: outcome.status === "skipped" };
    case "error":
      return { value: outcome.error?.message ?? null };
    case "duration_ms":
      return { value: outcome.durationMs };
    default:
      return undefined;
  }
}

/** Lists count from 1 as in Lua. */
function memberOf(value: unknown, path: string): { value: unknown } | undefined {
  if (isPlainObject(value) && Object.hasOwn(value, path)) return { value: value[path] };
  const [, first, rest] = /^([^.]+)(?:\.(.+))?$/s.exec(path) ?? [];
  if (first === undefined) return undefined;
  const key = Array.isArray(value) ? String(Number(first) - 1) : first;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  const member = (value as Record<string, unknown>)[key];
  return rest === undefined ? { value: member } : memberOf(member, rest);
}
