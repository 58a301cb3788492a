/** Definitions, conditions and texts of random content: they are read or refused, quickly. */
import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { canonicalOf } from "../../../src/workflows/canonical.ts";
import { parseExpression } from "../../../src/workflows/expression/parse.ts";
import { substitute } from "../../../src/workflows/placeholders.ts";
import { readDefinition } from "../../../src/workflows/read/definition.ts";
import { Scope } from "../../../src/workflows/scope.ts";
import { uniform } from "../../support/random.ts";
import { outcome } from "./outcome.ts";
import { TestFunction } from "./support.ts";

type Random = () => number;

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!;

const KEYS = [
  "name",
  "type",
  "steps",
  "branches",
  "body",
  "iterator",
  "range",
  "collection",
  "while_condition",
  "condition",
  "then_steps",
  "else_steps",
  "default_branch",
  "tool",
  "agent",
  "workflow",
  "input",
  "timeout_ms",
  "retry_count",
  "max_iterations",
  "max_concurrency",
  "start",
  "end",
  "step",
  "on_error",
  "key",
  "value",
  "conditions",
  "expression",
  "break_conditions",
  "aggregation",
  "durable",
  "run_id",
  "nonsense",
] as const;
const SCALARS = [
  null,
  undefined,
  true,
  false,
  0,
  1,
  -1,
  1.5,
  Number.NaN,
  2n ** 60n,
  "",
  " ",
  "x",
  "sequential",
  "parallel",
  "conditional",
  "loop",
  "tool",
  "agent",
  "workflow",
  "always",
  "and",
  "not",
  "custom",
  "a == 1",
  "((",
  "step:a:b",
  "1",
  new Uint8Array([1]),
  "retry",
  "__proto__",
] as const;

function anything(random: Random, depth: number): unknown {
  const roll = random();
  if (depth === 0 || roll < 0.35) return random() < 0.05 ? new TestFunction(() => 1) : pick(random, SCALARS);
  if (roll < 0.55) return Array.from({ length: Math.floor(random() * 4) }, () => anything(random, depth - 1));
  return table(random, depth);
}

function table(random: Random, depth: number): Record<string, unknown> {
  const keys = Array.from({ length: 1 + Math.floor(random() * 5) }, () => pick(random, KEYS));
  const made: Record<string, unknown> = Object.fromEntries(
    keys.map((key) => [key, anything(random, depth - 1)]),
  );
  // most of what is random is refused at once: some of it is almost right
  if (random() < 0.7) made.type = pick(random, ["sequential", "parallel", "conditional", "loop"]);
  if (random() < 0.7) made.name = "w";
  if (random() < 0.5)
    made.steps = [{ name: "a", type: "tool", tool: "t", ...(random() < 0.5 ? table(random, 1) : {}) }];
  return made;
}

const STEPS = [{ name: "a", type: "tool", tool: "t", input: { x: 1 } }];
const RIGHT: readonly Record<string, unknown>[] = [
  { name: "w", type: "sequential", steps: STEPS },
  { name: "w", type: "parallel", branches: [{ name: "b", steps: STEPS }] },
  { name: "w", type: "conditional", branches: [{ name: "b", condition: { type: "always" }, steps: STEPS }] },
  { name: "w", type: "loop", iterator: { range: { start: 1, end: 3 } }, body: STEPS },
];

/** A right one with one thing changed, somewhere. */
function almostRight(random: Random): Record<string, unknown> {
  const made = structuredClone(pick(random, RIGHT));
  let place: Record<string, unknown> = made;
  for (;;) {
    const inner = Object.values(place).filter((value) => typeof value === "object" && value !== null);
    if (inner.length === 0 || random() < 0.4) break;
    place = pick(random, inner) as Record<string, unknown>;
  }
  const key = random() < 0.5 ? pick(random, KEYS) : pick(random, [...Object.keys(place), "name"]);
  place[key] = anything(random, 2);
  return made;
}

/** What it throws is a refusal. */
function refusalOf(body: () => unknown): SpellError | undefined {
  try {
    body();
    return undefined;
  } catch (error) {
    if (error instanceof SpellError && error.code === "invalid_argument") return error;
    throw error;
  }
}

describe("random content", () => {
  test("is a definition or refused", () => {
    const random = uniform(7);
    let read = 0;
    for (let i = 0; i < 20_000; i++) {
      const given = random() < 0.5 ? table(random, 4) : almostRight(random);
      const refusal = refusalOf(() => {
        const definition = readDefinition(given);
        expect(canonicalOf(definition)).toBe(canonicalOf(definition));
      });
      if (refusal === undefined) read++;
      else expect(refusal.message).toMatch(/^Cannot build workflow "/);
    }
    expect(read).toBeGreaterThan(100);
  });

  test("is an expression or refused", () => {
    const random = uniform(8);
    const parts = [
      ..."()!<>=&|$.:'\"{}\\ \n",
      "==",
      "and",
      "or",
      "not",
      "contains",
      "a",
      "1",
      "-",
      "step.x.output",
      "nil",
      "{{a}}",
      "é",
      "\0",
    ];
    for (let i = 0; i < 50_000; i++) {
      const text = Array.from({ length: Math.floor(random() * 12) }, () => pick(random, parts)).join("");
      refusalOf(() => parseExpression(text));
    }
  });

  test("is a text with or without placeholders, whatever stands in it", () => {
    const random = uniform(9);
    const scope = Scope.of({ text: "t" }, new Map(), undefined);
    scope.finish(outcome("a", "A"));
    const parts = [
      "{",
      "}",
      "{{",
      "}}",
      "a",
      "step.",
      "input",
      ".",
      ":",
      " ",
      "$step_",
      "a.b.c",
      "loop",
      "\n",
      "é",
      "__proto__",
      "constructor",
    ];
    for (let i = 0; i < 50_000; i++) {
      const text = Array.from({ length: Math.floor(random() * 12) }, () => pick(random, parts)).join("");
      const filled = substitute(text, scope);
      if (!text.includes("{{") && !text.includes("$step_")) expect(filled).toBe(text);
    }
  });

  test("of great length takes no great time", () => {
    const scope = Scope.of({}, new Map(), undefined);
    const startMs = performance.now();
    for (const text of [
      `{{${" ".repeat(300_000)}`,
      `{{${"a.".repeat(150_000)}}}`,
      "{{a".repeat(100_000),
      "{".repeat(300_000),
      "$step_".repeat(50_000),
    ])
      expect(substitute(text, scope)).toBe(text);
    refusalOf(() => parseExpression("(".repeat(4000)));
    refusalOf(() => parseExpression("a ".repeat(2000)));
    expect(performance.now() - startMs).toBeLessThan(2000);
  });
});
