/** Spans of the categories that come from events, refusals, workflows and vectors, as a collector of the test gets them. */
import { describe, expect, test } from "bun:test";
import { generateBert } from "../support/bert.ts";
import { Sandbox } from "../support/cli.ts";
import { attributesOf, Collector, type OtlpSpan, treeOf } from "../support/collector.ts";
import { scripted } from "./lua-api/support.ts";

async function traced(
  script: string,
  { config = "", env = {} as Record<string, string>, args = [] as string[] } = {},
) {
  using box = new Sandbox();
  using collector = new Collector();
  box.write("c.toml", config);
  const done = await box.lua(script, {
    args: ["-c", "c.toml", ...args],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, ...env },
  });
  return { done, spans: collector.spans(), received: collector.received };
}

const of = (spans: readonly OtlpSpan[], category: string) =>
  spans
    .map((span) => ({ ...span, told: attributesOf(span) }))
    .filter(({ told }) => told["llmspell.category"] === category);

describe("spans of events", () => {
  test("stand where a script publishes, with type and outcome, and without what the event says", async () => {
    const { done, spans, received } = await traced(`
      Event.subscribe("order.*", {buffer_size = 1, overflow = "DropNewest"})
      Metrics.span("shop", function() Event.publish("order.paid", {card = "secret-card"}) end)
      Event.publish("order.paid", {}) Event.publish("other", {}, {source = "till"})`);
    expect([done.stderr.includes("loses events"), done.code]).toEqual([true, 0]);
    expect(
      of(spans, "event").map(({ name, told }) => [
        name,
        told["llmspell.event.type"],
        told["llmspell.event.outcome"],
        told["llmspell.event.source"],
      ]),
    ).toEqual([
      ["event.publish", "order.paid", "accepted", undefined],
      ["event.publish", "order.paid", "dropped", undefined],
      ["event.publish", "other", "accepted", "till"],
    ]);
    const byId = new Map(spans.map((span) => [span.spanId, span.name]));
    expect(of(spans, "event").map(({ parentSpanId }) => byId.get(parentSpanId ?? ""))).toEqual([
      "script_runtime.callback",
      "script_runtime.execute",
      "script_runtime.execute",
    ]);
    expect(received.map(({ text }) => text).join("")).not.toContain("secret-card");
  });

  test("hold the hooks that are asked about the event", async () => {
    const { spans } = await traced(`
      Hook.register("AfterEventEmit", function() return nil end)
      Hook.register("BeforeEventEmit", function() return {type = "cancel", reason = "no"} end)
      Event.publish("a", {}) Event.flush()`);
    expect([...new Set(of(spans, "hook").map(({ name }) => name))]).toEqual(["hook.BeforeEventEmit"]);
    expect(of(spans, "event")).toEqual([]);
  });
});

describe("spans of security decisions", () => {
  test("name what refused a path, a variable, a host and a tool, and hold no path", async () => {
    const { spans, received } = await traced(
      `pcall(Tool.execute, "file-operations", {operation = "read", path = "/etc/secret-file"})
       pcall(Tool.execute, "environment-reader", {operation = "get", variable_name = "MY_PASSWORD"})
       pcall(Tool.execute, "http-request", {method = "GET", url = "http://192.0.2.1/secret-page"})
       pcall(Tool.execute, "web-search", {query = "secret-query"})
       pcall(Tool.execute, "uuid-generator", {})`,
      { config: `[tools.permissions]\n"uuid-generator" = "safe"\n"environment-reader" = "restricted"\n` },
    );
    const found = of(spans, "security");
    const byId = new Map(spans.map((span) => [span.spanId, span.name]));
    expect(
      found.map(({ parentSpanId, told, name, status }) => [
        byId.get(parentSpanId!),
        name,
        told["llmspell.security.rule"],
        told["error.type"],
        status?.code,
      ]),
    ).toContainEqual(["execute_tool file-operations", "security.refuse", "path", "permission_denied", 2]);
    expect(found.map(({ told }) => told["llmspell.security.rule"])).toContain("variable");
    expect(received.map(({ text }) => text).join("")).not.toContain("secret");
  });

  test("a level that a tool is not granted, and tools that are switched off", async () => {
    const rules = async (config: string) =>
      of(
        (await traced(`pcall(Tool.execute, "file-operations", {operation = "list", path = "."})`, { config }))
          .spans,
        "security",
      ).map(({ told }) => told["llmspell.security.rule"]);
    expect(await rules(`[tools.permissions]\n"file-operations" = "safe"`)).toEqual(["security_level"]);
    expect(await rules("[tools]\nenabled = false")).toEqual(["switched_off"]);
  });

  test("calls that an agent's policy allows, denies or has to ask about", async () => {
    const responses = ["calculator", "uuid-generator", "base64-encoder", "text-manipulator"]
      .map(
        (tool, i) =>
          `{ name = "${tool}", arguments = { ${i === 0 ? 'operation = "evaluate", input = "1+1"' : 'operation = "encode", input = "secret-input"'} } }`,
      )
      .join(", ");
    const { done, spans, received } = await traced(
      `Agent.create{name = "ada", model = "ci/scripted", allowed_tools = {"calculator", "uuid-generator", "base64-encoder", "text-manipulator"},
         approval = {calculator = "auto", ["uuid-generator"] = "deny", ["base64-encoder"] = "ask", ["text-manipulator"] = "auto"}}:execute("go")
       Agent.create{name = "bob", model = "ci/scripted", allowed_tools = {"calculator"}, approval = function(call) return true end}:execute("one")`,
      {
        config: scripted(
          `[[providers.ci.responses]]\nmatch = "go"\ntool_calls = [${responses}]\n[[providers.ci.responses]]\nmatch = "one"\ntool_calls = [{ name = "calculator", arguments = { operation = "evaluate", input = "1+1" } }]\n[[providers.ci.responses]]\nafter_tool = "*"\ntext = "done"\n`,
        ),
      },
    );
    expect(done.code).toBe(0);
    expect(
      of(spans, "security").map(({ name, told }) => [
        name,
        told["gen_ai.agent.name"],
        told["gen_ai.tool.name"],
        told["llmspell.security.rule"],
        told["llmspell.security.allowed"],
      ]),
    ).toEqual([
      ["security.approve_tool", "ada", "uuid-generator", "deny", false],
      ["security.approve_tool", "ada", "base64-encoder", "ask", false],
      ["security.approve_tool", "bob", "calculator", "function", true],
    ]);
    expect(received.map(({ text }) => text).join("")).not.toContain("secret-input");
  });
});

