/** Judged by the grammar of https://prometheus.io/docs/instrumenting/exposition_formats/ as a reader of its own. */
import { describe, expect, test } from "bun:test";
import { prometheusText } from "../../../src/metrics/prometheus.ts";
import { MetricsRegistry } from "../../../src/metrics/registry.ts";
import { readExposition } from "../../support/exposition.ts";

function shown(fill: (metrics: MetricsRegistry) => void) {
  const metrics = new MetricsRegistry();
  fill(metrics);
  return readExposition(prometheusText(metrics.families()));
}

describe("Prometheus' text", () => {
  test("counters end in _total and the kernel's names lose their first word", () => {
    const families = shown((metrics) => {
      metrics
        .own("kernel.requests", { kind: "counter", description: "Requests." })
        .add(3, { type: "execute" });
      metrics.own("tool.calls", { kind: "counter" }).add(1);
    });
    expect(families.get("llmspell_requests_total")).toEqual({
      type: "counter",
      help: "Requests.",
      samples: [{ name: "llmspell_requests_total", labels: { type: "execute" }, value: 3 }],
    });
    expect(families.has("llmspell_tool_calls_total")).toBe(true);
  });

  test("a script's metrics stand apart and keep their labels, whatever is in them", () => {
    const value = 'a "quoted" \\ back\nslash {,} é';
    const families = shown((metrics) =>
      metrics.scripts.take({
        way: "record",
        name: "my.queue-length",
        value: -2.5e-7,
        labels: { name: value },
        otherwise: { kind: "gauge" },
      }),
    );
    expect(families.get("llmspell_script_my_queue_length")!.samples).toEqual([
      { name: "llmspell_script_my_queue_length", labels: { name: value }, value: -2.5e-7 },
    ]);
  });

  test("times are in seconds, buckets hold all that is below them, the last one everything", () => {
    const families = shown((metrics) => {
      const times = metrics.own("tool.duration", { kind: "histogram", unit: "ms", buckets: [10, 1000] });
      for (const ms of [5, 10, 500, 5000]) times.record(ms);
    });
    const { type, samples } = families.get("llmspell_tool_duration_seconds")!;
    expect(type).toBe("histogram");
    const name = "llmspell_tool_duration_seconds";
    expect(samples).toEqual([
      { name: `${name}_bucket`, labels: { le: "0.01" }, value: 2 },
      { name: `${name}_bucket`, labels: { le: "1" }, value: 3 },
      { name: `${name}_bucket`, labels: { le: "+Inf" }, value: 4 },
      { name: `${name}_sum`, labels: {}, value: 5.515 },
      { name: `${name}_count`, labels: {}, value: 4 },
    ]);
  });
});
