import { describe, expect, test } from "bun:test";
import type { Agent } from "../../../src/agents/service.ts";
import { SpellError } from "../../../src/core/errors.ts";
import { silentLog } from "../../../src/core/log.ts";
import type { Handle, ScriptFunction, ScriptTable, ScriptValue } from "../../../src/core/values.ts";
import { AgentGlobal } from "../../../src/globals/agent.ts";
import type { ClassDecl, LocalContext } from "../../../src/globals/declare.ts";
import { Dispatcher } from "../../../src/globals/dispatch.ts";
import type { Services } from "../../../src/kernel/services.ts";
import type { SpellModel } from "../../../src/models/service.ts";
import type { ToolDefinition } from "../../../src/tools/service.ts";
import {
  calls,
  failureOf,
  finish,
  ScriptedModel,
  says,
  sends,
  testRun,
  testTool,
  textParts,
  world,
} from "../agents/support.ts";

type Fields = Record<string, ScriptValue>;

/** The Agent global as a script reaches it, on scripted models. */
function script(models: Record<string, SpellModel> = {}, definitions: ToolDefinition[] = []) {
  const { agents, tools } = world(models, definitions);
  const services = {
    log: silentLog,
    agents: async () => agents,
    tools: async () => tools,
  } as unknown as Services;
  const dispatcher = new Dispatcher([AgentGlobal], services);
  const run = testRun();
  const call = async (fn: string, ...args: ScriptValue[]): Promise<ScriptValue> =>
    (await dispatcher.call({ global: "Agent", fn }, args, run)) as ScriptValue;
  const method = async (target: ScriptValue, fn: string, ...args: ScriptValue[]): Promise<ScriptValue> => {
    const { className, object } = target as Handle;
    return (await dispatcher.call({ global: className, fn, object }, args, run)) as ScriptValue;
  };
  return { agents, tools, run, call, method, builder: () => new ScriptBuilder(call) };
}

/** A builder as the script thread drives it: local methods on one state. */
class ScriptBuilder {
  private readonly methods = (AgentGlobal.classes as ClassDecl[]).find(
    (c) => c.name === "AgentBuilder",
  )!.methods;
  private state: object = {};

  constructor(private readonly wait: (fn: string, ...args: ScriptValue[]) => Promise<ScriptValue>) {}

  set(name: string, ...args: ScriptValue[]): this {
    const decl = Object.entries(this.methods).find(
      ([key, m]) => key === name || m.aliases?.includes(name),
    )?.[1];
    if (decl?.crossing !== "local") throw new Error(`no setter ${name}`);
    const ctx = {
      self: this.state,
      create: (_className: string, state: object) => state,
      wait: (_global: string, fn: string, ...given: ScriptValue[]) => this.wait(fn, ...given),
    };
    const result = (
      decl.handler as unknown as (ctx: Partial<LocalContext<object>>, ...args: ScriptValue[]) => unknown
    )(ctx as unknown as Partial<LocalContext<object>>, ...args);
    if (name !== "build") expect(result).toBe(this.state);
    else this.built = result as Promise<ScriptValue>;
    return this;
  }

  built: Promise<ScriptValue> | undefined;
}

const fieldsOf = (value: ScriptValue): Fields => (value as ScriptTable).parts.fields!;
const agentOf = (value: ScriptValue): Agent => (value as Handle<Agent>).object;

class CountingFunction implements ScriptFunction {
  readonly kind = "function";
  readonly chunks: Fields[] = [];
  released = false;
  constructor(private readonly body: (chunk: Fields) => Promise<void> | void = () => {}) {}
  async call(chunk: ScriptValue) {
    this.chunks.push(chunk as Fields);
    await this.body(chunk as Fields);
    return null;
  }
  release() {
    this.released = true;
  }
}

