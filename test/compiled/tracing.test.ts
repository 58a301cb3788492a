/** Traces and metrics of the built executable, as they arrive at a collector. */
import { describe, expect, test } from "bun:test";
import { Sandbox } from "../support/cli.ts";
import { type Answer, attributesOf, Collector, type OtlpSpan, treeOf } from "../support/collector.ts";
import { KernelSandbox } from "../support/kernel.ts";
import { otlpProblems } from "../support/otlp-schema.ts";
import { serve } from "../support/serve.ts";
import { scripted } from "./lua-api/support.ts";

const RESPONSES = `
[[providers.ci.responses]]
match = "secret-question"
tool_calls = [{ name = "calculator", arguments = { expression = "12*7" } }, { name = "lookup", arguments = { key = "secret-key" } }]
[[providers.ci.responses]]
after_tool = "*"
text = "secret-answer"
[[providers.ci.responses]]
match = "inner"
text = "secret-inner"
[[providers.ci.responses]]
match = "fail"
error = "secret-failure"
`;

const SCRIPT = `
local helper = Agent.builder():name("helper"):model("ci/scripted"):build()
Tool.register("lookup", function(params)
  Tool.execute("calculator", {expression = "1+1"})
  return helper:execute("inner").text
end)
local agent = Agent.builder():name("reckoner"):model("ci/scripted"):system_prompt("secret-system")
  :temperature(0.5):max_tokens(100):allow_tool("calculator"):allow_tool("lookup"):build()
Metrics.span("whole", function() print(agent:execute("secret-question").text) end, {part = 7})
Tool.execute("uuid-generator", {})
pcall(function() helper:execute("fail") end)
Metrics.increment("my.runs", 2, {kind = "a"})
`;

const TREE = [
  "transport.execute_request",
  "  script_runtime.execute",
  "    whole",
  "      script_runtime.callback",
  "        invoke_agent reckoner",
  "          chat scripted",
  "          execute_tool calculator",
  "          execute_tool lookup",
  "            script_runtime.callback",
  "              execute_tool calculator",
  "              invoke_agent helper",
  "                chat scripted",
  "          chat scripted",
  "    execute_tool uuid-generator",
  "    invoke_agent helper",
  "      chat scripted",
];

async function traced(env: Record<string, string> = {}, answer?: Answer, script = SCRIPT) {
  using box = new Sandbox();
  const collector = new Collector(answer);
  box.write("ci.toml", scripted(RESPONSES));
  const done = await box.lua(script, {
    args: ["-c", "ci.toml"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, ...env },
  });
  collector[Symbol.dispose]();
  return { done, collector };
}

const byName = (spans: readonly OtlpSpan[], name: string) => spans.filter((span) => span.name === name);

