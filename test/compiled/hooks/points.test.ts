/** Each point fires in the built executable, and tells a script what spec/kernel.md section 17.1 promises. */
import { describe, expect, test } from "bun:test";
import { ADA, AGENT, fired } from "./support.ts";

const CALCULATE = `Tool.execute("calculator", {operation = "evaluate", input = "6*7"})`;
const TOOL = { type: "Tool", name: "calculator" };
const FACTS = { tool_name: "calculator", tool_category: "utility", security_level: "safe" };

interface Case {
  points: string[];
  script: string;
  config?: string;
  expected: { point: string; component?: object; data: object; metadata?: object }[];
}

const STATE = { operation: "state_set", scope: "global", key: "k" };
const KEPT = { operation: "save", agent_type: "llm" };

const CASES: Record<string, Case> = {
  "a saved value, around the store": {
    points: ["PreStateChange", "PreStatePersist", "PostStatePersist", "PostStateChange"],
    script: 'State.save("global", "k", 1)',
    expected: [
      { point: "PreStateChange", component: { type: "System", name: "state" }, data: STATE },
      { point: "PreStatePersist", data: STATE },
      { point: "PostStatePersist", data: { ...STATE, success: true } },
      { point: "PostStateChange", data: { ...STATE, success: true } },
    ],
  },
  "an agent whose conversation is kept and forgotten": {
    points: ["agent_state_save", "agent_state_delete"],
    script: `${AGENT} agent:execute("hi") agent:save_state() agent:delete_state()`,
    expected: [
      { point: "custom:agent_state_save", component: ADA, data: KEPT, metadata: KEPT },
      { point: "custom:agent_state_save", component: ADA, data: { ...KEPT, success: true } },
      { point: "custom:agent_state_delete", data: { operation: "delete" } },
      { point: "custom:agent_state_delete", data: { operation: "delete", success: true } },
    ],
  },
  "a tool call": {
    points: ["BeforeToolExecution", "ToolValidation", "AfterToolExecution", "ToolError"],
    script: CALCULATE,
    expected: [
      {
        point: "BeforeToolExecution",
        component: TOOL,
        metadata: FACTS,
        data: { ...FACTS, execution_phase: "pre_execution", params: { operation: "evaluate", input: "6*7" } },
      },
      {
        point: "ToolValidation",
        component: TOOL,
        data: { ...FACTS, params: { operation: "evaluate", input: "6*7" }, errors: {} },
      },
      {
        point: "AfterToolExecution",
        component: TOOL,
        data: {
          ...FACTS,
          execution_phase: "post_execution",
          params: { operation: "evaluate", input: "6*7" },
          result: expect.objectContaining({ result: 42 }),
          duration_ms: expect.any(Number),
          resource_memory_bytes: expect.any(Number),
          resource_cpu_time_ms: expect.any(Number),
          resource_operations_count: 0,
          resource_concurrent_ops: 1,
        },
      },
    ],
  },
  "a tool call with a parameter that is missing": {
    points: ["tool_validation", "tool_error"],
    script: `pcall(Tool.execute, "text-manipulator", {})`,
    expected: [
      { point: "ToolValidation", data: { errors: [expect.stringContaining("operation")] } },
      {
        point: "ToolError",
        data: { execution_phase: "error_handling", error: expect.stringContaining("operation") },
      },
    ],
  },
  "a tool that fails and gives that back as a value": {
    points: ["ToolError", "AfterToolExecution"],
    script: `Tool.execute("calculator", {operation = "evaluate", input = "1/"})`,
    expected: [{ point: "ToolError", data: { ...FACTS, error: expect.any(String), attempt: 1 } }],
  },
  "a tool of the script that is too slow": {
    points: ["ToolError", "tool_timeout"],
    script: `Tool.register{name = "slow", timeout_ms = 30, execute = function() while true do end end}
      pcall(Tool.execute, "slow", {})`,
    expected: [
      { point: "custom:tool_timeout", data: { tool_name: "slow", error: expect.stringContaining("30 ms") } },
      { point: "ToolError", data: { error_code: "timeout" } },
    ],
  },
  "custom points of the reference around a tool": {
    points: ["tool_security_check", "tool_resource_allocated", "tool_resource_released"],
    script: CALCULATE,
    expected: [
      { point: "custom:tool_security_check", component: TOOL, data: FACTS },
      { point: "custom:tool_resource_allocated", component: TOOL, data: FACTS },
      { point: "custom:tool_resource_released", component: TOOL, data: { ...FACTS, operations: 0 } },
    ],
  },
  "a query for tools": {
    points: ["BeforeToolDiscovery", "AfterToolDiscovery"],
    script: `Tool.discover{tag = "arithmetic"}`,
    expected: [
      {
        point: "BeforeToolDiscovery",
        component: { type: "System", name: "tools" },
        data: { filter: { tag: "arithmetic" } },
      },
      { point: "AfterToolDiscovery", data: { filter: { tag: "arithmetic" }, tools: expect.anything() } },
    ],
  },
  "a file that may not be read": {
    points: ["SecurityViolation"],
    script: `pcall(Tool.execute, "file-operations", {operation = "read", path = "/etc/hostname"})`,
    expected: [
      {
        point: "SecurityViolation",
        component: { type: "Tool", name: "file-operations" },
        data: {
          rule: expect.any(String),
          component: "file-operations",
          detail: expect.stringContaining("/etc/hostname"),
        },
      },
    ],
  },
  "a setting that scripts may not change": {
    points: ["SecurityViolation"],
    script: `pcall(Config.setSecurity, {})`,
    expected: [{ point: "SecurityViolation", data: { rule: "modify_security", component: "Config" } }],
  },
  "a tool that needs more than it may have": {
    points: ["ResourceLimitExceeded"],
    script: `pcall(Tool.execute, "calculator", {operation = "evaluate", input = ("1"):rep(11000000)})`,
    expected: [
      {
        point: "ResourceLimitExceeded",
        data: { resource: "memory", limit: 10_000_000, actual: expect.any(Number) },
      },
    ],
  },
  "a provider that the script adds": {
    points: ["ConfigurationChange"],
    script: `Config.setProvider("mine", {provider_type = "test", api_key = "s3cret"})`,
    expected: [
      {
        point: "ConfigurationChange",
        component: { type: "System", name: "configuration" },
        data: {
          source: "script",
          changed: { "providers.mine": { new: expect.objectContaining({ api_key: "<REDACTED>" }) } },
        },
      },
    ],
  },
  "the life of an agent": {
    points: [
      "BeforeAgentInit",
      "AfterAgentInit",
      "agent_paused",
      "BeforeAgentShutdown",
      "AfterAgentShutdown",
    ],
    script: `${AGENT} agent:pause() agent:resume() agent:destroy()`,
    expected: [
      {
        point: "BeforeAgentInit",
        component: ADA,
        data: {
          agent_id: expect.any(String),
          from_state: "Uninitialized",
          to_state: "Initializing",
          reason: "created",
        },
      },
      { point: "AfterAgentInit", component: ADA, data: { from_state: "Initializing", to_state: "Ready" } },
      { point: "custom:agent_paused", component: ADA, data: { from_state: "Ready", to_state: "Paused" } },
      {
        point: "BeforeAgentShutdown",
        component: ADA,
        data: { agent_id: expect.any(String), reason: "destroyed" },
      },
      { point: "AfterAgentShutdown", component: ADA, data: { agent_id: expect.any(String) } },
    ],
  },
  "an agent's turn with a tool call: two rounds": {
    points: ["BeforeAgentExecution", "AfterAgentExecution"],
    script: `${AGENT} agent:execute("please reckon")`,
    expected: [
      {
        point: "BeforeAgentExecution",
        component: ADA,
        data: {
          input: "please reckon",
          model: "scripted",
          round: 1,
          from_state: "Ready",
          to_state: "Running",
        },
      },
      {
        point: "AfterAgentExecution",
        data: { round: 1, output: "", tool_calls: [{ name: "calculator", arguments: expect.any(String) }] },
      },
      { point: "BeforeAgentExecution", data: { input: "please reckon", round: 2 } },
      {
        point: "AfterAgentExecution",
        data: {
          round: 2,
          output: "It is 42.",
          duration_ms: expect.any(Number),
          tokens: {
            prompt_tokens: expect.any(Number),
            completion_tokens: 4,
            total_tokens: expect.any(Number),
          },
        },
      },
    ],
  },
  "an agent whose model fails": {
    points: ["AgentError"],
    script: `${AGENT} pcall(agent.execute, agent, "please fail")`,
    expected: [
      {
        point: "AgentError",
        component: ADA,
        data: {
          input: "please fail",
          error: expect.stringContaining("the model is ill"),
          error_code: "provider",
        },
      },
    ],
  },
  "the start and the end of the kernel and of the script": {
    points: ["SystemStartup", "PostKernelStartup", "PostCodeExecution", "SystemShutdown"],
    script: "return 42",
    expected: [
      {
        point: "SystemStartup",
        component: { type: "System", name: "kernel" },
        data: { version: expect.any(String), profile: expect.any(String) },
      },
      { point: "PostKernelStartup", data: { version: expect.any(String) } },
      {
        point: "PostCodeExecution",
        data: { success: true, result: 42, execution_id: expect.any(String), session_id: expect.any(String) },
      },
      { point: "SystemShutdown", data: { reason: expect.any(String) } },
    ],
  },
  "a script that fails": {
    points: ["PostCodeExecution", "ExecutionError"],
    script: `error("on purpose")`,
    expected: [
      { point: "PostCodeExecution", data: { success: false, error: expect.stringContaining("on purpose") } },
      {
        point: "ExecutionError",
        data: { error: expect.stringContaining("on purpose"), error_code: "script" },
      },
    ],
  },
};

describe("hook points of a script's run", () => {
  test.each(Object.entries(CASES))("%s", async (_, { points, script, config, expected }) => {
    const contexts = await fired(points, script, config);
    expect(contexts.map(({ point }) => point)).toEqual(expected.map(({ point }) => point));
    for (const [i, { component, data, metadata }] of expected.entries()) {
      const context = contexts[i]!;
      expect(context.language).toBe("lua");
      expect(context.correlation_id).toMatch(/^[0-9a-f-]{36}$/);
      expect(context.data).toMatchObject(data);
      if (component !== undefined) expect(context.component).toMatchObject(component);
      if (metadata !== undefined) expect(context.metadata).toMatchObject(metadata);
    }
  });

  test("all contexts of one run have its correlation id", async () => {
    const contexts = await fired(
      ["BeforeToolExecution", "BeforeAgentExecution"],
      `${CALCULATE} ${AGENT} agent:execute("x")`,
    );
    expect(contexts).toHaveLength(2);
    expect(new Set(contexts.map(({ correlation_id }) => correlation_id)).size).toBe(1);
  });
});