describe("Agent.builder", () => {
  test("gathers every setting, in any order, and the last call of a setter wins", async () => {
    const { builder } = script({ "m/one": new ScriptedModel([]) }, [
      testTool("a", () => 0),
      testTool("b", () => 0),
    ]);
    const b = builder()
      .set("max_tool_calls", 1)
      .set("name", "ada")
      .set("description", "A clerk")
      .set("type", "llm")
      .set("provider", "m")
      .set("model", "wrong")
      .set("model", "m/one")
      .set("system_prompt", "first")
      .set("prompt", "Be brief.")
      .set("temperature", 0.2)
      .set("max_tokens", 200)
      .set("max_conversation_length", 6)
      .set("base_url", "http://localhost:1")
      .set("api_key", "secret")
      .set("allowed_tools", ["b"])
      .set("tool", "a")
      .set("resource_limits", { max_execution_time_secs: 9, max_memory_mb: 8, max_tool_calls: 7 })
      .set("max_recursion_depth", 6)
      .set("context_window", 500)
      .set("memory_enabled", false)
      .set("capability", "filing")
      .set("build");
    expect(agentOf((await b.built)!).config).toEqual({
      name: "ada",
      description: "A clerk",
      type: "llm",
      provider: "m",
      model: "m/one",
      systemPrompt: "Be brief.",
      temperature: 0.2,
      maxTokens: 200,
      maxConversationLength: 6,
      baseUrl: "http://localhost:1",
      apiKey: "secret",
      allowedTools: ["b", "a"],
      maxExecutionTimeSeconds: 9,
      maxMemoryMb: 8,
      maxToolCalls: 7,
      maxRecursionDepth: 6,
      contextWindow: 500,
      memoryEnabled: false,
      capabilities: ["filing"],
    });
  });

  test("takes custom_config below its own setters, and has the specified defaults", async () => {
    const { builder } = script({ m: new ScriptedModel([]) });
    const b = builder()
      .set("model", "m")
      .set("custom_config", { system_prompt: "custom", max_conversation_length: 3, other: true })
      .set("build");
    expect(agentOf((await b.built)!).config).toMatchObject({
      description: "LLM-powered agent",
      systemPrompt: "custom",
      maxConversationLength: 3,
      maxExecutionTimeSeconds: 300,
      maxMemoryMb: 512,
      maxToolCalls: 100,
      maxRecursionDepth: 10,
    });
  });

  test("raises without a model", async () => {
    const { builder } = script();
    const failure = await failureOf(builder().set("name", "x").set("build").built!);
    expect(failure.message).toContain("Model is required");
  });
});

describe("Making agents from tables", () => {
  test("Agent.create ignores optional fields of the wrong type", async () => {
    const { call } = script({ m: new ScriptedModel([]) });
    const made = agentOf(
      await call("create", { model: "m", name: "ada", temperature: {}, max_tokens: "many", tools: "no" }),
    );
    expect(made.config).not.toHaveProperty("temperature");
    expect(made.config).not.toHaveProperty("maxTokens");
    expect(made.toolNames).toEqual([]);
  });

  test("Agent.register returns the name and takes a model table or a name before the table", async () => {
    const { call, agents } = script({ "gpt-4": new ScriptedModel([]) });
    const model = { provider: "openai", model_id: "gpt-4", temperature: 0.1, settings: { max_tokens: 9 } };
    expect(await call("register", { name: "one", agent_type: "llm", model })).toBe("one");
    expect(agents.get("one")!.config).toMatchObject({
      provider: "openai",
      model: "gpt-4",
      temperature: 0.1,
      maxTokens: 9,
    });
    expect(await call("register", "two", { type: "basic" })).toBe("two");
    expect(agents.get("two")!.kind).toBe("basic");
  });

  test("Agent.create_from_template starts from the template and lets parameters win", async () => {
    const { call } = script({ "openai/gpt-4": new ScriptedModel([]), m: new ScriptedModel([]) }, [
      testTool("a", () => 0),
    ]);
    expect(agentOf(await call("create_from_template", "plain", "llm")).config).toMatchObject({
      model: "openai/gpt-4",
      temperature: 0.7,
      maxTokens: 2000,
    });
    const own = agentOf(await call("create_from_template", "own", "tool-orchestrator", { model: "m" }));
    expect([own.name, own.config.model, own.config.temperature, own.toolNames]).toEqual([
      "own",
      "m",
      0.3,
      ["a"],
    ]);
    expect(agentOf(await call("create_from_template", "basic", { name: "echo" })).name).toBe("echo");
    const failure = await failureOf(call("create_from_template", "x", "lm"));
    expect(failure).toMatchObject({ code: "not_found", hint: 'Did you mean "llm"?' });
  });
});

