/** Expected values: spec of the tool; the language itself is judged in test/conformance/jq and json-schema. */
import { describe, expect, test } from "bun:test";
import { bench, failure } from "./support.ts";

const { tools } = bench();
const call = (params: Record<string, unknown>, options = {}) =>
  tools.execute("json-processor", params, options);
const query = async (program: string, input: unknown = "null") =>
  (await call({ input, query: program })).result;

describe("json-processor", () => {
  test("gives the value as result, as data and as indented text", async () => {
    const answer = await call({ input: '{"a": {"b": [1, 2]}}', query: ".a" });
    expect(answer).toMatchObject({ operation: "query", success: true, result: { b: [1, 2] } });
    expect(answer.extra).toEqual({ data: { b: [1, 2] } });
    expect(answer.text).toBe('{\n  "b": [\n    1,\n    2\n  ]\n}');
  });

  test("one value stays itself, several become an array", async () => {
    expect(await query("1")).toBe(1);
    expect(await query("1, 2")).toEqual([1, 2]);
    expect(await query("empty")).toEqual([]);
    expect(await query(". ", false)).toBe(false);
  });

  test("takes tables and texts alike, and keeps large integers", async () => {
    expect(await query(".x", { x: "é😀" })).toBe("é😀");
    expect(await query(".", "9007199254740993")).toBe(9007199254740993n);
    expect(await query(".x", { x: 9007199254740993n })).toBe(9007199254740993n);
  });

  test.each(["transform", "jq", "QUERY"])("%s is another name of query", async (operation) => {
    expect((await call({ operation, input: [1], query: ".[0]" })).result).toBe(1);
  });

  test.each([
    "env",
    "env.PATH",
    "$ENV",
    "$ENV.PATH",
    '"\\($ENV | keys)"',
    ". as {a: $x} | $ENV",
    "input",
    "[inputs]",
    "input_filename",
    "input_line_number",
    "debug",
    'debug("x")',
    '"a" | modulemeta',
    'import "a" as a; .',
    'include "a"; .',
    '# first\n include "a"; .',
    "try env catch 1",
    "first(1, env) , env",
    "def f: env; f",
  ])("refuses %s", async (program) => {
    expect((await failure(query(program, 1))).code).toBe("permission_denied");
  });

  test.each([
    [".input", { input: 1 }, 1],
    [".env.debug", { env: { debug: 2 } }, 2],
    ["{input: 3} | .input", "null", 3],
    ['"env $ENV \\(1)"', "null", "env $ENV 1"],
    ["def env: 4; env", "null", 4],
    ["5 # $ENV, env", "null", 5],
    [". as $input | $input", 6, 6],
    ['."/etc/passwd"', { "/etc/passwd": 7 }, 7],
  ])("%s is not one of the refused", async (program, input, wanted) => {
    expect(await query(program, input)).toEqual(wanted);
  });

  test.each([
    [".[", "invalid_argument", "Invalid query: syntax error"],
    ["foo", "invalid_argument", "Invalid query: foo/0 is not defined"],
    ['error("boom")', "tool_failed", "Query failed: boom"],
    [".a", "tool_failed", "Query failed: Cannot index number with"],
    ['"stop" | halt_error', "tool_failed", "Query failed: stop"],
  ])("%s fails with %s", async (program, code, message) => {
    const error = await failure(query(program, 1));
    expect([error.code as string, error.message]).toEqual([code, expect.stringContaining(message)]);
  });

  test("many calls in a row, also after failures", async () => {
    for (let i = 0; i < 100; i++) {
      expect(await query(". + 1", i)).toBe(i + 1);
      if (i % 10 === 0) expect((await failure(query("error", '"x"'))).code).toBe("tool_failed");
    }
    expect(await Promise.all([1, 2, 3].map((n) => query(". * 2", n)))).toEqual([2, 4, 6]);
  });

  test("a deep value is printed whole", async () => {
    const depth = 100;
    expect(await query("tojson", `${"[".repeat(depth)}${"]".repeat(depth)}`)).toBe(
      "[".repeat(depth) + "]".repeat(depth),
    );
  });

  test("too deep, too large and malformed input is refused", async () => {
    expect((await failure(query(".", `${"[".repeat(101)}${"]".repeat(101)}`))).data).toMatchObject({
      limit: "json_depth",
    });
    expect((await failure(query(".", '{"a": 1,}'))).message).toStartWith("JSON parse error");
    expect((await failure(query(".", `"${"x".repeat(100_000_000)}"`))).data).toMatchObject({
      limit: "input_bytes",
    });
    expect((await failure(call({ input: 1 }))).message).toBe("Missing required parameter 'query'");
  });

  test.each([
    ["a query", { query: "[limit(1e15; repeat(1))] | length" }],
    ["a recursion", { query: "def f: f; f" }],
    ["a regular expression", { query: '[range(1e7) | tostring | test("^(0*)*x$")] | length' }],
    [
      "a pattern of a schema",
      {
        operation: "validate",
        schema: { items: { pattern: "^(a+)+$" } },
        input: Array(500).fill(`${"a".repeat(40)}!`),
      },
    ],
  ])("%s that does not end is ended, and the next call works", async (_name, params) => {
    const impatient = bench((draft) => {
      draft.tools.data.processing_timeout_seconds = 0.3;
    }).tools;
    const error = await failure(impatient.execute("json-processor", { input: 1, ...params }));
    expect(["timeout", "tool_failed"]).toContain(error.code);
    expect(await query("1 + 1")).toBe(2);
  });

  test("an aborted call ends, those waiting behind it run", async () => {
    const abort = new AbortController();
    const endless = failure(call({ input: 1, query: "[repeat(1)]" }, { signal: abort.signal }));
    const next = query("1 + 2");
    abort.abort();
    expect((await endless).code).toBe("interrupted");
    expect(await next).toBe(3);
  });

  test("stream reads JSON lines, with or without a query", async () => {
    const input = '{"n":1}\n\n{"n":2}\r\n3\n';
    expect((await call({ operation: "stream", input })).result).toEqual([{ n: 1 }, { n: 2 }, 3]);
    expect((await call({ operation: "stream", input: '{"n":1}\n{"n":2}', query: ".n" })).result).toEqual([
      1, 2,
    ]);
    expect((await failure(call({ operation: "stream", input: '1\n{"a":\n2' }))).data).toMatchObject({
      line: 2,
    });
  });

  test("validate names place, rule and keyword", async () => {
    const schema = { type: "object", required: ["id"], properties: { tags: { items: { type: "string" } } } };
    expect((await call({ operation: "validate", input: { id: 1 }, schema })).result).toEqual({
      is_valid: true,
      errors: [],
    });
    expect((await call({ operation: "validate", input: { tags: ["a", 2] }, schema })).result).toEqual({
      is_valid: false,
      errors: expect.arrayContaining([
        { path: "/tags/1", message: "must be string", keyword: "type" },
        { path: "", message: expect.stringContaining("id"), keyword: "required" },
      ]),
    });
  });

  test.each([
    [{ pattern: "(" }, "Invalid schema: Invalid regular expression"],
    [{ $ref: "http://json-schema.org/draft-07/schema#" }, "Invalid schema: a reference leads outside"],
    [{ $ref: "#" }, "Invalid schema: its references have no end"],
    [5, "Invalid schema: it must be an object"],
  ])("the schema %j cannot be used", async (schema, message) => {
    expect((await failure(call({ operation: "validate", input: '"a"', schema }))).message).toStartWith(
      message,
    );
  });
});
