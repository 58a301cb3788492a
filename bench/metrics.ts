import { join } from "node:path";
import { span } from "../src/core/span.ts";
import { LLMSPELL, medians, run, Scratch } from "./measure.ts";
import { type Row, row } from "./row.ts";

const ROUNDS = 5;
const CALLS = 1_000_000;

/** What it costs to count and to trace, and what it costs not to. */
export async function metrics(): Promise<Row[]> {
  using scratch = new Scratch();
  using collector = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => Response.json({}) });
  const script = join(import.meta.dir, "lua", "metrics.lua");
  const traced = [`OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:${collector.port}`];
  const printed = async (kind: string, calls: number, env: readonly string[] = []) => {
    const command = [LLMSPELL, "run", script, "--", "--kind", kind, "--calls", String(calls)];
    return Number((await run(["env", ...env, ...command], scratch)).stdout);
  };
  const times = await medians(ROUNDS, {
    increment: () => printed("increment", 2_000),
    wait: () => printed("wait", 500),
    tool: () => printed("tool", 200),
    tracedTool: () => printed("tool", 200, traced),
    unwatched: async () => unwatchedSpans(),
  });
  return [
    row({
      name: "metrics: increment until it is counted, median",
      unit: "µs",
      ours: times.increment,
      peer: { name: "our wait call", figure: times.wait },
      target: { of: "ratio", at: "most", value: 1 },
    }),
    row({
      name: "traces: tool call that is exported, median",
      unit: "µs",
      ours: times.tracedTool,
      peer: { name: "the same, no collector", figure: times.tool },
      target: { of: "ratio", at: "most", value: 1.25 },
    }),
    row({
      name: "traces: span that nobody watches, mean",
      unit: "µs",
      ours: times.unwatched,
      peer: null,
      target: { of: "ours", at: "most", value: 0.1 },
    }),
  ];
}

/** In this process: the seam is a function of ours and nothing else. */
function unwatchedSpans(): number {
  const startMs = performance.now();
  for (let i = 0; i < CALLS; i++) span({ category: "state", operation: "read" }, () => i);
  return ((performance.now() - startMs) * 1000) / CALLS;
}
