/** Traces and metrics of this process to an OTLP collector. */
import type { Log } from "../core/log.ts";
import { traceWith } from "../core/span.ts";
import { shortVersion } from "../core/version.ts";
import type { MetricsRegistry } from "../metrics/registry.ts";
import { metricsRequest, type Origin, traceRequest } from "./otlp.ts";
import { Sender } from "./sender.ts";
import { type ExportTarget, type TracingSettings, tracingSettings } from "./settings.ts";
import { SpanQueue } from "./span-queue.ts";
import { RecordingTracer } from "./tracer.ts";

export interface TelemetryOptions {
  env: Readonly<Record<string, string | undefined>>;
  metrics: MetricsRegistry;
  log: Log;
}

/** How long the end of the process waits for the collector. */
const END_MS = 3000;
const METRICS_EVERY_MS = 60_000;

export interface Telemetry {
  /** Sends what is left, for a bounded time. Never throws. */
  close(): Promise<void>;
}

/** As the standard environment variables say. A collector that fails disturbs nothing else. */
export function startTelemetry({ env, metrics, log }: TelemetryOptions): Telemetry {
  const settings = tracingSettings(env);
  if (settings === undefined) return { close: async () => undefined };
  for (const warning of settings.warnings) log.warn("kernel", warning);
  const origin: Origin = {
    resource: settings.resource,
    scope: { name: "llmspell", version: shortVersion() },
  };
  const senderTo = (target: ExportTarget, what: string) => new Sender({ ...settings, target, what, log });
  const closing: (() => Promise<void>)[] = [];
  if (settings.traces !== undefined)
    closing.push(exportTraces(settings, origin, senderTo(settings.traces, "traces"), log));
  if (settings.metrics !== undefined)
    closing.push(exportMetrics(metrics, origin, senderTo(settings.metrics, "metrics")));
  return {
    async close() {
      await Promise.all(closing.map((close) => close()));
    },
  };
}

function exportTraces(settings: TracingSettings, origin: Origin, sender: Sender, log: Log) {
  const queue = new SpanQueue({
    send: (spans, signal) => sender.send(traceRequest(origin, spans), signal),
  });
  const { holdsContent, parent } = settings;
  const tracer = new RecordingTracer({
    onEnd: (span) => queue.add(span),
    holdsContent,
    ...(parent === undefined ? {} : { parent }),
  });
  const tracing = traceWith(tracer);
  return async () => {
    tracing[Symbol.dispose]();
    sender.endWithin(END_MS);
    await queue.close(END_MS);
    if (queue.dropped > 0)
      log.warn("kernel", "Spans were dropped: the collector did not take them", { spans: queue.dropped });
  };
}

function exportMetrics(metrics: MetricsRegistry, origin: Origin, sender: Sender) {
  const startMs = Date.now();
  const ended = new AbortController();
  const send = () =>
    sender.send(metricsRequest(origin, metrics.families(), startMs, Date.now()), ended.signal);
  let sending: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    sending ??= send().finally(() => {
      sending = undefined;
    });
  }, METRICS_EVERY_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    sender.endWithin(END_MS);
    const late = setTimeout(() => ended.abort(), END_MS);
    await sending;
    await send();
    clearTimeout(late);
  };
}
