/** spec/agents-workflows-rag.md section 4.4: conditions of every form, and the expressions in them. */
import { describe, expect, test } from "bun:test";
import { holds } from "../../../src/workflows/conditions.ts";
import { evaluate } from "../../../src/workflows/expression/evaluate.ts";
import { parseExpression } from "../../../src/workflows/expression/parse.ts";
import { readCondition } from "../../../src/workflows/read/conditions.ts";
import { Place } from "../../../src/workflows/read/fields.ts";
import { Scope } from "../../../src/workflows/scope.ts";
import { failure } from "../../support/model-service.ts";
import { outcome } from "./outcome.ts";
import { TestFunction } from "./support.ts";

function scope(): Scope {
  const scope = Scope.of(
    { k: "v", n: 5 },
    new Map<string, unknown>([
      ["env", "prod"],
      ["t", { a: 1 }],
    ]),
    undefined,
  );
  scope.finish(outcome("ok", "Label: URGENT"));
  scope.finish(outcome("bad", null, { status: "failed", error: { code: "tool_failed", message: "boom" } }));
  scope.finish(outcome("num", 7, { fields: { value: 7, list: [1, 2] } }));
  scope.loop = { value: "apple", index: 2, iteration: 3 };
  return scope;
}

const ask = (condition: unknown, expected?: unknown) =>
  holds(readCondition(condition, new Place("w", "condition"), expected), {
    scope: scope(),
    signal: new AbortController().signal,
    workflow: "w",
    global: async (key) => (key === "far" ? "away" : undefined),
  });

describe("a condition", () => {
  const cases: [condition: unknown, holds: boolean, expected?: unknown][] = [
    [{ type: "always" }, true],
    [{ type: "never" }, false],
    [true, true],
    [{ type: "shared_data_equals", key: "env", value: "prod" }, true],
    [{ type: "shared_data_equals", key: "env", expected: "dev" }, false],
    [{ type: "shared_data_equals", key: "t", value: { a: 1 } }, true],
    [{ type: "shared_data_equals", key: "k", value: "v" }, true],
    [{ type: "shared_data_equals", key: "far", value: "away" }, true],
    [{ type: "shared_data_exists", key: "env" }, true],
    [{ type: "shared_data_exists", key: "nothing" }, false],
    [{ type: "step_output_equals", step: "ok", expected: "Label: URGENT" }, true],
    [{ type: "step_output_equals", step: "num", expected: 7 }, true],
    [{ type: "step_output_equals", step: "nobody", expected: "" }, false],
    [{ type: "step_result_equals", step: "num", value: { value: 7, list: [1, 2] } }, true],
    [{ type: "step_output_contains", step: "ok", text: "URGENT" }, true],
    [{ type: "step_succeeded", step: "ok" }, true],
    [{ type: "step_succeeded", step: "bad" }, false],
    [{ type: "step_failed", step: "bad" }, true],
    [{ type: "step_failed", step: "nobody" }, false],
    [{ type: "agent_classification", step: "ok", label: "urgent" }, true],
    ["step:ok:Label: URGENT", true],
    ["step:num:8", false],
    ["step:ok:output", true],
    ["step:bad:output", false],
    ["step:num:output", true, "7"],
    ["step:num:output", false, "8"],
    [{ type: "and", conditions: [{ type: "always" }, { type: "step_failed", step: "bad" }] }, true],
    [{ type: "and", conditions: [{ type: "always" }, { type: "never" }] }, false],
    [{ type: "or", conditions: [{ type: "never" }, { type: "not", condition: { type: "never" } }] }, true],
    [{ type: "custom", expression: 'shared_data.env == "prod"' }, true],
    [{ type: "custom", expression: "step_result.ok.success and step_result.bad.failed" }, true],
    ["step.num.output > 6 and step.num.output <= 7", true],
    ["input.n == 5", true],
    ["step.ok.output contains 'URG'", true],
    ["step.num.result.list contains 2", true],
    ["$iteration > 2", true],
    ["$loop_index == 2 && $loop_value == 'apple'", true],
    ["$env ~= 'prod'", false],
    ["not (input.k == 'w') or false", true],
    ["{{step.num.output}} == 7", true],
    ["nothing.at.all == nil", true],
    ["true", true],
    ["false", false],
  ];
  for (const [condition, expected, apart] of cases) {
    test(`${JSON.stringify(condition)}${apart === undefined ? "" : ` with ${apart}`} is ${expected}`, async () => {
      expect(await ask(condition, apart)).toBe(expected);
    });
  }

  test("that is a function gets what it may ask for", async () => {
    const fn = new TestFunction(({ iteration }) => iteration === 3);
    expect(await ask(fn)).toBe(true);
    expect(fn.calls[0]).toMatchObject({
      input: { k: "v", n: 5 },
      steps: { ok: { success: true, output: "Label: URGENT" }, bad: { success: false, error: "boom" } },
      shared_data: { env: "prod", loop_index: 2, loop_value: "apple" },
      iteration: 3,
    });
  });

  test("that is a function and takes over a second fails", async () => {
    const error = await failure(() => ask(new TestFunction(() => Bun.sleep(3000))));
    expect([error.code, error.message]).toEqual([
      "timeout",
      'Cannot evaluate a condition of workflow "w": it took over 1000 ms',
    ]);
  });
});

describe("an expression", () => {
  const value = (text: string) => evaluate(parseExpression(text), (name) => ({ a: 1, b: "x y" })[name]);

  test("binds not before and before or, as in Lua", () => {
    expect(value("true or false and false")).toBe(true);
    expect(value("not false and false")).toBe(false);
    expect(value("not (false and false)")).toBe(true);
  });

  test("compares numbers in texts as numbers, and other texts as texts", () => {
    expect([value('"10" > "9"'), value('"b" > "a"'), value('"x" > 1'), value("-1.5e1 < .5")]).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  test("reads quotes, escapes and names in quotes", () => {
    expect(value(String.raw`b == "x y" and 'it\'s' == "it's"`)).toBe(true);
    expect(parseExpression('step."my step".output')).toEqual({
      type: "reference",
      name: "step.my step.output",
    });
  });

  for (const [text, message] of [
    ["", "a value is expected, it ends at column 1"],
    ["a b", 'found "b" at column 3'],
    ["(a", 'a ")" is expected, it ends at column 3'],
    ["a = 1", '"=" begins no value, name or operator at column 3'],
    ["os.exit()", 'found "(" at column 8'],
    ["'open", `"'" begins no value, name or operator at column 1`],
  ] as const) {
    test(`"${text}" is refused with its column`, async () => {
      const error = await failure(() => parseExpression(text));
      expect(error.message).toBe(`Cannot read the condition: ${message}: ${text}`);
    });
  }

  test("does not nest without end", async () => {
    const error = await failure(() => parseExpression(`${"(".repeat(100)}1${")".repeat(100)}`));
    expect(error.message).toMatch(/must not nest deeper than 64/);
    expect((await failure(() => parseExpression(`${"not ".repeat(100)}1`))).message).toMatch(
      /deeper than 64/,
    );
  });
});
