/** Each point fires in the built executable, and tells a script what spec/kernel.md section 17.1 promises. */
import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";
import { code, KernelSandbox, until } from "../../support/kernel.ts";

const PROVIDER = `
[providers]
default_provider = "ci"
[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
match = "fail"
error = "the model is ill"
[[providers.ci.responses]]
match = "reckon"
tool_calls = [{ name = "calculator", arguments = { operation = "evaluate", input = "6*7" } }]
[[providers.ci.responses]]
after_tool = "calculator"
text = "It is 42."
[[providers.ci.responses]]
text = "<{{prompt}}>"
`;

interface Fired {
  point: string;
  component: { type: string; name: string };
  language: string;
  correlation_id: string;
  metadata: Record<string, string>;
  data: Record<string, unknown>;
}

/** Registers a hook at each of the points, runs the script, and gives what was told, in order. */
async function fired(points: string[], script: string, config = PROVIDER): Promise<Fired[]> {
  using box = new Sandbox();
  box.write("config.toml", config);
  const names = points.map((point) => JSON.stringify(point)).join(", ");
  const { stdout, stderr, code } = await box.lua(
    `for _, point in ipairs{${names}} do
       Hook.register(point, function(ctx)
         print("FIRED " .. JSON.stringify{point = ctx.point, component = ctx.component_id, language = ctx.language,
           correlation_id = ctx.correlation_id, metadata = ctx.metadata, data = ctx.data})
       end)
     end
     ${script}`,
    { args: ["-c", "config.toml"] },
  );
  if (code !== 0 && !script.includes("error(")) throw new Error(`exit code ${code}: ${stderr}`);
  return stdout.split("\n").flatMap((line) => (line.startsWith("FIRED ") ? [JSON.parse(line.slice(6))] : []));
}

const AGENT = `local agent = Agent.create{name = "ada", model = "ci/scripted", allowed_tools = {"calculator"}}`;
const CALCULATE = `Tool.execute("calculator", {operation = "evaluate", input = "6*7"})`;
const TOOL = { type: "Tool", name: "calculator" };
const FACTS = { tool_name: "calculator", tool_category: "utility", security_level: "safe" };
const ADA = { type: "Agent", name: "ada" };

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

const WATCH = (point: string) =>
  `Hook.register("${point}", function(ctx) told = (told or "") .. ctx.point .. " " .. JSON.stringify(ctx.data) .. "\\n" end)`;

