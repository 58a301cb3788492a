/** OTLP's messages in their JSON form: ids in hexadecimal, 64-bit integers and times as text, enumerations as numbers. */

import type { SpanValue } from "../core/span.ts";
import type { Distribution, Family, Series } from "../metrics/instrument.ts";
import type { SpanRecord } from "./tracer.ts";

type AnyValue =
  | { stringValue: string }
  | { boolValue: boolean }
  | { intValue: string }
  | { doubleValue: number | string }
  | { arrayValue: { values: AnyValue[] } };

export interface KeyValue {
  key: string;
  value: AnyValue;
}

export interface Origin {
  resource: Readonly<Record<string, SpanValue>>;
  scope: { name: string; version: string };
}

const KIND_INTERNAL = 1;
const KIND_CLIENT = 3;
const STATUS_ERROR = 2;
/** The parent, where there is one, is in this process or said that it is sampled. */
const FLAGS_SAMPLED = 1;
const CUMULATIVE = 2;

export function attributesOf(values: Readonly<Record<string, SpanValue>>): KeyValue[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: SpanValue): AnyValue {
  if (typeof value === "string") return { stringValue: value.toWellFormed() };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value !== "number") return { arrayValue: { values: value.map(anyValue) } };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: double(value) };
}

/** JSON has no word for what is not finite; the mapping of protocol buffers has texts. */
function double(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** The body of a POST to `/v1/traces`. */
export function traceRequest({ resource, scope }: Origin, spans: readonly SpanRecord[]) {
  return {
    resourceSpans: [
      { resource: { attributes: attributesOf(resource) }, scopeSpans: [{ scope, spans: spans.map(spanOf) }] },
    ],
  };
}

function spanOf(span: SpanRecord) {
  const { error } = span;
  const attributes = error === undefined ? span.attributes : { ...span.attributes, "error.type": error.type };
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId === undefined ? {} : { parentSpanId: span.parentSpanId }),
    flags: FLAGS_SAMPLED,
    name: span.name,
    kind: span.isClient ? KIND_CLIENT : KIND_INTERNAL,
    startTimeUnixNano: String(span.startNs),
    endTimeUnixNano: String(span.endNs),
    attributes: attributesOf(attributes),
    ...(error === undefined
      ? {}
      : {
          status: {
            code: STATUS_ERROR,
            ...(error.message === undefined ? {} : { message: error.message.toWellFormed() }),
          },
        }),
  };
}

/** What the conventions for generative AI call our figures; the others keep their names. */
const SEMANTIC: Readonly<Record<string, { name: string; unit: string; divisor: number }>> = {
  "model.duration": { name: "gen_ai.client.operation.duration", unit: "s", divisor: 1000 },
  "model.tokens": { name: "gen_ai.client.token.usage", unit: "{token}", divisor: 1 },
};
const SEMANTIC_LABELS: Readonly<Record<string, string>> = {
  provider: "gen_ai.provider.name",
  model: "gen_ai.request.model",
  operation: "gen_ai.operation.name",
  type: "gen_ai.token.type",
};

/** The body of a POST to `/v1/metrics`. Times in milliseconds since 1970; counted from `startMs` on. */
export function metricsRequest(
  { resource, scope }: Origin,
  families: readonly Family[],
  startMs: number,
  nowMs: number,
) {
  const times = { startTimeUnixNano: nanoseconds(startMs), timeUnixNano: nanoseconds(nowMs) };
  const metrics = families.map((family) => metricOf(family, times)).filter((metric) => metric !== undefined);
  return {
    resourceMetrics: [
      { resource: { attributes: attributesOf(resource) }, scopeMetrics: [{ scope, metrics }] },
    ],
  };
}

const nanoseconds = (ms: number) => `${Math.round(ms)}000000`;

function metricOf(family: Family, times: { startTimeUnixNano: string; timeUnixNano: string }) {
  const series = [...family.series];
  if (series.length === 0) return undefined;
  const known = SEMANTIC[family.name];
  const own = family.isScripted ? family.name : `llmspell.${family.name}`;
  const attributes = ({ labels }: Series) =>
    attributesOf(
      known === undefined
        ? labels
        : Object.fromEntries(Object.entries(labels).map(([k, v]) => [SEMANTIC_LABELS[k] ?? k, v])),
    );
  const head = {
    name: known?.name ?? own,
    ...(family.description === "" ? {} : { description: family.description }),
    unit: known?.unit ?? (family.unit || "1"),
  };
  if (family.kind === "histogram") {
    const dataPoints = series.map((one) => ({
      attributes: attributes(one),
      ...times,
      ...distributionOf(one.value as Distribution, known?.divisor ?? 1),
    }));
    return { ...head, histogram: { aggregationTemporality: CUMULATIVE, dataPoints } };
  }
  const dataPoints = series.map((one) => ({
    attributes: attributes(one),
    ...times,
    asDouble: double(one.value as number),
  }));
  return family.kind === "counter"
    ? { ...head, sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints } }
    : { ...head, gauge: { dataPoints } };
}

function distributionOf({ count, sum, min, max, counts, bounds }: Distribution, divisor: number) {
  return {
    count: String(count),
    sum: double(sum / divisor),
    min: min / divisor,
    max: max / divisor,
    bucketCounts: counts.map(String),
    explicitBounds: bounds.map((bound) => bound / divisor),
  };
}
