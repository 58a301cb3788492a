/** When a hook runs: conditions over its context (spec/kernel.md section 17.1). */
import { isPlainObject } from "../core/values.ts";
import type { HookComponent, HookContext } from "./service.ts";

export type Condition = (context: HookContext) => boolean;

/** What a condition asks for; everything given must hold. */
export interface ConditionSpec {
  componentType?: HookComponent["type"];
  /** The component's name; `*` stands for any text. */
  component?: string;
  /** Canonical, with `*`. */
  point?: string;
  /** Keys that must be there; with a value, that one. `*`: any. */
  metadata?: Readonly<Record<string, string>>;
  hasError?: boolean;
  /** A path such as `data.params.path`, which must be there; with `equals`, with that value. */
  path?: string;
  equals?: unknown;
  /** Whether `debug.enabled` is set in the configuration. */
  debugMode?: boolean;
  /** Whether scripts run in the kernel: `busy`, `idle`. */
  executionState?: KernelState["execution"];
  /** `always` asks for nothing; `never` holds nowhere. */
  always?: boolean;
  never?: boolean;
}

/** What conditions ask of the kernel. */
export interface KernelState {
  execution: "idle" | "busy";
  debug: boolean;
}

/** @param kernel its state when a hook is about to run */
export function conditionOf(spec: ConditionSpec, kernel: () => KernelState): Condition {
  const { componentType, component, point, metadata, hasError, path, equals } = spec;
  const { debugMode, executionState, always = true, never = false } = spec;
  const all: Condition[] = [];
  if (never || !always) all.push(() => false);
  if (debugMode !== undefined) all.push(() => kernel().debug === debugMode);
  if (executionState !== undefined) all.push(() => kernel().execution === executionState);
  if (componentType !== undefined)
    all.push((context) => context.component.type.toLowerCase() === componentType.toLowerCase());
  if (component !== undefined) {
    const matches = textMatcher(component);
    all.push((context) => matches(context.component.name));
  }
  if (point !== undefined) {
    const matches = textMatcher(point);
    all.push((context) => matches(context.point));
  }
  for (const [key, wanted] of Object.entries(metadata ?? {}))
    all.push(({ metadata: given }) =>
      wanted === "*" ? Object.hasOwn(given, key) : Object.hasOwn(given, key) && given[key] === wanted,
    );
  if (hasError !== undefined)
    all.push(({ data }) => (data.error !== undefined && data.error !== null) === hasError);
  if (path !== undefined)
    all.push((context) => {
      const value = valueAt(context, path);
      return equals === undefined ? value !== undefined && value !== null : Bun.deepEquals(value, equals);
    });
  return (context) => all.every((holds) => holds(context));
}

/** The value at a dotted path of a context: `data.params.path`, `metadata.tool_name`, `component.name`. */
export function valueAt(context: HookContext, path: string): unknown {
  let value: unknown = { ...context, component_id: context.component };
  for (const key of path.split(".")) {
    if (Array.isArray(value)) value = value[Number(key) - 1];
    else if (isPlainObject(value) && Object.hasOwn(value, key)) value = value[key];
    else return undefined;
  }
  return value;
}

function textMatcher(pattern: string): (text: string) => boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  const expression = new RegExp(`^${parts.join(".*")}$`, "s");
  return (text) => expression.test(text);
}
