import { describe, expect, test } from "bun:test";
import { failureOf, ScriptedModel, says, sends, testTool } from "../agents/support.ts";
import { agentOf, type Fields, fieldsOf, script } from "./agent-script.ts";

describe("Discovery", () => {
  test("lists live agents by name, and none after destroy", async () => {
    const { call, method } = script({ m: new ScriptedModel([]) });
    const zoe = await call("create", { model: "m", name: "zoe" });
    await call("create", { model: "m", name: "ada" });
    expect(await call("list")).toEqual([
      { name: "ada", type: "llm", state: "Ready", model: "one" },
      { name: "zoe", type: "llm", state: "Ready", model: "one" },
    ]);
    await method(zoe, "destroy");
    expect(await call("list_instances")).toEqual(["ada"]);
    expect(await call("count")).toBe(1);
    expect(await call("get", "zoe")).toBeNull();
    expect(agentOf(await call("get", "ada")).name).toBe("ada");
  });

  test("describes types, live agents and unknown names without raising", async () => {
    const { call } = script({ m: new ScriptedModel([]) });
    await call("create", { model: "m", name: "ada", description: "A clerk" });
    expect(await call("discover")).toEqual([
      { type: "basic" },
      { type: "llm" },
      { type: "tool-orchestrator" },
    ]);
    expect(await call("get_info", "llm")).toMatchObject({
      name: "llm",
      category: "agent",
      complexity: "standard",
      required_parameters: ["model"],
    });
    expect(await call("get_info", "ada")).toMatchObject({
      description: "A clerk",
      model: "one",
      provider: "scripted",
    });
    expect(await call("get_info", "nobody")).toMatchObject({ name: "nobody", required_parameters: [] });
  });

  test("never shows the key", async () => {
    const { call, method } = script({ m: new ScriptedModel([]) });
    const ada = await call("create", { model: "m", name: "ada", api_key: "secret", temperature: 0.5 });
    const shown = [
      await method(ada, "get_config"),
      await call("get_details", "ada"),
      await call("list_capabilities"),
    ];
    expect(JSON.stringify(shown)).not.toContain("secret");
    expect(shown[0]).toMatchObject({ temperature: 0.5, resource_limits: { max_tool_calls: 100 } });
  });

  test("finds agents by capability", async () => {
    const { call } = script({ m: new ScriptedModel([]) });
    await call("create", { model: "m", name: "ada", description: "Translates letters" });
    await call("create_composite", "team", ["ada"], "vote");
    expect(await call("discover_by_capability", "streaming")).toEqual(["ada", "team"]);
    expect(await call("discover_by_capability", "translates")).toEqual(["ada"]);
    expect(await call("discover_by_capability", "composite")).toEqual(["team"]);
  });
});

describe("Composition", () => {
  test("makes composites from a table or from arguments and shows their tree", async () => {
    const { call, method } = script({ m: new ScriptedModel([says("x")]) });
    await call("create", { model: "m", name: "ada" });
    await call("create_composite", "inner", ["ada"], { strategy: "vote", threshold: 1 });
    await call("create_composite", { name: "outer", agents: ["inner"], strategy: "sequential" });
    expect(await call("get_hierarchy", "outer")).toMatchObject({
      root: {
        name: "outer",
        type: "agent",
        children: [{ name: "inner", children: [{ name: "ada", children: [] }] }],
      },
    });
    const result = fieldsOf(await method(await call("get", "outer"), "execute", "go"));
    expect(result.text).toBe("x");
    expect((result.metadata as Fields).agent_outputs).toEqual({ inner: "x" });
  });

  test("wraps an agent as a tool under the given name and level", async () => {
    const { call, tools } = script({ m: new ScriptedModel([]) });
    await call("create", { model: "m", name: "ada" });
    const options = { tool_name: "ask-ada", category: "data", security_level: "Safe" };
    expect(await call("wrap_as_tool", "ada", options)).toBe("ask-ada");
    expect(tools.find("ask-ada")).toMatchObject({ category: "data", level: "safe" });
    expect((await failureOf(call("wrap_as_tool", "adda"))).hint).toBe('Did you mean "ada"?');
  });
});

describe("Shared memory", () => {
  test("takes a scope or stands in the global one", async () => {
    const { call } = script();
    await call("set_shared_memory", "global", "a", 1);
    await call("set_shared_memory", { type: "agent", id: "x" }, "a", 2);
    await call("set_shared_memory", "b", [3]);
    expect(await call("get_shared_memory", "a")).toBe(1);
    expect(await call("get_shared_memory", { type: "agent", id: "x" }, "a")).toBe(2);
    expect(await call("get_shared_memory", "global", "b")).toEqual([3]);
    expect(await call("get_shared_memory", { type: "user", id: "x" }, "a")).toBeNull();
    expect((await failureOf(call("get_shared_memory", { type: "planet" }, "a"))).message).toContain(
      "must be one of global",
    );
  });
});

