/** Runs scripts that see Debug and Streaming in a real VM, with a real debug service behind them. */
import { silentLog } from "../../../src/core/log.ts";
import { createDebugService } from "../../../src/debug/create.ts";
import type { EnginePolicy } from "../../../src/engine/engine.ts";
import { createLuaEngine } from "../../../src/engine/lua/engine.ts";
import { DebugGlobal } from "../../../src/globals/debug.ts";
import { Dispatcher } from "../../../src/globals/dispatch.ts";
import { StreamingGlobal } from "../../../src/globals/streaming.ts";
import type { ConfigService, RunContext, Services } from "../../../src/kernel/services.ts";

const globals = [DebugGlobal, StreamingGlobal];

const config = {
  current: {
    debug: {
      enabled: false,
      level: "info",
      output: { stdout: true, colored: true, format: "text", buffer: { enabled: true, max_entries: 10_000 } },
      module_filters: { enabled: [], disabled: [], levels: {} },
      performance: { enabled: false, auto_report_interval: 0, include_children: true, min_duration_ms: 1 },
      stack_trace: { enabled: false, on_error: true, max_depth: 50, include_source: true },
    },
    runtime: {
      state_persistence: {
        redaction: { enabled: true, hash_redacted: false, field_names: [], patterns: [] },
      },
    },
  },
  source: "defaults",
  isExplicit: () => false,
} as unknown as ConfigService;

/** What the script printed, line by line; rejects with its error. */
export async function runScript(
  code: string,
  stdlib: EnginePolicy["stdlib"] = "Standard",
): Promise<string[]> {
  let text = "";
  const service = createDebugService({ config, log: silentLog, terminal: false });
  const services = { config, debug: async () => service } as Partial<Services> as Services;
  const run = {
    emit: (event) => {
      if (event.type === "stream") text += event.text;
    },
  } as Partial<RunContext> as RunContext;
  const dispatcher = new Dispatcher(globals, services);
  const engine = createLuaEngine({
    globals,
    policy: {
      features: ["state", "sessions"],
      stdlib,
      allowFileAccess: false,
      allowProcessSpawn: false,
      modulePaths: [],
      maxMemoryBytes: undefined,
      timeoutMs: undefined,
      maxInstructions: undefined,
    },
    worker: new URL("./lua-globals-worker.ts", import.meta.url),
    host: {
      call: (target, args) => dispatcher.call(target, args, run),
      output: (_stream, chunk) => {
        text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("latin1");
      },
      input: async () => null,
    },
  });
  try {
    const args = { script: "script.lua", positional: [], named: {} };
    const { error } = await engine.execute({ code, name: "script.lua", args });
    if (error !== undefined) throw new Error(error.message);
    return text.split("\n").slice(0, -1);
  } finally {
    await engine.dispose();
  }
}
