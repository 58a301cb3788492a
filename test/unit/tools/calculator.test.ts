/** Expected numbers: Python's (test/conformance/python); behaviour: spec of the tool. */
import { describe, expect, test } from "bun:test";
import expected from "../../conformance/python/expected.json" with { type: "json" };
import { bench } from "./support.ts";

const { tools } = bench();
const call = (params: Record<string, unknown>) => tools.execute("calculator", params);

async function value(input: string, variables = {}): Promise<unknown> {
  const { result, error } = await call({ input, variables });
  return error?.message ?? (result as { result: unknown }).result;
}

describe("calculator", () => {
  test("agrees with Python on 328 expressions", async () => {
    for (const [input, wanted] of expected.arithmetic as [string, number][]) {
      const got = (await value(input)) as number;
      const near = Math.abs(got - wanted) <= 1e-12 * Math.max(1, Math.abs(wanted));
      expect([input, got, near]).toEqual([input, got, true]);
    }
  });

  test("gives the number under result, value and output, and counts what it used", async () => {
    const answer = await call({ expression: "2 + 2 * 3" });
    expect(answer).toMatchObject({ operation: "evaluate", success: true, primary: 8 });
    expect(answer.result).toEqual({
      input: "2 + 2 * 3",
      result: 8,
      value: 8,
      result_type: "float",
      variables: {},
    });
    expect(answer.envelope.resource_usage).toMatchObject({
      operations_count: 2,
      memory_bytes: expect.any(Number),
    });
  });

  test.each([
    ["1 / 0", "Infinity"],
    ["-1 / 0", "-Infinity"],
    ["0 / 0", "NaN"],
    ["sqrt(-1)", "NaN"],
    ["10 ^ 400", "Infinity"],
  ])("%s is special", async (input, text) => {
    expect((await call({ input })).result).toMatchObject({
      result: text,
      value: text,
      result_type: "special",
    });
  });

  test("variables have values, and win over constants", async () => {
    expect(await value("x ^ 2 + y", { x: 3, y: 1 })).toBe(10);
    expect(await value("e + 1", { e: 1 })).toBe(2);
    expect(await value("x", { x: "3" })).toBe("Invalid variables: 'x' must be a number");
    expect(await value("rate * 2", { ratio: 1 })).toBe("Unknown variable 'rate' at position 1");
  });

  test.each([
    ["add", 8],
    ["subtract", 4],
    ["multiply", 12],
    ["divide", 3],
  ])("%s takes a and b", async (operation, wanted) => {
    expect((await call({ operation, a: 6, b: 2 })).result).toMatchObject({ result: wanted });
  });

  test.each([
    ["2 +", "Invalid expression: unexpected end at position 4"],
    ["(1", "Invalid expression: unexpected end, expected ')' at position 3"],
    ["1 2", "Invalid expression: unexpected '2' at position 3"],
    ["2 $ 3", "Invalid expression: unexpected character '$' at position 3"],
    ["sqr(4)", "Unknown function 'sqr' at position 1"],
    ["sin(1, 2)", "Invalid expression: sin takes 1 arguments and got 2, at position 1"],
  ])("%s is a failure that says why", async (input, message) => {
    const answer = await call({ input });
    expect(answer).toMatchObject({ operation: "evaluate", success: false, error: { message } });
  });

  test("any failure is a result, also a missing or unknown parameter", async () => {
    expect((await call({})).error?.message).toBe("Missing required parameter 'input'");
    expect((await call({ operation: "power", input: "1" })).error?.message).toStartWith(
      "Invalid operation: 'power'",
    );
  });

  test.each([
    ["operations", `1${"+1".repeat(10_001)}`],
    ["nesting", `${"(".repeat(300)}1${")".repeat(300)}`],
    ["nesting", `${"-".repeat(100_000)}1`],
    ["nesting", `1${"^1".repeat(9_000)}`],
    ["expression_bytes", `1${" ".repeat(1_000_000)}`],
  ])("ends at the limit of %s", async (limit, input) => {
    expect((await call({ input })).error).toMatchObject({ code: "limit", details: { limit } });
  });

  test("validate tells whether an expression can be read", async () => {
    expect((await call({ operation: "validate", input: "x + 1" })).result).toEqual({
      input: "x + 1",
      valid: true,
    });
    expect((await call({ operation: "validate", input: "x +" })).result).toMatchObject({
      valid: false,
      error: expect.any(String),
    });
  });

  test("functions lists only what works", async () => {
    const { examples, note, arithmetic, comparison, logical, ...named } = (
      await call({ operation: "functions" })
    ).result as Record<string, string[]>;
    for (const name of Object.values(named).flat()) {
      const asked = [name, `${name}(0.5)`, `${name}(2)`, `${name}(0.5, 2)`].map((input) => value(input));
      expect([name, (await Promise.all(asked)).some((v) => typeof v === "number")]).toEqual([name, true]);
    }
    for (const example of Object.values(examples!)) expect(await value(example, { x: 1, y: 2 })).toBeNumber();
    expect([arithmetic!.length, comparison!.length, logical!.length, typeof note]).toEqual([
      6,
      6,
      3,
      "string",
    ]);
  });
});
