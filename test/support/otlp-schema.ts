/**
 * OTLP's messages as JSON Schema, written from the .proto files of opentelemetry-proto 1.x and the rules of "JSON Protobuf
 * Encoding" in the OTLP specification: ids are hexadecimal text, 64-bit integers decimal text, enumerations numbers.
 */
import { Ajv } from "ajv";

const integer64 = { type: "string", pattern: "^(0|-?[1-9][0-9]*)$" };
const fixed64 = { type: "string", pattern: "^(0|[1-9][0-9]*)$" };
const double = { anyOf: [{ type: "number" }, { enum: ["NaN", "Infinity", "-Infinity"] }] };
const text = { type: "string" };
const count = { type: "integer", minimum: 0, maximum: 2 ** 32 - 1 };
const list = (items: object) => ({ type: "array", items });
const message = (properties: Record<string, object>, required: string[] = []) => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});
const hex = (digits: number) => ({
  type: "string",
  pattern: `^[0-9a-f]{${digits}}$`,
  not: { pattern: "^0+$" },
});

const attributes = list({ $ref: "#/$defs/keyValue" });
const $defs = {
  anyValue: {
    ...message({
      stringValue: text,
      boolValue: { type: "boolean" },
      intValue: integer64,
      doubleValue: double,
      arrayValue: message({ values: list({ $ref: "#/$defs/anyValue" }) }),
    }),
    maxProperties: 1,
  },
  keyValue: message({ key: { type: "string", minLength: 1 }, value: { $ref: "#/$defs/anyValue" } }, [
    "key",
    "value",
  ]),
};
const scope = message({ name: text, version: text, attributes, droppedAttributesCount: count });
const resource = message({ attributes, droppedAttributesCount: count });

const span = message(
  {
    traceId: hex(32),
    spanId: hex(16),
    parentSpanId: hex(16),
    traceState: text,
    flags: count,
    name: { type: "string", minLength: 1 },
    kind: { enum: [0, 1, 2, 3, 4, 5] },
    startTimeUnixNano: fixed64,
    endTimeUnixNano: fixed64,
    attributes,
    status: message({ code: { enum: [0, 1, 2] }, message: text }),
  },
  ["traceId", "spanId", "name", "startTimeUnixNano", "endTimeUnixNano"],
);

const numberPoint = message(
  { attributes, startTimeUnixNano: fixed64, timeUnixNano: fixed64, asDouble: double, asInt: integer64 },
  ["timeUnixNano"],
);
const histogramPoint = message(
  {
    attributes,
    startTimeUnixNano: fixed64,
    timeUnixNano: fixed64,
    count: fixed64,
    sum: double,
    min: double,
    max: double,
    bucketCounts: list(fixed64),
    explicitBounds: list(double),
  },
  ["timeUnixNano", "count"],
);
const temporality = { enum: [1, 2] };
const metric = message(
  {
    name: { type: "string", minLength: 1 },
    description: text,
    unit: text,
    gauge: message({ dataPoints: list(numberPoint) }),
    sum: message(
      {
        dataPoints: list(numberPoint),
        aggregationTemporality: temporality,
        isMonotonic: { type: "boolean" },
      },
      ["aggregationTemporality"],
    ),
    histogram: message({ dataPoints: list(histogramPoint), aggregationTemporality: temporality }, [
      "aggregationTemporality",
    ]),
  },
  ["name"],
);

const request = (signal: "Spans" | "Metrics", item: object) => ({
  $defs,
  ...message({
    [`resource${signal}`]: list(
      message({
        resource,
        schemaUrl: text,
        [`scope${signal}`]: list(message({ scope, schemaUrl: text, [signal.toLowerCase()]: list(item) })),
      }),
    ),
  }),
});

const ajv = new Ajv({ strict: false, allErrors: true });
const traces = ajv.compile(request("Spans", span));
const metrics = ajv.compile(request("Metrics", metric));

/** What is wrong with the body of a POST; nothing where it is right. */
export function otlpProblems(path: "/v1/traces" | "/v1/metrics", body: string): string[] {
  const check = path === "/v1/traces" ? traces : metrics;
  check(JSON.parse(body));
  return (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
