import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import {
  calls,
  failureOf,
  finish,
  ScriptedModel,
  says,
  sends,
  testTool,
  textParts,
} from "../agents/support.ts";
import { CountingFunction, type Fields, script } from "./agent-script.ts";

describe("agent:invokeStream", () => {
  test("calls the function for each piece, in order, and says how many there were", async () => {
    const { call, method } = script({ m: new ScriptedModel([says("Hel", "lo")]) });
    const ada = await call("create", { model: "m" });
    const fn = new CountingFunction();
    expect(await method(ada, "invokeStream", "hi", fn)).toEqual({ success: true, chunks_received: 3 });
    expect(fn.chunks.map((chunk) => [chunk.type, chunk.text, chunk.content, chunk.chunk_index])).toEqual([
      ["text", "Hel", "Hel", 0],
      ["text", "lo", "lo", 1],
      ["control", "", "", 2],
    ]);
    expect(fn.chunks.map((chunk) => (chunk.metadata as Fields).is_final)).toEqual([false, false, true]);
    expect(fn.chunks[2]!.metadata).toMatchObject({ token_count: 12, model: "one" });
    expect(new Set(fn.chunks.map((chunk) => chunk.stream_id)).size).toBe(1);
    expect(fn.released).toBe(true);
  });

  test("takes options between the input and the function", async () => {
    const model = new ScriptedModel([says("x")]);
    const { call, method } = script({ m: model });
    const ada = await call("create", { model: "m" });
    await method(ada, "invoke_stream", "hi", { temperature: 0.1 }, new CountingFunction());
    expect(model.requests[0]).toMatchObject({ temperature: 0.1 });
  });

  test("tells of tool calls", async () => {
    const { call, method } = script({ m: new ScriptedModel([calls(["t", {}]), says("x")]) }, [
      testTool("t", () => 1),
    ]);
    const ada = await call("create", { model: "m", allowed_tools: ["t"] });
    const fn = new CountingFunction();
    await method(ada, "invokeStream", "hi", fn);
    expect(fn.chunks[0]).toMatchObject({
      type: "tool_call_complete",
      text: "",
      tool_call: { call_id: "call-0", tool_name: "t", success: true },
    });
  });

  test("ends with an Error: chunk and success = false when the turn fails", async () => {
    const broken = sends(...textParts("par"), { type: "error", error: new Error("overloaded") }, finish());
    const { call, method } = script({ m: new ScriptedModel([broken]) });
    const ada = await call("create", { model: "m" });
    const fn = new CountingFunction();
    const message = "Cannot call model scripted/one: overloaded";
    expect(await method(ada, "invokeStream", "hi", fn)).toEqual({
      success: false,
      error: message,
      chunks_received: 2,
    });
    expect(fn.chunks.map((chunk) => chunk.text)).toEqual(["par", `Error: ${message}`]);
    expect(fn.chunks[1]!.metadata).toMatchObject({ is_final: true });
  });

  test("raises what the function raises, and leaves the conversation as it was", async () => {
    const model = new ScriptedModel([says("a"), says("b")]);
    const { call, method } = script({ m: model });
    const ada = await call("create", { model: "m", system_prompt: "" });
    const fn = new CountingFunction(() => {
      throw new SpellError("script", "script.lua:3: boom");
    });
    expect((await failureOf(method(ada, "invokeStream", "hi", fn))).message).toBe("script.lua:3: boom");
    await method(ada, "execute", "again");
    expect(model.prompt(1)).toEqual(["user: again"]);
  });

  test("raises an interrupt", async () => {
    const { call, method, run } = script({ m: new ScriptedModel([says("a", "b")]) });
    const ada = await call("create", { model: "m" });
    const fn = new CountingFunction(() => run.abort());
    expect((await failureOf(method(ada, "invokeStream", "hi", fn))).code).toBe("interrupted");
  });

  test("refuses what is no function", async () => {
    const { call, method } = script({ m: new ScriptedModel([]) });
    const ada = await call("create", { model: "m" });
    expect((await failureOf(method(ada, "invokeStream", "hi", { a: 1 }))).message).toContain(
      "must be a function",
    );
  });
});
