import { expect } from "bun:test";
import type { Agent } from "../../../src/agents/service.ts";
import { silentLog } from "../../../src/core/log.ts";
import type { Handle, ScriptFunction, ScriptTable, ScriptValue } from "../../../src/core/values.ts";
import { AgentGlobal } from "../../../src/globals/agent.ts";
import type { ClassDecl, LocalContext } from "../../../src/globals/declare.ts";
import { Dispatcher } from "../../../src/globals/dispatch.ts";
import type { Services } from "../../../src/kernel/services.ts";
import type { SpellModel } from "../../../src/models/service.ts";
import type { ToolDefinition } from "../../../src/tools/service.ts";
import { testRun, world } from "../agents/support.ts";
import { stateWith } from "../state/support.ts";

export type Fields = Record<string, ScriptValue>;

/** The Agent global as a script reaches it, on scripted models. */
export function script(models: Record<string, SpellModel> = {}, definitions: ToolDefinition[] = []) {
  const { agents, tools } = world(models, definitions);
  let state: ReturnType<typeof stateWith> | undefined;
  const services = {
    log: silentLog,
    state: () => {
      state ??= stateWith();
      return state;
    },
    agents: async () => agents,
    tools: async () => tools,
    activeHooks: () => undefined,
    activeEvents: () => undefined,
  } as unknown as Services;
  const dispatcher = new Dispatcher([AgentGlobal], services);
  const run = testRun();
  const call = async (fn: string, ...args: ScriptValue[]): Promise<ScriptValue> =>
    (await dispatcher.call({ global: "Agent", fn }, args, run)) as ScriptValue;
  const method = async (target: ScriptValue, fn: string, ...args: ScriptValue[]): Promise<ScriptValue> => {
    const { className, object } = target as Handle;
    return (await dispatcher.call({ global: className, fn, object }, args, run)) as ScriptValue;
  };
  return { agents, tools, run, call, method, builder: () => new ScriptBuilder(call) };
}

/** A builder as the script thread drives it: local methods on one state. */
export class ScriptBuilder {
  private readonly methods = (AgentGlobal.classes as ClassDecl[]).find(
    (c) => c.name === "AgentBuilder",
  )!.methods;
  private state: object = {};

  constructor(private readonly wait: (fn: string, ...args: ScriptValue[]) => Promise<ScriptValue>) {}

  set(name: string, ...args: ScriptValue[]): this {
    const decl = Object.entries(this.methods).find(
      ([key, m]) => key === name || m.aliases?.includes(name),
    )?.[1];
    if (decl?.crossing !== "local") throw new Error(`no setter ${name}`);
    const ctx = {
      self: this.state,
      create: (_className: string, state: object) => state,
      wait: (_global: string, fn: string, ...given: ScriptValue[]) => this.wait(fn, ...given),
    };
    const result = (
      decl.handler as unknown as (ctx: Partial<LocalContext<object>>, ...args: ScriptValue[]) => unknown
    )(ctx as unknown as Partial<LocalContext<object>>, ...args);
    if (name !== "build") expect(result).toBe(this.state);
    else this.built = result as Promise<ScriptValue>;
    return this;
  }

  built: Promise<ScriptValue> | undefined;
}

export const fieldsOf = (value: ScriptValue): Fields => (value as ScriptTable).parts.fields!;
export const agentOf = (value: ScriptValue): Agent => (value as Handle<Agent>).object;

export class CountingFunction implements ScriptFunction {
  readonly kind = "function";
  readonly chunks: Fields[] = [];
  released = false;
  constructor(private readonly body: (chunk: Fields) => Promise<void> | void = () => {}) {}
  async call(chunk: ScriptValue) {
    this.chunks.push(chunk as Fields);
    await this.body(chunk as Fields);
    return null;
  }
  release() {
    this.released = true;
  }
}
