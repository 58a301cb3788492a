/** Traces to a collector that fails in every way: the script is not disturbed, and no span is lost unsaid. */
import { Sandbox } from "../support/cli.ts";
import { Collector } from "../support/collector.ts";
import { uniform } from "../support/random.ts";
import {
  between,
  check,
  checkSound,
  ended,
  type Figures,
  pick,
  type Soak,
  type SoakOptions,
} from "./soak.ts";

/** The script's own time and the three seconds of the end. */
const GUARD_MS = 60_000;
const MAX_LINES = 3;

const SCRIPT = `
for i = 1, tonumber(ARGS.calls) do
  local result = Tool.execute("calculator", {expression = i % 7 == 0 and "1/" or "1+" .. i})
  assert(result.success == (i % 7 ~= 0))
end
print("done") os.exit(tonumber(ARGS.code))`;

type Fault = "none" | "status" | "busy" | "hangs" | "breaks" | "nonsense" | "endless";
const FAULTS: readonly Fault[] = ["none", "none", "status", "busy", "hangs", "breaks", "nonsense", "endless"];

function answerTo(fault: Fault, next: () => number): Response | Promise<Response> {
  switch (fault) {
    case "none":
      return Response.json({});
    case "status":
      return new Response("no", { status: pick(next, [400, 401, 403, 404, 413, 500, 501, 302]) });
    case "busy":
      return new Response("", {
        status: pick(next, [429, 502, 503, 504]),
        headers: {
          "retry-after": pick(next, ["0", "1", "3600", "soon", "-5", "Mon, 01 Jan 2035 00:00:00 GMT"]),
        },
      });
    case "hangs":
      return new Promise<Response>(() => {});
    case "breaks":
      return new Response(
        new ReadableStream({
          pull(controller) {
            controller.error(new Error("the collector has gone"));
          },
        }),
        { status: pick(next, [429, 500]) },
      );
    case "nonsense":
      return new Response(String.fromCharCode(...Array.from({ length: 300 }, () => between(next, 0, 256))));
    case "endless":
      return new Response(
        new ReadableStream({
          async pull(controller) {
            await Bun.sleep(1);
            controller.enqueue(new Uint8Array(65_536));
          },
        }),
        { status: 500 },
      );
  }
}

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const next = uniform(seed);
  const figures = { runs: full ? 300 : 12, spans: 0, taken: 0, dropped: 0, requests: 0 };
  for (let round = 0; round < figures.runs; round++) {
    const what = `seed ${seed}, run ${round}`;
    using box = new Sandbox();
    const taken = new Set<string>();
    const faults = Array.from({ length: between(next, 1, 4) }, () => pick(next, FAULTS));
    using collector = new Collector((n) => {
      const fault = faults[n % faults.length]!;
      if (fault === "none" || fault === "nonsense")
        for (const id of idsOf(collector.received[n]!.text)) {
          check(!taken.has(id), `${what}: a span came twice`, id);
          taken.add(id);
        }
      return answerTo(fault, next);
    });
    const calls = pick(next, [0, 1, 50, 600, 2_000, 6_000]);
    const code = between(next, 0, 100);
    box.write("s.lua", SCRIPT);
    const proc = box.start(["run", "s.lua", "--", "--calls", String(calls), "--code", String(code)], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_METRICS_EXPORTER: "none" },
    });
    const end = await ended(proc, GUARD_MS, what);
    checkSound(end, what);
    check(end.stdout === "done\n" && end.code === code, `${what}: the script was disturbed`, end);
    const lines = end.stderr.split("\n").filter((line) => line !== "");
    check(lines.length <= MAX_LINES, `${what}: too much was said`, lines);
    const dropped = Number(/dropped.* spans=(\d+)/.exec(end.stderr)?.[1] ?? 0);
    // the message, the execution and each call
    const spans = calls + 2;
    check(taken.size + dropped === spans, `${what}: spans are lost`, {
      taken: taken.size,
      dropped,
      spans,
      faults,
    });
    figures.spans += spans;
    figures.taken += taken.size;
    figures.dropped += dropped;
    figures.requests += collector.received.length;
  }
  return figures;
}

function idsOf(body: string): string[] {
  return [...body.matchAll(/"spanId":"([0-9a-f]{16})"/g)].map(([, id]) => id!);
}

export const telemetry: Soak = {
  name: "telemetry",
  description: "a collector that fails disturbs no script, and every span is taken or said to be dropped",
  run,
};