test("state, hooks and sessions have their places in a trace", async () => {
  using box = new Sandbox();
  using collector = new Collector();
  box.write("c.toml", '[runtime.sessions]\nenabled = true\nstorage_backend = "sqlite"\n');
  const script = `
    Hook.register("BeforeToolExecution", function() return State.load("global", "n") and nil end)
    State.save("global", "n", 1)
    Tool.execute("calculator", {expression = "1+1"})
    Session.save(Session.create())`;
  const done = await box.lua(script, {
    args: ["-c", "c.toml"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
  });
  expect([done.stderr, done.code]).toEqual(["", 0]);
  expect(treeOf(collector.spans())).toEqual([
    "transport.execute_request",
    "  script_runtime.execute",
    "    state.save",
    "    execute_tool calculator",
    "      hook.BeforeToolExecution",
    "        script_runtime.callback",
    "          state.load",
    "    session.create",
    "    session.save",
  ]);
});

describe("a script with agents and tools", () => {
  test("arrives as one trace, each span under what called it, in time within it", async () => {
    const { done, collector } = await traced();
    expect([done.stdout, done.stderr, done.code]).toEqual(["secret-answer\n", "", 0]);
    const spans = collector.spans();
    expect(treeOf(spans)).toEqual(TREE);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    expect(byId.size).toBe(spans.length);
    for (const span of spans) {
      const [start, end] = [BigInt(span.startTimeUnixNano), BigInt(span.endTimeUnixNano)];
      expect(start <= end).toBe(true);
      const parent = byId.get(span.parentSpanId ?? "");
      if (parent === undefined) continue;
      expect(BigInt(parent.startTimeUnixNano) <= start).toBe(true);
      expect(end <= BigInt(parent.endTimeUnixNano)).toBe(true);
    }
    const now = BigInt(Date.now()) * 1_000_000n;
    const age = now - BigInt(spans[0]!.startTimeUnixNano);
    expect(age > 0n && age < 300_000_000_000n).toBe(true);
  });

  test("says models, agents and tools in the words of the conventions for generative AI", async () => {
    const { collector } = await traced();
    const spans = collector.spans();
    const chats = byName(spans, "chat scripted").filter(({ status }) => status === undefined);
    for (const chat of chats) {
      expect(chat.kind).toBe(3);
      expect(attributesOf(chat)).toMatchObject({
        "llmspell.category": "agent",
        "llmspell.operation": "chat",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "ci",
        "gen_ai.request.model": "scripted",
      });
    }
    const reasons = chats.map((chat) => attributesOf(chat)["gen_ai.response.finish_reasons"]);
    expect(reasons.sort()).toEqual([["stop"], ["stop"], ["tool_calls"]]);
    const [agent] = byName(spans, "invoke_agent reckoner").map(attributesOf);
    expect(agent).toMatchObject({
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.agent.name": "reckoner",
      "gen_ai.request.model": "scripted",
      "gen_ai.response.finish_reasons": ["stop"],
    });
    const own = chats.map(attributesOf).filter((chat) => chat["gen_ai.request.temperature"] === 0.5);
    expect(own.map((chat) => chat["gen_ai.request.max_tokens"])).toEqual([100, 100]);
    for (const kind of ["input", "output"]) {
      const name = `gen_ai.usage.${kind}_tokens`;
      const sum = own.reduce((total, chat) => total + (chat[name] as number), 0);
      expect(sum).toBeGreaterThan(0);
      expect(agent?.[name]).toBe(sum);
    }
    expect(byName(spans, "execute_tool lookup").map(attributesOf)).toEqual([
      expect.objectContaining({
        "llmspell.category": "tool",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "lookup",
        "gen_ai.tool.call.id": "call_2",
      }),
    ]);
    expect(byName(spans, "whole").map(attributesOf)).toEqual([
      { "llmspell.category": "debug", "llmspell.operation": "span", part: 7 },
    ]);
  });

  test("failures have a status and a type", async () => {
    const { collector } = await traced();
    const failed = collector.spans().filter(({ status }) => status?.code === 2);
    expect(failed.map(({ name }) => name).sort()).toEqual(["chat scripted", "invoke_agent helper"]);
    for (const span of failed) expect(attributesOf(span)["error.type"]).toBe("provider");
  });

  test("holds nothing of what was said, unless that is asked for", async () => {
    const quiet = await traced();
    expect(quiet.collector.received.map(({ text }) => text).join("")).not.toContain("secret");
    const { collector } = await traced({ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "true" });
    const spans = collector.spans();
    expect(treeOf(spans)).toEqual(TREE);
    const first = byName(spans, "chat scripted")
      .map(attributesOf)
      .find((chat) => String(chat["gen_ai.response.finish_reasons"]) === "tool_calls")!;
    expect(JSON.parse(first["gen_ai.system_instructions"] as string)).toEqual([
      { type: "text", content: "secret-system" },
    ]);
    expect(JSON.parse(first["gen_ai.input.messages"] as string)).toEqual([
      { role: "user", parts: [{ type: "text", content: "secret-question" }] },
    ]);
    expect(JSON.parse(first["gen_ai.output.messages"] as string)).toMatchObject([
      { role: "assistant", finish_reason: "tool_calls", parts: [{ name: "calculator" }, { name: "lookup" }] },
    ]);
    const [lookup] = byName(spans, "execute_tool lookup").map(attributesOf);
    expect(lookup).toMatchObject({
      "gen_ai.tool.call.arguments": '{"key":"secret-key"}',
      "gen_ai.tool.call.result": "secret-inner",
    });
    expect(spans.some(({ status }) => status?.message?.includes("secret-failure"))).toBe(true);
  });

  test("is OTLP as its protocol has it, traces and metrics", async () => {
    const { collector } = await traced({
      OTEL_SERVICE_NAME: "mine",
      OTEL_EXPORTER_OTLP_HEADERS: "x-api-key=a%20b",
      OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "true",
    });
    for (const { path, headers, text } of collector.received) {
      expect(otlpProblems(path as "/v1/traces", text)).toEqual([]);
      expect([headers.get("content-type"), headers.get("x-api-key")]).toEqual(["application/json", "a b"]);
      expect(text).toContain('{"key":"service.name","value":{"stringValue":"mine"}}');
    }
    const [metrics] = collector.bodies("/v1/metrics");
    const named = new Map<string, Record<string, never>>();
    for (const one of JSON.parse(metrics!).resourceMetrics[0].scopeMetrics[0].metrics)
      named.set(one.name, one);
    expect([...named.keys()]).toContain("gen_ai.client.operation.duration");
    expect([...named.keys()]).toContain("gen_ai.client.token.usage");
    expect(named.get("my.runs")).toMatchObject({
      sum: {
        isMonotonic: true,
        dataPoints: [{ asDouble: 2, attributes: [{ key: "kind", value: { stringValue: "a" } }] }],
      },
    });
  });

  test("joins the trace of the program that started it", async () => {
    const { collector } = await traced({
      TRACEPARENT: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    });
    const spans = collector.spans();
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(
      new Set(["4bf92f3577b34da6a3ce929d0e0e4736"]),
    );
    const roots = spans.filter(({ parentSpanId }) => parentSpanId === "00f067aa0ba902b7");
    expect(roots.map(({ name }) => name)).toEqual(["transport.execute_request"]);
  });

  test("with the model in the executable", async () => {
    const { done, collector } = await traced(
      {},
      undefined,
      `print(Agent.builder():name("mini"):model("local/spell-mini"):max_tokens(8):build():execute("Hello").text ~= nil)`,
    );
    expect([done.stdout, done.code]).toEqual(["true\n", 0]);
    const [chat] = byName(collector.spans(), "chat spell-mini").map(attributesOf);
    expect(chat).toMatchObject({ "gen_ai.provider.name": "llamacpp", "gen_ai.request.max_tokens": 8 });
    expect(chat!["gen_ai.usage.output_tokens"]).toBeLessThanOrEqual(8);
  });
});

describe("a collector that fails", () => {
  test.each<[string, Answer]>([
    ["answers 500", () => new Response("", { status: 500 })],
    ["answers 429 without end", () => new Response("", { status: 429, headers: { "retry-after": "60" } })],
    ["hangs", () => new Promise<Response>(() => {})],
    ["answers with nonsense", () => new Response("\0\0 not json", { status: 200 })],
    [
      "sends elsewhere",
      () => new Response("", { status: 302, headers: { location: "http://127.0.0.1:1/" } }),
    ],
  ])("that %s leaves output and exit code alone, and the program ends", async (_, answer) => {
    const { done } = await traced({}, answer, `print("done") os.exit(3)`);
    expect([done.stdout, done.code]).toEqual(["done\n", 3]);
  });

  test("one that is not there is named once, without what is secret", async () => {
    const { done } = await traced({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=hidden",
      OTEL_METRICS_EXPORTER: "none",
    });
    expect([done.stdout, done.code]).toEqual(["secret-answer\n", 0]);
    expect(done.stderr.match(/Cannot export traces: no connection/g)?.length).toBe(1);
    expect(done.stderr).toContain("Spans were dropped");
    expect(done.stderr).not.toContain("hidden");
  });
});

test("no collector is called unless it is named", async () => {
  const { collector } = await traced({ OTEL_SDK_DISABLED: "true" });
  expect(collector.received).toEqual([]);
});

describe("a program that goes on", () => {
  test("a kernel sends each client's request as a trace, and what is left when it ends", async () => {
    using box = new KernelSandbox();
    using collector = new Collector();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint };
    const { process: kernel } = await box.foreground(["--id", "watched"], { env });
    const script = box.write("s.lua", `Tool.execute("uuid-generator", {})`);
    for (let i = 0; i < 2; i++) expect((await box.run(["run", script, "--kernel", "watched"])).code).toBe(0);
    kernel.kill("SIGTERM");
    expect(await kernel.exited).toBe(0);
    const spans = collector.spans();
    const one = ["transport.execute_request", "  script_runtime.execute", "    execute_tool uuid-generator"];
    expect(treeOf(spans)).toEqual([...one, ...one]);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(2);
    const names = collector.bodies("/v1/metrics").join("");
    expect(names).toContain('"llmspell.kernel.requests"');
  });

  test("a server sends each request as a trace, streamed answers with their tokens", async () => {
    using box = new Sandbox();
    using collector = new Collector();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint };
    const server = await serve(box, [], { env });
    for (const stream of [false, true]) {
      const body = {
        model: "spell-mini",
        stream,
        max_tokens: 5,
        messages: [{ role: "user", content: "secret" }],
      };
      const response = await fetch(`${server.url}/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      expect(response.status).toBe(200);
      await response.text();
    }
    server.signal("SIGTERM");
    await server.ended;
    const spans = collector.spans();
    const requests = byName(spans, "transport.http_request");
    expect(
      requests.map((span) => [span.parentSpanId, attributesOf(span)["http.response.status_code"]]),
    ).toEqual([
      [undefined, 200],
      [undefined, 200],
    ]);
    const chats = byName(spans, "chat spell-mini");
    expect(chats.map(({ parentSpanId }) => parentSpanId).sort()).toEqual(
      requests.map(({ spanId }) => spanId).sort(),
    );
    for (const chat of chats) {
      expect(attributesOf(chat)["gen_ai.usage.output_tokens"]).toBeGreaterThan(0);
      expect(attributesOf(chat)["gen_ai.usage.output_tokens"]).toBeLessThanOrEqual(5);
    }
    expect(collector.received.map(({ text }) => text).join("")).not.toContain("secret");
  });
});

describe("[kernel.execution]", () => {
  async function stepsOf(execution: string): Promise<string[]> {
    using box = new Sandbox();
    box.write("ci.toml", `${scripted(RESPONSES)}\n[kernel.execution]\n${execution}`);
    const script = `Agent.builder():name("a"):model("ci/scripted"):build():execute("inner")
      io.stdout:write(tostring(Metrics.get("agent.calls")))`;
    const done = await box.lua(script, { args: ["-c", "ci.toml", "--trace", "info"] });
    expect(done.code).toBe(0);
    return [
      done.stdout,
      ...[...done.stderr.matchAll(/step ended step=(.*?) duration_ms/g)].map(([, step]) => step!),
    ];
  }

  test("enable_tracing logs every step as it ends; nothing does otherwise", async () => {
    expect(await stepsOf("enable_tracing = true")).toEqual([
      "1",
      "chat scripted",
      "invoke_agent a",
      "script_runtime.execute",
      "transport.execute_request",
    ]);
    expect(await stepsOf("")).toEqual(["1"]);
  });

  test("monitor_agents = false counts no turns", async () => {
    expect(await stepsOf("monitor_agents = false")).toEqual(["nil"]);
  });
});
