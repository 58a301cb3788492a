/** Expected texts: spec/lua-api.md section 11 and `json.dumps` of Python 3.11 (sort_keys, separators, ensure_ascii=False). */
import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { Handle, ScriptTable } from "../../../src/core/values.ts";
import { checkArgs } from "../../../src/globals/check.ts";
import { JSONGlobal } from "../../../src/globals/json.ts";

/** Calls a function of the global as a script would, argument checks included. */
function call(name: "parse" | "stringify", ...args: unknown[]): unknown {
  const decl = JSONGlobal.functions[name]!;
  const handler = decl.crossing === "local" ? decl.handler : undefined;
  return (handler as unknown as (ctx: object, ...args: unknown[]) => unknown)(
    {},
    ...checkArgs(`JSON.${name}`, decl.params, args),
  );
}

function failure(body: () => unknown): SpellError {
  try {
    body();
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("JSON.parse", () => {
  test("reads objects, arrays, text, numbers and truth values", () => {
    expect(call("parse", '{"a":[1,2.5,"ü",true,null],"b":{}}')).toEqual({
      a: [1, 2.5, "ü", true, null],
      b: {},
    });
  });

  test.each([
    ["9223372036854775807", 9223372036854775807n],
    ["-9223372036854775808", -9223372036854775808n],
    ["9007199254740993", 9007199254740993n],
    ["9007199254740991", 9007199254740991],
    ["9223372036854775808", 2 ** 63],
    ["1e3", 1000],
    ["0.1234567890123456789", 0.12345678901234568],
  ])("reads %s as %p", (text, value) => {
    expect(call("parse", text)).toBe(value);
  });

  test("keeps big integers exact deep inside, beside text with many digits", () => {
    expect(call("parse", '{"id":"12345678901234567890","n":[{"x":9007199254740995}]}')).toEqual({
      id: "12345678901234567890",
      n: [{ x: 9007199254740995n }],
    });
  });

  test("keeps a key named __proto__ as data", () => {
    expect(Object.keys(call("parse", '{"__proto__":{"admin":true}}') as object)).toEqual(["__proto__"]);
  });

  // As Python's JSONDecodeError reports them, but a bad string or number is reported at its start.
  test.each([
    ["", 1, 1],
    ["nope", 1, 1],
    ['{"a":}', 1, 6],
    ['{"a" 1}', 1, 6],
    ["[1,\n 2,\n x]", 3, 2],
    ["[1 2]", 1, 4],
    ["[1,2", 1, 5],
    ["{} x", 1, 4],
    ['["a\\q"]', 1, 2],
    ["[01]", 1, 2],
  ])("says where %p stops being JSON", (text, line, column) => {
    const error = failure(() => call("parse", text));
    expect(error.message).toStartWith("JSON parse error: ");
    expect(error.message).toEndWith(`at line ${line} column ${column}`);
  });

  test("refuses a string that is not UTF-8", () => {
    expect(failure(() => call("parse", new Uint8Array([0x22, 0xff, 0x22]))).message).toBe(
      "JSON parse error: the text is not valid UTF-8",
    );
  });
});

describe("JSON.stringify", () => {
  test("sorts keys by name at every level, digits included", () => {
    expect(call("stringify", { b: 1, a: { "9": true, "10": false, z: null } })).toBe(
      '{"a":{"10":false,"9":true,"z":null},"b":1}',
    );
  });

  test("keeps 64-bit integers exact", () => {
    expect(call("stringify", { n: [9223372036854775807n, -9223372036854775808n] })).toBe(
      '{"n":[9223372036854775807,-9223372036854775808]}',
    );
  });

  test("writes NaN, infinities and nil as null", () => {
    expect(call("stringify", [Number.NaN, Number.POSITIVE_INFINITY, null])).toBe("[null,null,null]");
    expect(call("stringify")).toBe("null");
  });

  test("writes the empty table as an object", () => {
    expect(call("stringify", {})).toBe("{}");
  });

  test("escapes quotes, backslashes and control characters only", () => {
    expect(call("stringify", 'a"b\\c\n\u0001ü\u{1f600}')).toBe('"a\\"b\\\\c\\n\\u0001ü\u{1f600}"');
  });

  test("indents by two spaces when asked, with the same order of keys", () => {
    const expected = '{\n  "a": {\n    "10": [\n      1,\n      2\n    ],\n    "9": {}\n  },\n  "b": "x"\n}';
    expect(call("stringify", { b: "x", a: { "9": {}, "10": [1, 2] } }, true)).toBe(expected);
  });

  test("keeps a key named __proto__", () => {
    expect(call("stringify", JSON.parse('{"__proto__":1,"a":2}'))).toBe('{"__proto__":1,"a":2}');
  });

  test.each([
    ["a function", () => 1],
    ["a string that is not UTF-8", new Uint8Array([0xff])],
    ["an object", new Handle("Agent", {})],
    ["a result table", new ScriptTable({ text: "x" })],
  ])("refuses %s and names the place", (what, value) => {
    const error = failure(() => call("stringify", { list: [1, { x: value }] }));
    expect(error.code).toBe("invalid_argument");
    expect(error.message).toContain(what);
    expect(error.message).toContain('"list[2].x"');
  });

  test("refuses a table that contains itself", () => {
    const loop: Record<string, unknown> = {};
    loop.self = { back: loop };
    expect(failure(() => call("stringify", loop)).message).toContain('"self.back"');
  });

  test("writes a table twice when it stands in two places", () => {
    const shared = { x: 1 };
    expect(call("stringify", [shared, shared])).toBe('[{"x":1},{"x":1}]');
  });
});
