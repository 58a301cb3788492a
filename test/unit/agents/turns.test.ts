import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import {
  type Answer,
  calls,
  failureOf,
  gate,
  type Part,
  ScriptedModel,
  says,
  testRun,
  testTool,
  textParts,
  world,
} from "./support.ts";

describe("Turns of one agent", () => {
  test("run one after another, in the order in which they were asked for", async () => {
    const hold = gate();
    const slow: Answer = async function* () {
      await hold.promise;
      yield* says("first")({} as never) as Iterable<Part>;
    };
    const model = new ScriptedModel([slow, says("second"), says("third")]);
    const { agents } = world({ m: model });
    const agent = await agents.create({ model: "m", systemPrompt: "" });
    const run = testRun();
    const turns = ["1", "2", "3"].map((text) => agent.execute({ text }, run));
    hold.resolve();
    expect((await Promise.all(turns)).map((output) => output.text)).toEqual(["first", "second", "third"]);
    expect(model.prompt(2)).toEqual([
      "user: 1",
      "assistant: first",
      "user: 2",
      "assistant: second",
      "user: 3",
    ]);
  });

  test("of different agents overlap", async () => {
    const both = gate();
    let inside = 0;
    const meet: Answer = async function* () {
      if (++inside === 2) both.resolve();
      await both.promise;
      yield* says("met")({} as never) as Iterable<Part>;
    };
    const { agents } = world({ a: new ScriptedModel([meet]), b: new ScriptedModel([meet]) });
    const a = await agents.create({ model: "a" });
    const b = await agents.create({ model: "b" });
    const run = testRun();
    const outputs = await Promise.all([a.execute({ text: "x" }, run), b.execute({ text: "x" }, run)]);
    expect(outputs.map((output) => output.text)).toEqual(["met", "met"]);
  });
});

describe("A cancelled turn", () => {
  test("ends in the middle of a stream that does not heed the signal, and stops reading it", async () => {
    const started = gate();
    let cancelled = false;
    const model = new ScriptedModel([]);
    model.doStream = async () => ({
      stream: new ReadableStream<Part>({
        start(controller) {
          for (const part of textParts("some")) controller.enqueue(part);
        },
        cancel() {
          cancelled = true;
        },
      }),
    });
    const { agents } = world({ m: model });
    const agent = await agents.create({ model: "m" });
    const run = testRun();
    const turn = agent.execute({ text: "go" }, run, () => started.resolve());
    await started.promise;
    run.abort(new SpellError("interrupted", "Interrupted by the user"));
    expect(await failureOf(turn)).toMatchObject({ code: "interrupted", message: "Interrupted by the user" });
    expect(cancelled).toBe(true);
    expect(agent.lifecycle.state).toBe("Ready");
  });

  test("ends in the middle of a tool, whose signal is aborted too", async () => {
    const started = gate();
    let toolSignal: AbortSignal | undefined;
    const wait = testTool("wait", (_, signal) => {
      toolSignal = signal;
      started.resolve();
      return new Promise(() => {});
    });
    const { agents } = world({ m: new ScriptedModel([calls(["wait", {}])]) }, [wait]);
    const agent = await agents.create({ model: "m", allowedTools: ["wait"] });
    const run = testRun();
    const turn = agent.execute({ text: "go" }, run);
    await started.promise;
    run.abort();
    expect((await failureOf(turn)).code).toBe("interrupted");
    expect(toolSignal!.aborted).toBe(true);
  });

  test("tells its listener nothing more when a tool comes back later, and calls no model again", async () => {
    const started = gate();
    const held = gate();
    const slow = testTool("slow", async () => {
      started.resolve();
      await held.promise;
    });
    const model = new ScriptedModel([calls(["slow", {}]), says("too late")]);
    const { agents } = world({ m: model }, [slow]);
    const agent = await agents.create({ model: "m", allowedTools: ["slow"] });
    const run = testRun();
    const heard: string[] = [];
    const turn = agent.execute({ text: "go" }, run, (event) => void heard.push(event.type));
    await started.promise;
    run.abort();
    await failureOf(turn);
    held.resolve();
    await Bun.sleep(0);
    expect(heard).toEqual(["tool-start", "error"]);
    expect(model.requests).toHaveLength(1);
  });

  test("does not wait for its agent any longer", async () => {
    const { agents } = world({ m: new ScriptedModel([() => neverEnding(), says("free")]) });
    const agent = await agents.create({ model: "m" });
    const holder = testRun();
    const waiter = testRun();
    const first = agent.execute({ text: "1" }, holder);
    const second = agent.execute({ text: "2" }, waiter);
    waiter.abort();
    expect((await failureOf(second)).code).toBe("interrupted");
    holder.abort();
    await failureOf(first);
    expect((await agent.execute({ text: "3" }, testRun())).text).toBe("free");
  });

  test("by its time limit says which limit it was", async () => {
    const { agents } = world({ m: new ScriptedModel([() => neverEnding()]) });
    const agent = await agents.create({ name: "ada", model: "m", maxExecutionTimeSeconds: 0.01 });
    const failure = await failureOf(agent.execute({ text: "go" }, testRun()));
    expect(failure.code).toBe("timeout");
    expect(failure.message).toBe('Cannot finish the turn of agent "ada": max_execution_time is 0.01 s');
  });

  test("by a listener that never returns still ends", async () => {
    const { agents } = world({ m: new ScriptedModel([says("a")]) });
    const agent = await agents.create({ model: "m", maxExecutionTimeSeconds: 0.01 });
    const failure = await failureOf(
      agent.execute({ text: "go" }, testRun(), () => new Promise<void>(() => {})),
    );
    expect(failure.code).toBe("timeout");
  });

  test("by terminate ends, and the agent takes no more", async () => {
    const started = gate();
    const opens: Answer = async function* () {
      started.resolve();
      yield* neverEnding();
    };
    const { agents } = world({ m: new ScriptedModel([opens]) });
    const agent = await agents.create({ name: "ada", model: "m" });
    const turn = agent.execute({ text: "go" }, testRun());
    await started.promise;
    agent.terminate();
    expect((await failureOf(turn)).code).toBe("interrupted");
    expect(agent.lifecycle.state).toBe("Terminated");
    expect(await failureOf(agent.execute({ text: "go" }, testRun()))).toMatchObject({
      code: "invalid_argument",
      message: 'Cannot run agent "ada": it is Terminated',
    });
  });
});

async function* neverEnding(): AsyncGenerator<Part> {
  await new Promise(() => {});
}