test("spans of a workflow hold its steps, and these what they call", async () => {
  const { done, spans } = await traced(`
    Workflow.create{name = "sums", type = "sequential", steps = {
      {name = "first", type = "tool", tool = "calculator", input = {operation = "evaluate", input = "1+1"}},
      {name = "second", type = "tool", tool = "calculator", input = {operation = "evaluate", input = "2+"}, continue_on_error = true},
    }}:execute({})`);
  expect([done.stderr, done.code]).toEqual(["", 0]);
  expect(treeOf(spans)).toEqual([
    "transport.execute_request",
    "  script_runtime.execute",
    "    execute_workflow sums",
    "      workflow_step first",
    "        execute_tool calculator",
    "      workflow_step second",
    "        execute_tool calculator",
  ]);
  const told = (title: string) => of(spans, "workflow").find(({ name }) => name === title)?.told;
  const [whole, first] = [told("execute_workflow sums"), told("workflow_step first")];
  expect(whole).toMatchObject({ "llmspell.workflow.name": "sums", "llmspell.workflow.type": "sequential" });
  expect(first).toMatchObject({ "llmspell.workflow.step": "first", "llmspell.workflow.step_type": "tool" });
});

test("spans of vectors tell model and size", async () => {
  using box = new Sandbox();
  using collector = new Collector();
  const imported = await box.run([
    "model",
    "import",
    generateBert(box.cwd, "bert-f32"),
    "--name",
    "bert-f32:test",
  ]);
  expect([imported.stderr, imported.code]).toEqual(["", 0]);
  const done = await box.lua(`print(#LocalLLM.embed("bert-f32:test", {"secret text", "b"}).embeddings)`, {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
  });
  expect([done.stdout, done.stderr, done.code]).toEqual(["2\n", "", 0]);
  const [embedding] = of(collector.spans(), "vector");
  expect([embedding?.name, embedding?.kind]).toEqual(["embeddings bert-f32:test", 3]);
  expect(embedding?.told).toMatchObject({
    "gen_ai.operation.name": "embeddings",
    "gen_ai.embeddings.dimension.count": 64,
  });
  expect(collector.received.map(({ text }) => text).join("")).not.toContain("secret text");
});

test("headers and the name of the service come from the environment, those of a signal before the common ones", async () => {
  const { received } = await traced("print(1)", {
    env: {
      OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=common,authorization=Bearer%20abc",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "x-tenant=traces",
      OTEL_RESOURCE_ATTRIBUTES: "service.name=less,deployment.environment.name=test",
      OTEL_SERVICE_NAME: "nightly report",
    },
  });
  const seen = received.map(({ path, headers }) => [
    path,
    headers.get("x-tenant"),
    headers.get("authorization"),
  ]);
  expect(seen).toContainEqual(["/v1/traces", "traces", "Bearer abc"]);
  expect(seen).toContainEqual(["/v1/metrics", "common", "Bearer abc"]);
  for (const { text } of received) {
    expect(text).toContain('{"key":"service.name","value":{"stringValue":"nightly report"}}');
    expect(text).toContain('{"key":"deployment.environment.name","value":{"stringValue":"test"}}');
  }
});
