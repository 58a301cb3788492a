import { describe, expect, test } from "bun:test";
import { failureOf, ScriptedModel, testTool } from "../agents/support.ts";
import { agentOf, script } from "./agent-script.ts";

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
      .set("context_shift", true)
      .set("memory_enabled", false)
      .set("fallback_models", ["m/two"])
      .set("max_schema_retries", 1)
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
      contextShift: true,
      memoryEnabled: false,
      fallbackModels: ["m/two"],
      maxSchemaRetries: 1,
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