describe("agent:execute", () => {
  test("takes a string, and text under any of its names", async () => {
    const model = new ScriptedModel([says("1"), says("2"), says("3"), says("4")]);
    const { call, method } = script({ m: model });
    const ada = await call("create", { model: "m", system_prompt: "", memory_enabled: false });
    for (const input of ["a", { text: "b" }, { prompt: "c" }, { input: "d" }])
      await method(ada, "execute", input);
    expect([0, 1, 2, 3].map((i) => model.prompt(i))).toEqual([
      ["user: a"],
      ["user: b"],
      ["user: c"],
      ["user: d"],
    ]);
  });

  test.each([
    ["no text", { parameters: {} }],
    ["empty text", ""],
    ["nothing", null],
  ] as [string, ScriptValue][])("raises for %s", async (_, input) => {
    const { call, method } = script({ m: new ScriptedModel([]) });
    const ada = await call("create", { model: "m" });
    expect((await failureOf(method(ada, "execute", input))).code).toBe("invalid_argument");
  });

  test("hands parameters to the model, images as files, and settings to the call", async () => {
    const model = new ScriptedModel([says("x")]);
    const { call, method } = script({ m: model });
    const ada = await call("create", { model: "m", system_prompt: "" });
    await method(ada, "execute", {
      text: "Look",
      parameters: { b: 2n ** 60n, a: "x", temperature: 0.5 },
      max_tokens: 7,
      image: { base64: "aGk=", format: "JPG" },
    });
    expect(model.requests[0]).toMatchObject({ temperature: 0.5, maxOutputTokens: 7 });
    expect(model.requests[0]!.prompt[0]!.content).toEqual([
      { type: "text", text: 'Look\n\nParameters: {"a":"x","b":1152921504606846976}' },
      { type: "file", mediaType: "image/jpeg", data: { type: "data", data: "aGk=" } },
    ]);
  });

  test("returns the common output table with usage, tool calls and metadata", async () => {
    const { call, method } = script({ m: new ScriptedModel([calls(["t", { input: "q" }]), says("Done.")]) }, [
      testTool("t", () => 1),
    ]);
    const ada = await call("create", { model: "m", allowed_tools: ["t"] });
    const result = (await method(ada, "execute", "go")) as ScriptTable;
    expect(result.parts.text).toBe("Done.");
    expect(fieldsOf(result)).toMatchObject({
      success: true,
      text: "Done.",
      response: "Done.",
      content: "Done.",
      output: "Done.",
      usage: { prompt_tokens: 20, completion_tokens: 4, total_tokens: 24 },
      tool_calls: [
        {
          tool_id: "call-0",
          tool_name: "t",
          parameters: { input: "q" },
          result: { success: true, data: '{"operation":"run","success":true,"result":1}' },
        },
      ],
      metadata: { model: "one", provider: "scripted", token_count: 24, finish_reason: "stop" },
    });
    expect((fieldsOf(result).result as ScriptTable).parts).toEqual({
      text: "Done.",
      fields: { text: "Done.", content: "Done." },
    });
    expect(fieldsOf(result)._metadata).toEqual(fieldsOf(result).metadata!);
  });

  test("spreads an answer that is a result object and offers other JSON as data", async () => {
    const answers = ['{"success":false,"result":{"n":1},"metadata":1}', "[1,2]", "42", "plain"];
    const { call, method } = script({ m: new ScriptedModel(answers.map((answer) => says(answer))) });
    const ada = await call("create", { model: "m" });
    const tables: Fields[] = [];
    for (const _ of answers) tables.push(fieldsOf(await method(ada, "execute", "go")));
    expect(tables[0]).toMatchObject({
      success: false,
      result: { n: 1 },
      _raw_text: answers[0],
      text: answers[0],
    });
    expect(tables[0]!.metadata).toMatchObject({ model: "one" });
    expect(tables.slice(1).map((t) => t.data)).toEqual([[1, 2], 42, undefined]);
    expect(tables.map((t) => t.text)).toEqual(answers);
  });

  test("complete yields the text alone", async () => {
    const { call, method } = script({ m: new ScriptedModel([says("hi")]) });
    expect(await method(await call("create", { model: "m" }), "complete", "hello")).toBe("hi");
  });

  test("execute_with_context gives the context's data to the agent", async () => {
    const model = new ScriptedModel([says("x")]);
    const { call, method } = script({ m: model });
    const ada = await call("create", { model: "m", system_prompt: "" });
    const id = await call("create_context", { user_id: "u1", data: { city: "Oslo" } });
    await method(ada, "execute_with_context", "where?", id);
    expect(model.prompt(0)).toEqual(['system: Context: {"city":"Oslo"}', "user: where?"]);
    expect(await call("get_context_data", id, "user_id")).toBe("u1");
    await call("remove_context", id);
    expect((await failureOf(method(ada, "execute_with_context", "x", id))).code).toBe("not_found");
  });
});

