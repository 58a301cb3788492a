import { describe, expect, test } from "bun:test";
import { failureOf, ScriptedModel, testRun, testTool, world } from "./support.ts";

describe("The registry", () => {
  test("frees a name when its agent is destroyed, and not before", async () => {
    const { agents } = world({ m: new ScriptedModel([]) });
    await agents.create({ name: "ada", model: "m" });
    const failure = await failureOf(agents.create({ name: "ada", model: "m" }));
    expect(failure.code).toBe("already_exists");
    expect(failure.message).toContain("Agent instance 'ada' already exists");
    expect(await agents.destroy("ada")).toBe(true);
    expect(await agents.destroy("ada")).toBe(false);
    await agents.create({ name: "ada", model: "m" });
    expect(agents.list().map((agent) => agent.name)).toEqual(["ada"]);
  });

  test("keeps a name for the first of two who ask at once, and frees it when the making fails", async () => {
    const { agents } = world({ m: new ScriptedModel([]) });
    const made = await Promise.allSettled([
      agents.create({ name: "ada", model: "m" }),
      agents.create({ name: "ada", model: "m" }),
      agents.create({ name: "bob", model: "missing" }),
    ]);
    expect(made.map((outcome) => outcome.status)).toEqual(["fulfilled", "rejected", "rejected"]);
    await agents.create({ name: "bob", model: "m" });
  });

  test("names agents that have no name, by eight hex digits", async () => {
    const { agents } = world({ m: new ScriptedModel([]) });
    expect((await agents.create({ model: "m" })).name).toMatch(/^agent_[0-9a-f]{8}$/);
  });

  test.each([
    [{}, "invalid_argument", "Model is required"],
    [{ model: "m", allowedTools: ["calcultor"] }, "not_found", "no such tool: calcultor"],
    [{ model: "m", temperature: 3 }, "invalid_argument", '"temperature" must be between 0 and 2: 3'],
    [{ model: "m", maxTokens: 0 }, "invalid_argument", '"max_tokens" must be at least 1: 0'],
    [{ model: "m", name: " " }, "invalid_argument", "name must not be empty"],
  ] as const)("refuses to build from settings %#", async (config, code, message) => {
    const { agents } = world({ m: new ScriptedModel([]) }, [testTool("calculator", () => 0)]);
    const failure = await failureOf(agents.create({ ...config } as never));
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(message);
    if (code === "not_found") expect(failure.hint).toBe('Did you mean "calculator"?');
  });

  test("hands provider, key and base URL on with the model's name", async () => {
    const { agents, resolved } = world({ "x/y": new ScriptedModel([]) });
    await agents.create({
      model: "x/y",
      provider: "openai",
      baseUrl: "http://localhost:1",
      apiKey: "k",
      maxRetries: 0,
      fallbackModels: ["m"],
    });
    expect(resolved).toEqual([
      {
        specifier: "x/y",
        overrides: {
          provider: "openai",
          baseUrl: "http://localhost:1",
          apiKey: "k",
          maxRetries: 0,
          fallback: ["m"],
        },
      },
    ]);
  });

  test("makes echo agents without a model, and orchestrators with every tool", async () => {
    const { agents } = world({ m: new ScriptedModel([]) }, [testTool("a", () => 0), testTool("b", () => 0)]);
    const echo = await agents.create({ name: "echo", type: "basic" });
    expect((await echo.execute({ text: "hello" }, testRun())).text).toBe("hello");
    expect((await agents.create({ model: "m", type: "tool-orchestrator" })).toolNames).toEqual(["a", "b"]);
  });
});
