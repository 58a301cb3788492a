/** Runs scripts in engines whose kernel is the handlers of `globals.ts`. */
import type { Task } from "../../../src/core/task.ts";
import type { EnginePolicy, ExecuteOutcome, ScriptEngine } from "../../../src/engine/engine.ts";
import { createLuaEngine } from "../../../src/engine/lua/engine.ts";
import { Dispatcher } from "../../../src/globals/dispatch.ts";
import type { RunContext, Services } from "../../../src/kernel/services.ts";
import { globals } from "./globals.ts";

export const openPolicy: EnginePolicy = {
  features: ["state", "sessions"],
  stdlib: "All",
  allowFileAccess: true,
  allowProcessSpawn: true,
  modulePaths: [],
  maxMemoryBytes: undefined,
  timeoutMs: undefined,
  maxInstructions: undefined,
};

export interface Harness {
  engine: ScriptEngine;
  run(
    code: string | Uint8Array,
    options?: { name?: string; path?: string; args?: string[] },
  ): Promise<ExecuteOutcome>;
  /** What was written to standard output since the last look. */
  output(): string;
  bytes(): Uint8Array;
  /** The tasks that were blocked at the last call. */
  blocked(): readonly Task[];
}

export function harness(policy: Partial<EnginePolicy> = {}, input: string[] = []): Harness {
  const dispatcher = new Dispatcher(globals, {} as Services);
  let chunks: Uint8Array[] = [];
  let blockedAtLastCall: readonly Task[] = [];
  const engine = createLuaEngine({
    globals,
    policy: { ...openPolicy, ...policy },
    worker: new URL("./worker.ts", import.meta.url),
    host: {
      call(target, args, blocked) {
        blockedAtLastCall = [...blocked()];
        return dispatcher.call(target, args, {} as RunContext);
      },
      output: (_stream, text) =>
        chunks.push(typeof text === "string" ? new TextEncoder().encode(text) : text),
      input: async () => {
        const line = input.shift();
        return line === undefined ? null : new TextEncoder().encode(`${line}\n`);
      },
    },
  });
  return {
    engine,
    run: (code, options = {}) =>
      engine.execute({
        code,
        name: options.name ?? "script.lua",
        ...(options.path === undefined ? {} : { path: options.path }),
        args: { script: options.name ?? "script.lua", positional: options.args ?? [], named: {} },
      }),
    output: () => {
      const text = Buffer.concat(chunks).toString();
      chunks = [];
      return text;
    },
    bytes: () => {
      const all = Buffer.concat(chunks);
      chunks = [];
      return all;
    },
    blocked: () => blockedAtLastCall,
  };
}
