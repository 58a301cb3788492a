import { describe, expect, test } from "bun:test";
import { setup, upper } from "./scripted-agent.ts";
import { calls, failureOf, says } from "./support.ts";

describe("Token accounting", () => {
  test("refuses a prompt that does not fit, says by how much and what to do", async () => {
    const { agent, run, model } = await setup([says("x")], [], { maxTokens: 200 });
    model.contextTokens = 1000;
    model.countTokens = async (options) => options.prompt.length * 450;
    const failure = await failureOf(agent.execute({ text: "long" }, run));
    expect(failure.code).toBe("context_overflow");
    expect(failure.message).toBe(
      "Cannot call model one: prompt of 900 tokens and an answer of 200 are 100 over the context of 1000 tokens",
    );
    expect(failure.data).toEqual({
      promptTokens: 900,
      maxOutputTokens: 200,
      contextTokens: 1000,
      overTokens: 100,
    });
    expect(failure.hint).toStartWith("Set max_tokens to 100 or less");
    expect(model.requests).toHaveLength(0);
  });

  test("counts again after each tool result", async () => {
    const { agent, run, model } = await setup([calls(["upper-case", { input: "a" }]), says("x")], [upper()]);
    model.contextTokens = 100;
    model.countTokens = async (options) => options.prompt.length * 25;
    const failure = await failureOf(agent.execute({ text: "go" }, run));
    expect(failure.data).toEqual({ promptTokens: 100, contextTokens: 100, overTokens: 1 });
    expect(model.requests).toHaveLength(1);
  });

  test("leaves an answer alone that may go on beyond the context, but not a prompt that fills it", async () => {
    const { agent, run, model } = await setup([says("x")], [], { maxTokens: 500, contextShift: true });
    Object.assign(model, { holdsToGrammar: true, contextTokens: 100, countTokens: async () => 40 });
    expect((await agent.execute({ text: "go" }, run)).text).toBe("x");
    expect(model.requests[0]!.providerOptions).toEqual({ llamacpp: { contextShift: true } });
    model.countTokens = async () => 100;
    expect((await failureOf(agent.execute({ text: "go" }, run))).code).toBe("context_overflow");
  });

  test("refuses to shift the context of a model that is not here", async () => {
    const { agent, run, model } = await setup([says("x")], [], { contextShift: true });
    expect(await failureOf(agent.execute({ text: "go" }, run))).toMatchObject({
      code: "invalid_argument",
      hint: "Leave out context_shift, or use a local model",
    });
    expect(model.requests).toHaveLength(0);
  });

  test("heeds context_window when it is the smaller one", async () => {
    const { agent, run, model } = await setup([says("x")], [], { contextWindow: 20 });
    model.contextTokens = 1000;
    model.countTokens = async () => 30;
    expect((await failureOf(agent.execute({ text: "go" }, run))).data).toMatchObject({ contextTokens: 20 });
  });
});
