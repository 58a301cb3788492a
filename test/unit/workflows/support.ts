/** Workflows over the real services of tools and agents, with tools of the test. */
import { Type } from "typebox";
import { silentLog } from "../../../src/core/log.ts";
import type { ScriptFunction, ScriptValue } from "../../../src/core/values.ts";
import type { EventService } from "../../../src/events/service.ts";
import { agentInput } from "../../../src/globals/agent/input.ts";
import type { HookService } from "../../../src/hooks/service.ts";
import type { RunContext } from "../../../src/kernel/services.ts";
import type { StateService } from "../../../src/state/service.ts";
import { openStorage, type Storage } from "../../../src/storage/storage.ts";
import { createToolService } from "../../../src/tools/create.ts";
import { builtinTools } from "../../../src/tools/registry.ts";
import type { ToolDefinition } from "../../../src/tools/tool.ts";
import { createWorkflowService } from "../../../src/workflows/create.ts";
import type {
  ExecuteOptions,
  Workflow,
  WorkflowDependencies,
  WorkflowResult,
  WorkflowService,
} from "../../../src/workflows/service.ts";
import { configWith } from "../../support/config.ts";
import { testRun, testTool, world } from "../agents/support.ts";

export interface Options {
  tools?: ToolDefinition[];
  hooks?: HookService;
  events?: EventService;
  state?: StateService;
  storage?: Storage;
  dataDirectory?: string;
}

export interface Bench {
  workflows: WorkflowService;
  agents: ReturnType<typeof world>["agents"];
  run(
    table: Record<string, unknown>,
    input?: Record<string, unknown>,
    options?: ExecuteOptions,
  ): Promise<WorkflowResult>;
}

/** Every tool that was called, in order, with what it was given. */
export type Calls = [name: string, input: unknown][];

export function bench(options: Options = {}): Bench {
  const tools = createToolService({
    config: configWith(),
    log: silentLog,
    env: {},
    cwd: "/",
    tools: [...builtinTools, ...(options.tools ?? [])],
    ...(options.hooks === undefined ? {} : { hooks: () => options.hooks }),
  });
  const { agents } = world({});
  let storage: Promise<Storage> | undefined;
  const dependencies: WorkflowDependencies = {
    log: silentLog,
    tools: async () => tools,
    agents: async () => agents,
    agentInput: (value) => agentInput(value as ScriptValue),
    state: async () => options.state,
    hooks: () => options.hooks,
    events: () => options.events,
    storage: () => {
      storage ??= options.storage === undefined ? openStorage(":memory:") : Promise.resolve(options.storage);
      return storage;
    },
    dataDirectory: options.dataDirectory ?? "/nonexistent",
    cwd: "/work",
  };
  const workflows = createWorkflowService(dependencies);
  return {
    workflows,
    agents,
    run: (table, input = {}, asked = {}) => workflows.create(table).execute(input, testRun(), asked),
  };
}

/** A tool that notes what it is given and gives it back; `fail` fails, `wait` waits for so many milliseconds. */
export function noting(calls: Calls, name = "note"): ToolDefinition {
  const parameters = Type.Object({}, { additionalProperties: true });
  const tool = testTool(name, async (params, signal) => {
    calls.push([name, params]);
    const { fail, wait, give } = params as { fail?: unknown; wait?: number; give?: unknown };
    if (wait !== undefined) await sleep(wait, signal);
    if (fail !== undefined) throw new Error(String(fail));
    return { operation: "run", result: give ?? params, text: String(give ?? "noted") };
  });
  return { ...tool, parameters };
}

/** Ends at once when its signal is aborted. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  await promise.finally(() => clearTimeout(timer));
}

export const step = (
  name: string,
  input: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
) => ({
  name,
  type: "tool",
  tool: "note",
  input,
  ...more,
});

export const sequential = (steps: unknown, more: object = {}) => ({
  name: "w",
  type: "sequential",
  steps,
  ...more,
});

/** A step that fails. */
export const bad = (name: string, more: Record<string, unknown> = {}) =>
  step(name, { n: name, fail: "boom" }, more);

/** A bench whose tool `note` notes what it is given. */
export function withNotes(): Bench & { calls: Calls } {
  const calls: Calls = [];
  return { calls, ...bench({ tools: [noting(calls)] }) };
}

/** Calls by what they carry: `n` names a call. */
export const names = (calls: Calls) => calls.map(([, input]) => (input as { n?: unknown }).n);

export class TestFunction implements ScriptFunction {
  readonly kind = "function";
  readonly calls: ScriptValue[] = [];
  constructor(private readonly body: (value: Record<string, unknown>) => unknown) {}
  async call(value: ScriptValue): Promise<ScriptValue> {
    this.calls.push(value);
    return (await this.body(value as Record<string, unknown>)) as ScriptValue;
  }
  release(): void {}
}

export type { RunContext, Workflow };
