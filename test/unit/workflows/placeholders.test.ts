/** spec/agents-workflows-rag.md section 4.5 and spec/lua-api.md section 3.8. */
import { describe, expect, test } from "bun:test";
import type { StepOutcome } from "../../../src/workflows/outcome.ts";
import { substitute } from "../../../src/workflows/placeholders.ts";
import { Scope } from "../../../src/workflows/scope.ts";
import { outcome } from "./outcome.ts";

function scope(): Scope {
  const outer = Scope.of({ far: "outer input", name: "outer" }, new Map([["sky", "blue"]]), undefined);
  outer.finish(outcome("before", "outer step"));
  const inner = Scope.of(
    { text: "the text", user: { name: "Ada", tags: ["x", "y"] }, count: 3, shadow: "input" },
    new Map<string, unknown>([
      ["colour", "red"],
      ["shadow", "shared"],
    ]),
    outer,
  );
  inner.finish(outcome("uuid", "1234", { fields: { uuid: "1234", version: 4 } }));
  inner.finish(outcome("list", [1, { a: "b" }]));
  inner.finish(outcome("a.b", "dotted"));
  inner.finish(
    outcome("bad", null, {
      status: "failed",
      error: { code: "tool_failed", message: "boom" },
    } as Partial<StepOutcome>),
  );
  inner.loop = { value: { id: 9 }, index: 0, iteration: 1 };
  return inner;
}

describe("a placeholder", () => {
  const cases: [text: string, value: unknown][] = [
    ["{{step.uuid.result}}", "1234"],
    ["{{step.uuid.output}}", "1234"],
    ["{{steps.uuid.output}}", "1234"],
    ["{{step:uuid:output}}", "1234"],
    ["{{uuid}}", "1234"],
    ["$step_uuid", "1234"],
    ["id: {{step.uuid.result}}, $step_uuid!", "id: 1234, 1234!"],
    ["{{step.uuid.result.version}}", 4],
    ["{{step.list.result.2.a}}", "b"],
    ["{{step.a.b.output}}", "dotted"],
    ["{{step.uuid.success}}", true],
    ["{{step.bad.success}}", false],
    ["{{step.bad.error}}", "boom"],
    ["{{step.list.output}}", [1, { a: "b" }]],
    ["list {{step.list.output}}", 'list [1,{"a":"b"}]'],
    ["{{input.count}}", 3],
    ["{{input.user.name}} {{input.count}}", "Ada 3"],
    ["{{input.user.tags.1}}", "x"],
    ["{{input}}", "the text"],
    ["{{count}}", 3],
    ["{{ count }}", 3],
    ["{{loop_value}}", { id: 9 }],
    ["{{loop:current_value}}", { id: 9 }],
    ["{{loop:current_item.id}}", 9],
    ["{{loop:current_index}}", 0],
    ["{{loop_index}} {{iteration}}", "0 1"],
    ["{{shared.colour}} {{colour}}", "red red"],
    ["{{shadow}} {{input.shadow}}", "shared input"],
    ["{{name}} {{far}} {{sky}}", "outer outer input blue"],
    ["{{shared.parent:sky}}", "blue"],
    ["{{step.before.output}} {{before}}", "outer step outer step"],
    ["{{unknown}} {{step.none.output}} {{input.none}}", "{{unknown}} {{step.none.output}} {{input.none}}"],
    ["{{#each items}}{{this}}{{/each}}", "{{#each items}}{{this}}{{/each}}"],
    ["{{step.uuid.nonsense}}", "{{step.uuid.nonsense}}"],
    ["{{{uuid}}}", "{{{uuid}}}"],
    ["{{}} {{ }} }} {{", "{{}} {{ }} }} {{"],
  ];
  for (const [text, value] of cases) {
    test(`${text} becomes ${JSON.stringify(value)}`, () => {
      expect(substitute(text, scope())).toEqual(value);
    });
  }

  test("is found at any depth, in keys not", () => {
    const value = { a: ["{{uuid}}", { "{{uuid}}": "{{count}}" }], n: 1, b: true, none: null };
    expect(substitute(value, scope())).toEqual({ a: ["1234", { "{{uuid}}": 3 }], n: 1, b: true, none: null });
  });

  test("of the tool's own context is the tool's, and the context itself is filled in", () => {
    const input = { template: "{{uuid}} {{count}} {{step.uuid.result}}", context: { uuid: "{{uuid}}" } };
    expect(substitute(input, scope())).toEqual({ template: "{{uuid}} 3 1234", context: { uuid: "1234" } });
  });

  test("that comes from an output is not filled in again", () => {
    const one = scope();
    one.finish(outcome("evil", "{{input.user.name}}"));
    expect(substitute("{{evil}} {{step.evil.output}}", one)).toBe("{{input.user.name}} {{input.user.name}}");
  });

  test("names the loop before steps, steps before input", () => {
    const one = scope();
    one.finish(outcome("iteration", "a step"));
    one.finish(outcome("count", "a step"));
    expect(substitute("{{iteration}} {{count}}", one)).toBe("1 a step");
  });

  test("in a branch sees what was finished before it, and not its neighbours", () => {
    const whole = scope();
    const [left, right] = [whole.branch(), whole.branch()];
    left.finish(outcome("mine", "left"));
    expect([substitute("{{mine}} {{uuid}}", left), substitute("{{mine}}", right)]).toEqual([
      "left 1234",
      "{{mine}}",
    ]);
    whole.join(left);
    expect(substitute("{{mine}}", whole)).toBe("left");
  });
});