describe("agent:invokeStream", () => {
  test("calls the function for each piece, in order, and says how many there were", async () => {
    const { call, method } = script({ m: new ScriptedModel([says("Hel", "lo")]) });
    const ada = await call("create", { model: "m" });
    const fn = new CountingFunction();
    expect(await method(ada, "invokeStream", "hi", fn)).toEqual({ success: true, chunks_received: 3 });
    expect(fn.chunks.map((chunk) => [chunk.type, chunk.text, chunk.content, chunk.chunk_index])).toEqual([
      ["text", "Hel", "Hel", 0],
      ["text", "lo", "lo", 1],
      ["control", "", "", 2],
    ]);
    expect(fn.chunks.map((chunk) => (chunk.metadata as Fields).is_final)).toEqual([false, false, true]);
    expect(fn.chunks[2]!.metadata).toMatchObject({ token_count: 12, model: "one" });
    expect(new Set(fn.chunks.map((chunk) => chunk.stream_id)).size).toBe(1);
    expect(fn.released).toBe(true);
  });

  test("takes options between the input and the function", async () => {
    const model = new ScriptedModel([says("x")]);
    const { call, method } = script({ m: model });
    const ada = await call("create", { model: "m" });
    await method(ada, "invoke_stream", "hi", { temperature: 0.1 }, new CountingFunction());
    expect(model.requests[0]).toMatchObject({ temperature: 0.1 });
  });

  test("tells of tool calls", async () => {
    const { call, method } = script({ m: new ScriptedModel([calls(["t", {}]), says("x")]) }, [
      testTool("t", () => 1),
    ]);
    const ada = await call("create", { model: "m", allowed_tools: ["t"] });
    const fn = new CountingFunction();
    await method(ada, "invokeStream", "hi", fn);
    expect(fn.chunks[0]).toMatchObject({
      type: "tool_call_complete",
      text: "",
      tool_call: { call_id: "call-0", tool_name: "t", success: true },
    });
  });

  test("ends with an Error: chunk and success = false when the turn fails", async () => {
    const broken = sends(
      ...textParts("par"),
      { type: "error", error: new Error("overloaded") },
      finish("error"),
    );
    const { call, method } = script({ m: new ScriptedModel([broken]) });
    const ada = await call("create", { model: "m" });
    const fn = new CountingFunction();
    const message = "Cannot call model scripted/one: overloaded";
    expect(await method(ada, "invokeStream", "hi", fn)).toEqual({
      success: false,
      error: message,
      chunks_received: 2,
    });
    expect(fn.chunks.map((chunk) => chunk.text)).toEqual(["par", `Error: ${message}`]);
    expect(fn.chunks[1]!.metadata).toMatchObject({ is_final: true });
  });

  test("raises what the function raises, and leaves the conversation as it was", async () => {
    const model = new ScriptedModel([says("a"), says("b")]);
    const { call, method } = script({ m: model });
    const ada = await call("create", { model: "m", system_prompt: "" });
    const fn = new CountingFunction(() => {
      throw new SpellError("script", "script.lua:3: boom");
    });
    expect((await failureOf(method(ada, "invokeStream", "hi", fn))).message).toBe("script.lua:3: boom");
    await method(ada, "execute", "again");
    expect(model.prompt(1)).toEqual(["user: again"]);
  });

  test("raises an interrupt", async () => {
    const { call, method, run } = script({ m: new ScriptedModel([says("a", "b")]) });
    const ada = await call("create", { model: "m" });
    const fn = new CountingFunction(() => run.abort());
    expect((await failureOf(method(ada, "invokeStream", "hi", fn))).code).toBe("interrupted");
  });

  test("refuses what is no function", async () => {
    const { call, method } = script({ m: new ScriptedModel([]) });
    const ada = await call("create", { model: "m" });
    expect((await failureOf(method(ada, "invokeStream", "hi", { a: 1 }))).message).toContain(
      "must be a function",
    );
  });
});

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
    const { call, method } = script({ m: new ScriptedModel([says("x"), () => [finish("error")]]) });
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

  test("raise for saved state while there is no persistence", async () => {
    const { call, method } = script({ m: new ScriptedModel([]) });
    const ada = await call("create", { model: "m", name: "ada" });
    for (const fn of ["save_state", "load_state", "delete_state"]) {
      expect((await failureOf(method(ada, fn))).message).toContain("there is no state persistence");
    }
  });
});
