import { describe, expect, test } from "bun:test";
import { type Answer, calls, failureOf, ScriptedModel, says, testRun, testTool, world } from "./support.ts";

describe("Metrics", () => {
  test("count turns, failures and tool calls", async () => {
    const broken: Answer = () => {
      throw new Error("the model is gone");
    };
    const model = new ScriptedModel([calls(["t", {}]), says("ok"), broken]);
    const { agents } = world({ m: model }, [testTool("t", () => 1)]);
    const agent = await agents.create({ model: "m", allowedTools: ["t"] });
    await agent.execute({ text: "1" }, testRun());
    const held = agent.metrics.memoryBytes;
    await failureOf(agent.execute({ text: "2" }, testRun()));
    expect(agent.metrics.values()).toMatchObject({
      requests_total: 2,
      requests_failed: 1,
      requests_active: 0,
      tool_invocations: 1,
      total_executions: 2,
      success_rate: 0.5,
      error_rate: 0.5,
    });
    expect(held).toBeGreaterThan(0);
    expect(agent.metrics.memoryBytes).toBe(held);
    expect(agent.health().status).toBe("Degraded");
    expect(agent.lifecycle.lastError).toContain("the model is gone");
  });

  test("refuse a turn that would exceed max_memory_mb", async () => {
    const model = new ScriptedModel([says("a".repeat(600_000)), says("b".repeat(600_000))]);
    const { agents } = world({ m: model });
    const agent = await agents.create({ model: "m", maxMemoryMb: 1 });
    await agent.execute({ text: "1" }, testRun());
    const failure = await failureOf(agent.execute({ text: "2" }, testRun()));
    expect(failure).toMatchObject({ code: "limit", data: { limit: "max_memory_mb" } });
  });
});