describe("hook points of a kernel that listens", () => {
  test("the next executions and messages of every client, until the VM is reset", async () => {
    using box = new KernelSandbox();
    const client = await box.connect(await box.daemon());
    const run = async (text: string) => {
      const out: string[] = [];
      const reply = await client.request(code(text), {
        onEvent: (event) => {
          if (event.type === "stream") out.push(String(event.text));
        },
      });
      return { reply, out: out.join("") };
    };
    for (const point of ["PreCodeExecution", "PreMessageHandle", "PreIOPubBroadcast", "BeforeToolExecution"])
      await run(WATCH(point));
    await client.request({
      type: "tool",
      command: "invoke",
      name: "calculator",
      params: { operation: "evaluate", input: "1+1" },
    });
    const { out } = await run("print(told)");
    expect(out).toContain('PreMessageHandle {"message_type":"tool"}');
    expect(out).toMatch(/BeforeToolExecution \{.*"tool_name":"calculator"/);
    expect(out).toMatch(/PreIOPubBroadcast \{.*"message_type":"ended"/);
    expect(out).toMatch(/PreCodeExecution \{"code":"print\(told\)"/);
    await client.request({ type: "reset" });
    expect((await run("print(told, #Hook.list())")).out).toBe("nil\t0\n");
    await client.shutdown();
  });

  test("the health monitor's figures above their limits, and settings that a reload changes", async () => {
    using box = new KernelSandbox();
    const settings = (memoryMb: number) =>
      `[health]\nmax_memory_mb = ${memoryMb}\ncheck_interval_secs = 1\nmax_avg_latency_us = 1000000000\n`;
    box.write("config.toml", settings(1_000_000));
    const started = await box.daemon(["-c", "config.toml"]);
    const client = await box.connect(started);
    const ask = async (text: string) => {
      const reply = (await client.request(code(text))) as { value?: unknown };
      return reply.value;
    };
    await ask(WATCH("MemoryUsageHigh"));
    await ask(WATCH("ConfigurationChange"));
    box.write("config.toml", settings(1));
    process.kill(started.pid, "SIGHUP");
    const told = await until(async () => {
      const text = String(await ask("return told"));
      return text.includes("MemoryUsageHigh") && text;
    });
    expect(told).toMatch(
      /ConfigurationChange \{"changed":\{"health.max_memory_mb":\{"new":1,"old":1000000\}/,
    );
    expect(told).toMatch(/MemoryUsageHigh \{"limit":1,"metric":"memory_usage_mb","value":\d+/);
    await client.shutdown();
  });

  test("processor time and clients above their limits", async () => {
    using box = new KernelSandbox();
    box.write(
      "config.toml",
      "[health]\nmax_memory_mb = 1000000\nmax_cpu_percent = 1\nmax_connections = 1\ncheck_interval_secs = 1\nmax_avg_latency_us = 1000000000\n",
    );
    const started = await box.daemon(["-c", "config.toml"]);
    const client = await box.connect(started);
    const ask = async (text: string) => ((await client.request(code(text))) as { value?: unknown }).value;
    await ask(WATCH("CpuUsageHigh"));
    await ask(WATCH("PerformanceThresholdExceeded"));
    // told when a figure rises: it has to be below its limit before
    await Bun.sleep(3000);
    const other = await box.connect(started);
    await other.request(code("return 1"));
    const told = await until(async () => {
      // two processors' worth of work is more than 1 % of any machine
      const text = String(await ask("local n = 0 for i = 1, 2e7 do n = n + i end return told"));
      return text.includes("CpuUsageHigh") && text.includes("PerformanceThresholdExceeded") && text;
    });
    expect(told).toMatch(/CpuUsageHigh \{"limit":1,"metric":"cpu_usage_percent","value":[\d.]+/);
    expect(told).toMatch(/PerformanceThresholdExceeded \{"limit":1,"metric":"active_connections","value":2/);
    await other.shutdown();
    await client.shutdown();
  }, 60_000);

  test("what comes after a message and after what all clients are told, and a debugger's request that fails", async () => {
    using box = new KernelSandbox();
    const client = await box.connect(await box.daemon());
    const ask = async (text: string) => ((await client.request(code(text))) as { value?: unknown }).value;
    for (const point of ["PostMessageHandle", "PostIOPubBroadcast", "DebugError"]) await ask(WATCH(point));
    await client.request({ type: "tool", command: "list" });
    await client.request({ type: "debug", message: { seq: 1, type: "request", command: "initialize" } });
    const told = await until(async () => {
      const text = String(await ask("return told"));
      return text.includes("PostIOPubBroadcast {") && text;
    });
    expect(told).toContain('PostMessageHandle {"attempt":1,');
    expect(told).toMatch(/PostMessageHandle \{.*"message_type":"tool".*"status":"ok"/);
    expect(told).toMatch(/PostIOPubBroadcast \{.*"message_type":"(ended|begun|started)"/);
    expect(told).toMatch(/DebugError \{"command":"initialize","error":"Cannot run \\"initialize\\"/);
    await client.shutdown();
  });
});

describe("points that come before or besides a script's own work", () => {
  test("a hook that comes after the start is told of it", async () => {
    const seen = await fired(["PreKernelStartup", "PostKernelStartup"], "");
    expect(seen.map(({ point, component, data }) => [point, component, data])).toEqual([
      [
        "PreKernelStartup",
        { type: "System", name: "kernel" },
        { version: expect.any(String), profile: expect.any(String) },
      ],
      [
        "PostKernelStartup",
        { type: "System", name: "kernel" },
        { version: expect.any(String), profile: expect.any(String) },
      ],
    ]);
  });

  test("a file that is loaded, before and after, in a kernel whose hooks stand already", async () => {
    using box = new KernelSandbox();
    await box.daemon(["--id", "loads"]);
    const connected = ["--kernel", "loads"];
    for (const point of ["PreScriptLoad", "PostScriptLoad"])
      expect((await box.run(["exec", WATCH(point), ...connected])).stderr).toBe("");
    const path = box.write("loaded.lua", "-- twelve\n");
    expect((await box.run(["run", path, ...connected])).stderr).toBe("");
    const { stdout } = await box.run(["exec", "print(told)", ...connected]);
    expect(stdout).toContain(`PreScriptLoad {"name":${JSON.stringify(path)},"path":${JSON.stringify(path)}}`);
    expect(stdout).toContain(
      `PostScriptLoad {"name":${JSON.stringify(path)},"path":${JSON.stringify(path)},"size_bytes":10}`,
    );
    expect(
      (
        await box.run([
          "exec",
          `Hook.register("PreScriptLoad", function() return "not here" end)`,
          ...connected,
        ])
      ).code,
    ).toBe(0);
    const refused = await box.run(["run", path, ...connected]);
    expect([refused.code === 0, refused.stderr]).toEqual([
      false,
      expect.stringContaining("a hook cancelled it: not here"),
    ]);
  });

  test("an agent that is asked again after a failure", async () => {
    const seen = await fired(
      ["agent_recovering"],
      `${AGENT} agent:execute("hi") agent:set_error("ill") agent:execute("hi") agent:set_error("ill") agent:recover()`,
    );
    expect(seen.map(({ point, component }) => [point, component])).toEqual([
      ["custom:agent_recovering", expect.objectContaining(ADA)],
      ["custom:agent_recovering", expect.objectContaining(ADA)],
    ]);
    expect(seen[0]!.data).toMatchObject({ agent_name: "ada", from_state: "Error", to_state: "Recovering" });
    expect(seen[1]!.data).toMatchObject({ agent_name: "ada", from_state: "Error" });
  });

  test("a durable workflow's step that goes back to its beginning, by a failure and by the end of its process", async () => {
    using box = new Sandbox();
    box.write(
      "w.lua",
      `for _, point in ipairs{"WorkflowCheckpoint", "WorkflowRollback"} do
         Hook.register(point, function(c) print(c.point, c.data.checkpoint_id) io.stdout:flush() end)
       end
       local ill = ARGS.ill
       Tool.register{name = "fragile", execute = function(p)
         if p.n == 2 and ill == "fails" then error("ill") end
         if p.n == 2 and ill == "ends" then print("in step") io.stdout:flush() while true do Tool.execute("uuid-generator", {}) end end
         return {result = p.n}
       end}
       local function step(name, n) return {name = name, type = "tool", tool = "fragile", input = {n = n}, repeatable = true} end
       print(Workflow.sequential{name = "w", steps = {step("a", 1), step("b", 2)}}:execute({}, {run_id = "r"}).output)`,
    );
    const run = (ill: string) => box.run(["run", "w.lua", "--", "--ill", ill]);
    const failed = await run("fails");
    expect(failed.stdout).toBe("WorkflowCheckpoint\tr:a\nWorkflowRollback\tr:b\n");
    const proc = box.start(["run", "w.lua", "--", "--ill", "ends"]);
    let text = "";
    for await (const chunk of proc.stdout) {
      text += new TextDecoder().decode(chunk);
      if (text.includes("in step")) proc.kill("SIGKILL");
    }
    await proc.exited;
    expect(text).toBe("in step\n");
    expect((await run("no")).stdout).toBe("WorkflowRollback\tr:b\nWorkflowCheckpoint\tr:b\n2\n");
  });
});
