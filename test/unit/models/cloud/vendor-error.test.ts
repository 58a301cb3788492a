/** Bodies as the vendors' documentation shows them. */
import { describe, expect, test } from "bun:test";
import { refusalIn, vendorError } from "../../../../src/models/providers/cloud/vendor-error.ts";

describe("A refusal is read", () => {
  test.each([
    [
      "of OpenAI",
      {
        error: {
          message: "You exceeded your current quota, please check your plan and billing details.",
          type: "insufficient_quota",
          param: null,
          code: "insufficient_quota",
        },
      },
      { message: /^You exceeded/, type: "insufficient_quota", code: "insufficient_quota", statusCode: 429 },
    ],
    [
      "of Anthropic",
      { type: "error", error: { type: "overloaded_error", message: "Overloaded" }, request_id: "req_1" },
      { message: /^Overloaded$/, type: "overloaded_error", statusCode: 529 },
    ],
    [
      "of Gemini",
      {
        error: {
          code: 400,
          message: "API key not valid. Please pass a valid API key.",
          status: "INVALID_ARGUMENT",
          details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" }],
        },
      },
      { message: /^API key not valid/, type: "INVALID_ARGUMENT", code: "API_KEY_INVALID", statusCode: 400 },
    ],
    [
      "of Gemini in a list",
      [{ error: { code: 503, message: "The model is overloaded.", status: "UNAVAILABLE" } }],
      { message: /overloaded/, statusCode: 503 },
    ],
    ["of Cohere", { message: "invalid api token" }, { message: /^invalid api token$/ }],
    [
      "of Mistral",
      { object: "error", message: "Invalid model: x", type: "invalid_model", param: null, code: "1500" },
      { message: /^Invalid model: x$/, type: "invalid_model", code: "1500" },
    ],
    [
      "of Mistral's validator",
      {
        detail: [
          { type: "missing", loc: ["body", "messages"], msg: "Field required", input: {} },
          { type: "extra_forbidden", loc: ["body", "x"], msg: "Extra inputs are not permitted", input: 1 },
        ],
      },
      { message: /^body\.messages: Field required; body\.x: Extra inputs are not permitted$/ },
    ],
    [
      "of Mistral's validator inside a message",
      {
        object: "error",
        message: { detail: [{ loc: ["body"], msg: "wrong" }] },
        type: "invalid_request_error",
      },
      { message: /^body: wrong$/, statusCode: 400 },
    ],
    ["in one word", { detail: "Unauthorized" }, { message: /^Unauthorized$/ }],
    ["of a plain server", { error: "model 'x' not found" }, { message: /^model 'x' not found$/ }],
  ])("%s", (_whose, body, expected) => {
    const { message, ...more } = expected;
    const said = refusalIn(body)!;
    expect(said.message).toMatch(message);
    expect(said).toMatchObject(more);
  });

  test("with the wait that Gemini asks for", () => {
    const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "34.5s" }];
    const body = { error: { code: 429, message: "Quota", status: "RESOURCE_EXHAUSTED", details } };
    expect(refusalIn(body)).toMatchObject({ statusCode: 429, retryAfterMs: 34_500 });
  });

  test("and cut where it is very long", () => {
    expect(refusalIn({ message: "x".repeat(100_000) })!.message.length).toBeLessThan(1100);
  });
});

test("An answer is no error because it speaks of one", () => {
  const answer = { choices: [{ delta: { content: '{"error": "no"}' } }], error: null, message: "hello" };
  expect(vendorError(answer)).toBeUndefined();
  for (const value of [null, 1, "error", [], { error: "" }, { error: {} }])
    expect(vendorError(value)).toBeUndefined();
});
