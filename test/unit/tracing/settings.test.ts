import { describe, expect, test } from "bun:test";
import { tracingSettings } from "../../../src/tracing/settings.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };
const PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

describe("tracingSettings", () => {
  test("asks for nothing where no collector is named or the SDK is disabled", () => {
    expect(tracingSettings({})).toBeUndefined();
    expect(tracingSettings({ OTEL_SERVICE_NAME: "x" })).toBeUndefined();
    expect(tracingSettings({ ...ENDPOINT, OTEL_SDK_DISABLED: "TRUE" })).toBeUndefined();
    const none = { OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none" };
    expect(tracingSettings({ ...ENDPOINT, ...none })).toBeUndefined();
  });

  test.each([
    ["http://c:4318", "http://c:4318/v1/traces"],
    ["http://c:4318/", "http://c:4318/v1/traces"],
    ["https://c/otlp/", "https://c/otlp/v1/traces"],
  ])("the path of the signal follows the endpoint %s", (endpoint, url) => {
    expect(tracingSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })!.traces!.url).toBe(url);
  });

  test("an endpoint of one signal is taken as it stands", () => {
    const settings = tracingSettings({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c/in" })!;
    expect([settings.traces!.url, settings.metrics]).toEqual(["http://c/in", undefined]);
  });

  test("headers and resource attributes are percent-decoded pairs; the service's own name wins", () => {
    const settings = tracingSettings({
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20a%3Db, x-k = v ,broken,=none,p=%zz",
      OTEL_RESOURCE_ATTRIBUTES: "service.name=other,deployment.environment=test",
      OTEL_SERVICE_NAME: "mine",
    })!;
    expect(settings.traces!.headers).toEqual({ authorization: "Bearer a=b", "x-k": "v", p: "%zz" });
    expect(settings.resource).toMatchObject({ "service.name": "mine", "deployment.environment": "test" });
  });

  test("content is recorded only where it is asked for", () => {
    expect(tracingSettings(ENDPOINT)!.holdsContent).toBe(false);
    const asked = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "true" };
    expect(tracingSettings({ ...ENDPOINT, ...asked })!.holdsContent).toBe(true);
  });

  test.each([
    [`${PARENT}-01`, "00f067aa0ba902b7"],
    [`cc${PARENT.slice(2)}-01-more`, "00f067aa0ba902b7"],
    [`ff${PARENT.slice(2)}-01`, undefined],
    [PARENT, undefined],
    [`00-${"0".repeat(32)}-00f067aa0ba902b7-01`, undefined],
    [`${PARENT.toUpperCase()}-01`, undefined],
  ])("TRACEPARENT %s", (text, spanId) => {
    expect(tracingSettings({ ...ENDPOINT, TRACEPARENT: text })!.parent?.spanId).toBe(spanId as string);
  });

  test("a parent that is not sampled keeps the trace from being recorded", () => {
    const settings = tracingSettings({ ...ENDPOINT, TRACEPARENT: `${PARENT}-00` })!;
    expect([settings.traces, settings.metrics?.url]).toEqual([undefined, "http://collector:4318/v1/metrics"]);
  });

  test("says what it cannot follow", () => {
    expect(tracingSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" })!.warnings.length).toBe(2);
    expect(tracingSettings({ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" })!.warnings).toEqual([
      "OTEL_EXPORTER_OTLP_PROTOCOL is grpc; http/json is sent, which collectors take too",
    ]);
  });
});
