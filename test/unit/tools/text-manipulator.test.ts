/** Expected texts: Python's (test/conformance/python); case conversions by hand. */
import { describe, expect, test } from "bun:test";
import expected from "../../conformance/python/expected.json" with { type: "json" };
import { bench, failure } from "./support.ts";

const { tools } = bench();
const call = (params: Record<string, unknown>) => tools.execute("text-manipulator", params);
const change = async (operation: string, input: string, options = {}) =>
  ((await call({ operation, input, options })).result as { result: string }).result;

describe("text-manipulator", () => {
  test("agrees with Python's str and textwrap", async () => {
    for (const { operation, input, options, result, bytes } of expected.text) {
      const answer = (await call({ operation, input, options })).result;
      expect([operation, input, answer]).toEqual([
        operation,
        input,
        expect.objectContaining({
          result,
          output: result,
          operation,
          original_length: bytes[0],
          result_length: bytes[1],
        }),
      ]);
    }
  });

  test.each([
    ["hello world", "hello_world", "helloWorld", "HelloWorld"],
    ["parseHTTPResponse", "parse_http_response", "parseHttpResponse", "ParseHttpResponse"],
    ["some-mixed_Case text2go", "some_mixed_case_text2go", "someMixedCaseText2go", "SomeMixedCaseText2go"],
    ["  übergrößeTräger!", "übergröße_träger", "übergrößeTräger", "ÜbergrößeTräger"],
    ["", "", "", ""],
  ])("%p in snake, camel and Pascal case", async (input, snake, camel, pascal) => {
    expect(await change("snake_case", input)).toBe(snake);
    expect(await change("camel_case", input)).toBe(camel);
    expect(await change("pascal_case", input)).toBe(pascal);
  });

  test("titlecase begins each word with a capital", async () => {
    expect(await change("titlecase", "the QUICK  brown-fox don't")).toBe("The Quick  Brown-fox Don't");
  });

  test("options may stand at top level, and win there", async () => {
    const params = { operation: "replace", input: "a-b", from: "-", to: "+", options: { to: "*" } };
    expect((await call(params)).result).toMatchObject({ result: "a+b" });
  });

  test("split and join are inverses", async () => {
    const parts = await change("split", "a, b, c", { delimiter: ", " });
    expect(parts).toBe('["a","b","c"]');
    expect(await change("join", parts, { delimiter: ", " })).toBe("a, b, c");
    expect((await failure(call({ operation: "join", input: "a b" }))).message).toStartWith(
      "Invalid input: join takes",
    );
  });

  test("surrogate pairs stay whole", async () => {
    expect(await change("reverse", "a😀b")).toBe("b😀a");
    expect(await change("substring", "a😀b", { start: 1, end: 2 })).toBe("😀");
    expect(await change("truncate", "😀😀😀😀😀", { max_length: 4 })).toBe("😀...");
  });

  test.each([
    [{ start: 5 }, ""],
    [{ start: -1 }, ""],
    [{ start: 2, end: 1 }, ""],
    [{ start: 1, end: 99 }, "bc"],
  ])("substring %p of abc", async (options, result) => {
    expect(await change("substring", "abc", options)).toBe(result);
  });

  test("a missing option and an unknown operation are refused", async () => {
    expect((await failure(call({ operation: "replace", input: "a", from: "a" }))).message).toBe(
      "Missing required parameter 'to'",
    );
    expect(await failure(call({ operation: "upcase", input: "a" }))).toMatchObject({
      message: expect.stringContaining("Invalid operation: 'upcase'. Allowed values: uppercase, lowercase"),
      code: "invalid_argument",
    });
  });

  test("a result that would grow without bound is refused before it is made", async () => {
    const input = "a".repeat(100_000);
    expect((await failure(call({ operation: "replace", input, from: "a", to: input }))).code).toBe("limit");
    expect(
      (await failure(call({ operation: "indent", input: "x\n".repeat(200_000), spaces: 1000 }))).code,
    ).toBe("limit");
  });

  test("every operation takes two megabytes", async () => {
    const input = "word Word 😀\n".repeat(150_000);
    for (const operation of [
      "reverse",
      "snake_case",
      "word_wrap",
      "dedent",
      "normalize_whitespace",
      "sanitize",
      "titlecase",
      "count",
    ])
      expect((await change(operation, input)).length).toBeGreaterThan(0);
  });
});