describe("An agent's methods", () => {
  test("move it through its states and tell of them", async () => {
    const { call, method } = script({ m: new ScriptedModel([]) });
    const ada = await call("create", { model: "m", name: "ada" });
    for (const step of ["initialize", "start", "pause", "resume", "stop"]) await method(ada, step);
    await method(ada, "set_error", "no ink");
    expect(await method(ada, "get_agent_state")).toBe("Error");
    expect(await method(ada, "is_healthy")).toBe(false);
    expect(await method(ada, "get_last_error")).toBe("no ink");
    await method(ada, "recover");
    expect(await method(ada, "get_recovery_attempts")).toBe(1);
    expect(await method(ada, "get_state_metrics")).toMatchObject({
      current_state: "Ready",
      total_transitions: 9,
    });
    expect(((await method(ada, "get_state_history")) as Fields[]).map((change) => change.to)).toEqual([
      "Initializing",
      "Ready",
      "Running",
      "Paused",
      "Running",
      "Ready",
      "Error",
      "Recovering",
      "Ready",
    ]);
    expect((await failureOf(method(ada, "stop"))).code).toBe("invalid_argument");
  });

  test("tell what it measures", async () => {
    const broken = sends({ type: "error", error: new Error("overloaded") });
    const { call, method } = script({ m: new ScriptedModel([says("x"), broken]) });
    const ada = await call("create", { model: "m", name: "ada" });
    expect(await method(ada, "get_performance")).toBeNull();
    await method(ada, "execute", "1");
    await failureOf(method(ada, "execute", "2"));
    expect(await method(ada, "get_metrics")).toMatchObject({
      agent_id: agentOf(ada).id,
      requests_total: 2,
      requests_failed: 1,
      requests_active: 0,
    });
    expect(await method(ada, "get_performance")).toMatchObject({
      total_executions: 2,
      success_rate: 0.5,
      error_rate: 0.5,
    });
    expect(await method(ada, "get_health")).toMatchObject({ status: "Degraded" });
    expect(await method(ada, "get_bridge_metrics")).toMatchObject({ active_agents: 1, total_tools: 0 });
  });

  test("raise alerts", async () => {
    const { call, method } = script({ m: new ScriptedModel([says("x")]) });
    const ada = await call("create", { model: "m", name: "ada" });
    const condition = {
      type: "metric_threshold",
      metric_name: "requests_total",
      operator: ">=",
      threshold: 1,
      duration_seconds: 0,
    };
    await method(ada, "configure_alerts", { name: "busy", severity: "critical", condition });
    expect(await method(ada, "get_alerts")).toEqual([]);
    await method(ada, "execute", "1");
    expect(await method(ada, "get_alerts")).toMatchObject([
      { name: "busy", severity: "critical", message: "requests_total is 1 (>= 1)" },
    ]);
    expect(
      (await failureOf(method(ada, "configure_alerts", { name: "x", condition: { type: "moon" } }))).message,
    ).toBe(
      'Cannot configure alerts: "condition.type" must be one of metric_threshold, health_status, error_rate',
    );
  });

  test("look at tools", async () => {
    const { call, method } = script({ m: new ScriptedModel([]) }, [testTool("t", (p) => p.input)]);
    const ada = await call("create", { model: "m" });
    expect(await method(ada, "discover_tools")).toEqual(["t"]);
    expect(await method(ada, "has_tool", "t")).toBe(true);
    expect(await method(ada, "get_tool_metadata", "t")).toEqual({
      name: "t",
      description: "Test tool t",
      version: "1.0.0",
    });
    expect(await method(ada, "get_tool_metadata", "u")).toBeNull();
    expect(await method(ada, "invokeTool", "t", { input: "q" })).toMatchObject({
      success: true,
      result: "q",
    });
  });

  test("keep their conversation, forget it, and take it up again", async () => {
    const model = new ScriptedModel([says("Hello Ada"), says("Again")]);
    const { call, method } = script({ m: model });
    const ada = await call("create", { model: "m", name: "ada" });
    expect(await method(ada, "load_state")).toBe(false);
    await method(ada, "execute", "I am Ada");
    await method(ada, "save_state");
    await method(ada, "destroy");
    const again = await call("create", { model: "m", name: "ada" });
    expect(await method(again, "load_state")).toBe(true);
    await method(again, "execute", "Who am I?");
    const prompt = JSON.stringify(model.requests.at(-1)?.prompt);
    expect(prompt).toContain("I am Ada");
    expect(prompt).toContain("Hello Ada");
    await method(again, "delete_state");
    expect(await method(again, "load_state")).toBe(false);
  });
});
