import { describe, expect, test } from "bun:test";
import { customReply, customRequest } from "../../../src/kernel/protocol/custom.ts";

describe("custom messages: content to request", () => {
  test.each([
    ["tool_request", { command: "list" }, { type: "tool", command: "list" }],
    ["tool_request", { command: "list", category: null }, { type: "tool", command: "list" }],
    [
      "tool_request",
      { command: "info", name: "calculator", show_schema: true },
      { type: "tool", command: "info", name: "calculator", showSchema: true },
    ],
    [
      "tool_request",
      { command: "invoke", name: "calculator", params: { input: "1+1" }, streaming: false },
      { type: "tool", command: "invoke", name: "calculator", params: { input: "1+1" }, timeoutSeconds: 30 },
    ],
    [
      "tool_request",
      { command: "search", query: ["hash", "file"] },
      { type: "tool", command: "search", query: "hash file" },
    ],
    [
      "tool_request",
      { command: "test", name: "x", verbose: true },
      { type: "tool", command: "test", name: "x", verbose: true },
    ],
    ["model_request", { command: "list" }, { type: "model", command: "list", backend: "all" }],
    [
      "model_request",
      { command: "pull", model: "a:b", force: true, quantization: "Q8_0" },
      { type: "model", command: "pull", model: "a:b", force: true, quantization: "Q8_0" },
    ],
    [
      "state_request",
      { command: "set", scope: "user:a", key: "k", value: null },
      { type: "state", command: "set", scope: "user:a", key: "k", value: null },
    ],
    ["state_request", { command: "list", scope: null }, { type: "state", command: "list" }],
    [
      "state_request",
      { command: "import", value: { "global:a": { $bytes: "/w==" } } },
      { type: "state", command: "import", state: { "global:a": new Uint8Array([255]) }, merge: false },
    ],
    ["kernel_status_request", {}, { type: "kernel_status" }],
  ])("%s %j", (type, content, request) => {
    expect(customRequest(type, content)).toEqual(request as never);
  });

  test("another type is none of these", () => {
    expect(customRequest("execute_request", {})).toBeUndefined();
    expect(customRequest("toString", {})).toBeUndefined();
  });

  test.each([
    ["tool_request", { command: "explode" }, "Unknown tool command: explode"],
    ["model_request", { command: "x" }, "Unknown model command: x"],
    ["tool_request", { command: "invoke", params: {} }, '"name"'],
    ["tool_request", { command: "invoke", name: "x", params: [] }, '"params"'],
    ["tool_request", { command: "invoke", name: "x", timeout: -1 }, '"timeoutSeconds"'],
    ["state_request", { command: "get" }, '"key"'],
    ["state_request", { command: "repair" }, "Unknown state command: repair"],
    ["session_request", { command: "list" }, "keeps no sessions yet"],
  ])("%s %j is refused: %s", (type, content, message) => {
    expect(() => customRequest(type, content)).toThrow(message);
  });
});

describe("custom messages: reply to content", () => {
  test("a failed call is flat, with what the specification names", () => {
    const data = { tool: "calculator", duration_ms: 3, error_type: "timeout", timeout_secs: 30 };
    expect(
      customReply({ status: "error", error: { code: "timeout", message: "Too long", hint: "Wait", data } }),
    ).toEqual({ status: "error", error: "Too long", error_code: "timeout", hint: "Wait", ...data });
  });

  test("wrong parameters are told as validation errors too", () => {
    const error = {
      code: "invalid_argument",
      message: "no",
      data: { error_type: "validation_error" },
    } as const;
    expect(customReply({ status: "error", error })).toMatchObject({ validation_errors: ["no"] });
  });

  test("bytes have a form in JSON", () => {
    expect(customReply({ status: "ok", text: new Uint8Array([255]) })).toEqual({
      status: "ok",
      text: { $bytes: "/w==" },
    });
  });
});
