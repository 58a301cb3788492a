import { join } from "node:path";
import { defaultOf } from "../src/config/decode.ts";
import { ROOT } from "../src/config/node.ts";
import type { Config } from "../src/config/schema.ts";
import { silentLog } from "../src/core/log.ts";
import { createHookService } from "../src/hooks/create.ts";
import type { HookService } from "../src/hooks/service.ts";
import { createToolService } from "../src/tools/create.ts";
import { defineTool } from "../src/tools/tool.ts";
import { LLMSPELL, medians, run, Scratch } from "./measure.ts";
import { type Row, row } from "./row.ts";

const ROUNDS = 9;
const CALLS = 2000;
const TOOL_US = 100;
/** What the reference says of itself: its hooks cost an operation less than so much. */
const REFERENCE_PERCENT = 2;

/** A tool that computes for 100 µs, whatever the machine. */
const busy = defineTool({
  name: "busy",
  aliases: [],
  description: "Computes for a while",
  category: "utility",
  level: "safe",
  version: "1.0.0",
  parameters: { type: "object", properties: {} } as never,
  resultDoc: "",
  style: "text",
  needs: [],
  examples: [],
  primary: ({ text }) => text,
  execute() {
    const endMs = performance.now() + TOOL_US / 1000;
    while (performance.now() < endMs);
    return { operation: "execute", text: "done" };
  },
});

/** Hooks around a tool call of 100 µs: none registered, built-in ones, and one of a script. */
export async function hooks(): Promise<Row[]> {
  const config = service();
  const idle = await createHookService({ config, log: silentLog });
  const builtin = await createHookService({ config, log: silentLog });
  for (const name of ["logging", "metrics", "retry"]) await builtin.enableBuiltin(name);
  using scratch = new Scratch();
  const script = join(import.meta.dir, "lua", "hooks.lua");
  const inLua = async (kind: string) =>
    Number((await run([LLMSPELL, "run", script, "--", "--kind", kind], scratch)).stdout);
  const times = await medians(ROUNDS, {
    without: () => callUs(undefined),
    idle: () => callUs(idle),
    builtin: () => callUs(builtin),
    luaWithout: () => inLua("without"),
    luaHook: () => inLua("hook"),
  });
  const peer = { name: "the same call without hooks", figure: times.without };
  return [
    row({
      name: "hooks: tool call of 100 µs, none registered",
      unit: "µs",
      ours: times.idle,
      peer,
      target: { of: "ratio", at: "most", value: 1.01 },
    }),
    row({
      name: "hooks: tool call of 100 µs, logging, metrics and retry",
      unit: "µs",
      ours: times.builtin,
      peer,
      target: { of: "ratio", at: "most", value: 1.02 },
    }),
    row({
      name: "hooks: what logging, metrics and retry add to a tool call of 100 µs",
      unit: "%",
      ours: (times.builtin / times.without - 1) * 100,
      peer: { name: "the reference's own claim", figure: REFERENCE_PERCENT },
      target: { of: "ours", at: "most", value: REFERENCE_PERCENT },
    }),
    row({
      name: "hooks: one hook of a script around a tool call, what it adds",
      unit: "µs",
      ours: times.luaHook - times.luaWithout,
      peer: { name: "the call without it, from the script", figure: times.luaWithout },
      target: { of: "ours", at: "most", value: 100 },
    }),
  ];
}

/** Microseconds for one call. */
async function callUs(active: HookService | undefined): Promise<number> {
  const tools = createToolService({
    config: service(),
    log: silentLog,
    env: {},
    cwd: "/",
    tools: [busy],
    hooks: () => active,
  });
  // as calls of scripts have it
  const call = { correlationId: crypto.randomUUID() };
  const startMs = performance.now();
  for (let i = 0; i < CALLS; i++) await tools.execute("busy", {}, call);
  return ((performance.now() - startMs) * 1000) / CALLS;
}

function service() {
  const current = defaultOf(ROOT) as Config;
  return { current, source: "bench", isExplicit: () => false, update: () => {} };
}
