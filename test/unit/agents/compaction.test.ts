import { describe, expect, test } from "bun:test";
import { COMPACT_PROMPT } from "../../../src/agents/compaction.ts";
import { setup, upper } from "./scripted-agent.ts";
import { type Answer, calls, failureOf, finish, type Part, says } from "./support.ts";

const cut =
  (text: string): Answer =>
  (options) =>
    [...(says(text)(options) as Iterable<Part>)].map((part) =>
      part.type === "finish" ? finish("length") : part,
    );

const texts = (messages: readonly { role: string; content: unknown }[]) =>
  messages.map(({ role, content }) => `${role}: ${(content as { text?: string }[])[0]?.text}`);

describe("Compacting a conversation", () => {
  test("puts the model's summary in the place of the older turns", async () => {
    const { agent, run, model } = await setup([says("1"), says("2"), says("3"), says("S"), says("4")]);
    for (const text of ["one", "two", "three"]) await agent.execute({ text }, run);
    expect(await agent.compact({ keepTurns: 1 }, run)).toEqual({
      summary: "S",
      compactedTurns: 2,
      messagesBefore: 6,
      messagesAfter: 4,
    });
    expect(model.prompt(3)).toEqual([
      "system: Be brief.",
      "user: one",
      "assistant: 1",
      "user: two",
      "assistant: 2",
      `user: ${COMPACT_PROMPT}`,
    ]);
    await agent.execute({ text: "four" }, run);
    expect(model.prompt(4)).toEqual([
      "system: Be brief.",
      `user: ${COMPACT_PROMPT}`,
      "assistant: S",
      "user: three",
      "assistant: 3",
      "user: four",
    ]);
  });

  test("keeps what was said, also over a second time and in saved state, and puts it back", async () => {
    const { agent, run, agents } = await setup(["1", "2", "3", "S1", "4", "S2"].map((text) => says(text)));
    const said = ["user: one", "assistant: 1", "user: two", "assistant: 2", "user: three", "assistant: 3"];
    for (const text of ["one", "two", "three"]) await agent.execute({ text }, run);
    await agent.compact({ keepTurns: 1 }, run);
    expect(texts(agent.history())).toEqual(said);
    await agent.execute({ text: "four" }, run);
    await agent.compact({ keepTurns: 1, prompt: "Sum up" }, run);
    expect(texts(agent.conversations()[""]!.turns.flat())).toEqual([
      "user: Sum up",
      "assistant: S2",
      "user: four",
      "assistant: 4",
    ]);
    expect(texts(agent.history())).toEqual([...said, "user: four", "assistant: 4"]);

    const other = await agents.create({ name: "bob", model: "scripted/one" });
    other.restore(structuredClone(agent.conversations()));
    expect(texts(other.history())).toEqual([...said, "user: four", "assistant: 4"]);

    expect(agent.expand()).toBe(true);
    expect(texts(agent.conversations()[""]!.turns.flat())).toEqual([...said, "user: four", "assistant: 4"]);
    expect(agent.expand()).toBe(false);
  });

  test("asks nothing where nothing is older than what is kept", async () => {
    const { agent, run, model } = await setup([says("1"), says("2"), says("S")]);
    await agent.execute({ text: "one" }, run);
    const unchanged = { summary: undefined, compactedTurns: 0, messagesBefore: 2, messagesAfter: 2 };
    expect(await agent.compact({}, run)).toEqual(unchanged);
    await agent.execute({ text: "two" }, run);
    await agent.compact({ keepTurns: 1 }, run);
    expect((await agent.compact({ keepTurns: 1 }, run)).compactedTurns).toBe(0);
    expect(model.requests).toHaveLength(3);
  });

  test("offers no tools and asks for no form", async () => {
    const form = { schema: { type: "string" } };
    const { agent, run, model } = await setup([says("S")], [upper()], { form });
    agent.restore({
      "": { turns: [[{ role: "user", content: [{ type: "text", text: "one" }] }]], replaced: [] },
    });
    await agent.compact({ keepTurns: 0 }, run);
    expect(model.requests.at(-1)!.tools).toBeUndefined();
    expect(model.requests.at(-1)!.responseFormat).toBeUndefined();
  });

  test.each([
    ["cut off", cut("half"), "Raise max_tokens"],
    ["empty", says(""), "Give another prompt, or use another model"],
  ])("leaves the conversation as it was where the summary is %s", async (what, answer, hint) => {
    const { agent, run } = await setup([says("1"), says("2"), answer]);
    for (const text of ["one", "two"]) await agent.execute({ text }, run);
    const before = agent.conversations();
    const error = await failureOf(agent.compact({ keepTurns: 0 }, run));
    expect(error.message).toContain(
      `Cannot compact the conversation of agent "ada": the summary ${what === "empty" ? "is" : "was"} ${what}`,
    );
    expect(error.hint).toBe(hint);
    expect(agent.conversations()).toEqual(before);
  });

  test("keeps the summary where the longest conversation cuts turns away", async () => {
    const { agent, run, model } = await setup(
      ["1", "2", "S", "3", "4", "5"].map((text) => says(text)),
      [],
      {
        maxConversationLength: 4,
      },
    );
    for (const text of ["one", "two"]) await agent.execute({ text }, run);
    await agent.compact({ keepTurns: 0 }, run);
    for (const text of ["three", "four", "five"]) await agent.execute({ text }, run);
    expect(model.prompt(5).slice(1)).toEqual([
      `user: ${COMPACT_PROMPT}`,
      "assistant: S",
      "user: four",
      "assistant: 4",
      "user: five",
    ]);
  });
});

describe("A composite that delegates", () => {
  test("lets its first member ask the others as tools", async () => {
    const { agent, run, model, agents, tools } = await setup([
      calls(["team_ask_bob", { text: "What is 2 + 2?" }]),
      says("Bob says four."),
      says("four"),
    ]);
    await agents.create({ name: "bob", type: "basic" });
    const team = await agents.createComposite("team", ["ada", "bob"], { strategy: "delegate" });
    const output = await team.execute({ text: "Ask Bob" }, run);
    expect(output.text).toBe("Bob says four.");
    expect(output.members).toEqual({ ada: "Bob says four.", bob: "What is 2 + 2?" });
    expect(model.requests[0]!.tools).toMatchObject([{ name: "team_ask_bob" }]);
    expect(agent.toolNames).toEqual([]);
    await agents.destroy("team");
    expect(tools.find("team_ask_bob")).toBeUndefined();
  });

  test("needs a model in its first member", async () => {
    const { agents } = await setup([]);
    await agents.create({ name: "echo", type: "basic" });
    const error = await failureOf(agents.createComposite("team", ["echo", "ada"], { strategy: "delegate" }));
    expect(error.message).toContain('the first member of "delegate" needs a model: echo');
  });
});
