import { describe, expect, test } from "bun:test";
import type { AgentEvent } from "../../../src/agents/service.ts";
import { setup, upper } from "./scripted-agent.ts";
import { type Answer, calls, failureOf, finish, says, sends, textParts } from "./support.ts";

describe("A failing turn", () => {
  const failures: [string, Answer, string, string][] = [
    [
      "an error in the stream",
      sends(...textParts("par"), { type: "error", error: new Error("overloaded") }, finish()),
      "provider",
      "Cannot call model scripted/one: overloaded",
    ],
    [
      "a stream without an end",
      sends(...textParts("par")),
      "provider",
      "Cannot call model scripted/one: its answer broke off before the end",
    ],
    [
      "an HTTP error",
      () => {
        throw Object.assign(new Error("Incorrect API key"), { statusCode: 401 });
      },
      "provider",
      "Cannot call model scripted/one: Incorrect API key (HTTP 401)",
    ],
  ];
  test.each(failures)(
    "through %s is one clear error and leaves the conversation as it was",
    async (_, bad, code, message) => {
      const { agent, run, model } = await setup([says("kept"), bad, says("after")]);
      await agent.execute({ text: "first" }, run);
      const events: AgentEvent[] = [];
      const failure = await failureOf(
        agent.execute({ text: "lost" }, run, (event) => void events.push(event)),
      );
      expect(failure).toMatchObject({ code, message });
      expect(events.at(-1)).toEqual({ type: "error", error: failure });
      await agent.execute({ text: "last" }, run);
      expect(model.prompt(2)).toEqual(["system: Be brief.", "user: first", "assistant: kept", "user: last"]);
    },
  );

  test("after a tool call leaves no half of it behind", async () => {
    const { agent, run, model } = await setup(
      [calls(["upper-case", { input: "a" }]), sends(...textParts("x")), says("fine")],
      [upper()],
    );
    await failureOf(agent.execute({ text: "go" }, run));
    await agent.execute({ text: "again" }, run);
    expect(model.prompt(2)).toEqual(["system: Be brief.", "user: again"]);
  });

  test("refuses empty text without calling the model", async () => {
    const { agent, run, model } = await setup([]);
    expect((await failureOf(agent.execute({ text: " \n" }, run))).code).toBe("invalid_argument");
    expect(model.requests).toHaveLength(0);
  });

  test("passes on what its listener throws", async () => {
    const { agent, run } = await setup([says("a", "b"), says("fine")]);
    const turn = agent.execute({ text: "go" }, run, () => {
      throw new Error("the listener is gone");
    });
    await expect(turn).rejects.toThrow("the listener is gone");
    expect((await agent.execute({ text: "go" }, run)).text).toBe("fine");
  });
});
