/** What the standard environment variables of OpenTelemetry say about the export. */
import { shortVersion } from "../core/version.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface ExportTarget {
  url: string;
  headers: Readonly<Record<string, string>>;
}

export interface TraceParent {
  traceId: string;
  spanId: string;
}

export interface TracingSettings {
  /** Absent where traces are not wanted. */
  traces?: ExportTarget;
  /** Absent where metrics are not wanted. */
  metrics?: ExportTarget;
  /** For one request. */
  timeoutMs: number;
  isCompressed: boolean;
  /** What models and tools are told and answer may be recorded. */
  holdsContent: boolean;
  resource: Readonly<Record<string, string | number>>;
  /** The span of another program that this one works for. */
  parent?: TraceParent;
  /** What was set and cannot be followed. */
  warnings: readonly string[];
}

const isTrue = (text: string | undefined) => text?.trim().toLowerCase() === "true";

/** @returns undefined where nothing is to be exported */
export function tracingSettings(env: Environment): TracingSettings | undefined {
  if (isTrue(env.OTEL_SDK_DISABLED)) return undefined;
  const warnings: string[] = [];
  const target = (signal: "TRACES" | "METRICS"): ExportTarget | undefined => {
    if (env[`OTEL_${signal}_EXPORTER`]?.trim().toLowerCase() === "none") return undefined;
    const own = env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`];
    const base = env.OTEL_EXPORTER_OTLP_ENDPOINT;
    const text = own || (base && `${base.trim().replace(/\/+$/, "")}/v1/${signal.toLowerCase()}`);
    if (!text) return undefined;
    const url = URL.parse(text.trim());
    if (url === null || !/^https?:$/.test(url.protocol)) {
      warnings.push(`Cannot export ${signal.toLowerCase()}: the endpoint must be an http or https URL`);
      return undefined;
    }
    const headers = {
      ...pairs(env.OTEL_EXPORTER_OTLP_HEADERS),
      ...pairs(env[`OTEL_EXPORTER_OTLP_${signal}_HEADERS`]),
    };
    return { url: url.href, headers };
  };
  const traces = target("TRACES");
  const metrics = target("METRICS");
  const protocol = env.OTEL_EXPORTER_OTLP_PROTOCOL?.trim();
  if (protocol && protocol !== "http/json" && (traces ?? metrics) !== undefined)
    warnings.push(`OTEL_EXPORTER_OTLP_PROTOCOL is ${protocol}; http/json is sent, which collectors take too`);
  const parent = traceParent(env.TRACEPARENT);
  const isSampled = parent === undefined || parent.isSampled;
  if (metrics === undefined && (traces === undefined || !isSampled) && warnings.length === 0)
    return undefined;
  const timeoutMs = Number(env.OTEL_EXPORTER_OTLP_TIMEOUT);
  return {
    ...(traces === undefined || !isSampled ? {} : { traces }),
    ...(metrics === undefined ? {} : { metrics }),
    timeoutMs: timeoutMs > 0 ? timeoutMs : 10_000,
    isCompressed: env.OTEL_EXPORTER_OTLP_COMPRESSION?.trim() === "gzip",
    holdsContent: isTrue(env.OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT),
    resource: {
      "service.name": "llmspell",
      ...pairs(env.OTEL_RESOURCE_ATTRIBUTES),
      ...(env.OTEL_SERVICE_NAME ? { "service.name": env.OTEL_SERVICE_NAME } : {}),
      "service.version": shortVersion(),
      "process.pid": process.pid,
    },
    ...(parent === undefined ? {} : { parent: { traceId: parent.traceId, spanId: parent.spanId } }),
    warnings,
  };
}

/** `name=value,name=value`, values percent-encoded. What is no pair is left out. */
function pairs(text: string | undefined): Record<string, string> {
  const result: Record<string, string> = {};
  for (const part of (text ?? "").split(",")) {
    const at = part.indexOf("=");
    const name = part.slice(0, at).trim();
    if (at > 0 && name !== "") result[name] = decoded(part.slice(at + 1).trim());
  }
  return result;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

/** W3C Trace Context, version 00 and what later ones keep of it. */
function traceParent(text: string | undefined): (TraceParent & { isSampled: boolean }) | undefined {
  const match = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-|$)/.exec(
    text?.trim() ?? "",
  );
  const [, traceId, spanId, flags] = match ?? [];
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId))
    return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags!, 16) & 1) === 1 };
}
