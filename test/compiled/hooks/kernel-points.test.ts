/** Points of kernels that listen, and those before or besides a script's own work. */
import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";
import { code, KernelSandbox, until } from "../../support/kernel.ts";
import { ADA, AGENT, fired } from "./support.ts";

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
