/** Agents that keep their conversations without being told. */
import { describe, expect, test } from "bun:test";
import { Log, type LogRecord } from "../../../src/core/log.ts";
import { keptAgents } from "../../../src/kernel/kept-agents.ts";
import type { StateService } from "../../../src/state/service.ts";
import { configWith } from "../../support/config.ts";
import { ScriptedModel, says, testRun, world } from "../agents/support.ts";
import { stateWith } from "../state/support.ts";

const BOTH = ["runtime.state_persistence.auto_save", "runtime.state_persistence.auto_load"];

/** Agents of one process over a given state. */
function processWith(state: StateService, explicit: string[], answers: string[]) {
  const model = new ScriptedModel(answers.map((text) => says(text)));
  const lines: LogRecord[] = [];
  const agents = keptAgents(world({ m: model }).agents, {
    config: configWith(() => {}, explicit),
    log: new Log((record) => lines.push(record), "warn"),
    state: async () => state,
    activeHooks: () => undefined,
    activeEvents: () => undefined,
  });
  const turn = async (name: string, text: string) =>
    (agents.get(name) ?? (await agents.create({ name, model: "m" }))).execute({ text }, testRun());
  const told = () => JSON.stringify(model.requests.at(-1)?.prompt);
  return { agents, turn, told, lines };
}

describe("Agents", () => {
  test("of the same name go on with the conversation where both settings are set", async () => {
    const state = await stateWith();
    const first = processWith(state, BOTH, ["Hello Ada", "Again"]);
    await first.turn("ada", "I am Ada");
    await first.turn("ada", "I like birds");
    const second = processWith(state, BOTH, ["Ada"]);
    await second.turn("ada", "Who am I?");
    expect(second.told()).toContain("I am Ada");
    expect(second.told()).toContain("I like birds");
    const other = processWith(state, BOTH, ["Nobody"]);
    await other.turn("bob", "Who am I?");
    expect(other.told()).not.toContain("I am Ada");
  });

  test.each<[string, string[]]>([
    ["by default", []],
    ["where only one of both is set", [BOTH[1]!]],
  ])("keep nothing %s", async (_, explicit) => {
    const state = await stateWith();
    await processWith(state, explicit, ["Hello Ada"]).turn("ada", "I am Ada");
    const second = processWith(state, explicit, ["?"]);
    await second.turn("ada", "Who am I?");
    expect(second.told()).not.toContain("I am Ada");
    expect(await state.entries()).toEqual([]);
  });

  test("answer although the store fails, and the log tells so", async () => {
    const state = await stateWith();
    state.save = async () => {
      throw new Error("disk full");
    };
    const { turn, lines } = processWith(state, BOTH, ["Hello Ada"]);
    expect((await turn("ada", "I am Ada")).text).toBe("Hello Ada");
    expect(lines.map(({ fields }) => fields?.error)).toEqual(["disk full"]);
  });
});
