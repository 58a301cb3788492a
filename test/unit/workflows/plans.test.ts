/** Random plans of nested workflows, run and compared with a model of what may happen and in which order. */
import { describe, expect, test } from "bun:test";
import { uniform } from "../../support/random.ts";
import { bench, noting } from "./support.ts";

type Random = () => number;

/** What a plan does, as the test understands it. */
type Plan =
  | { kind: "step"; id: string; fails: boolean; optional: boolean }
  | { kind: "line"; parts: Plan[]; continues: boolean }
  | { kind: "beside"; parts: Plan[]; most: number };

const below = (random: Random, n: number): number => Math.floor(random() * n);

class Planner {
  private count = 0;
  constructor(private readonly random: Random) {}

  step(mayFail: boolean): Plan {
    const fails = mayFail && this.random() < 0.15;
    return { kind: "step", id: `s${this.count++}`, fails, optional: this.random() < 0.3 };
  }

  /** In branches that run side by side nothing fails: what else was done would be left to chance. */
  plan(depth: number, mayFail: boolean): Plan {
    const roll = this.random();
    if (depth === 0 || roll < 0.3) return this.step(mayFail);
    if (roll < 0.65) {
      const parts = Array.from({ length: 1 + below(this.random, 4) }, () => this.plan(depth - 1, mayFail));
      return { kind: "line", parts, continues: mayFail && this.random() < 0.3 };
    }
    const parts = Array.from({ length: 1 + below(this.random, 5) }, () => this.plan(depth - 1, false));
    return { kind: "beside", parts, most: 1 + below(this.random, 4) };
  }
}

/** The plan as a definition. */
function definitionOf(plan: Plan, name: string): Record<string, unknown> {
  const steps = (plan.kind === "step" ? [plan] : plan.parts).map((part, i) => stepOf(part, `${name}_${i}`));
  if (plan.kind === "beside") return { name, type: "parallel", steps, max_concurrency: plan.most };
  const strategy = plan.kind === "line" && plan.continues ? { error_strategy: "continue" } : {};
  return { name, type: "sequential", steps, ...strategy };
}

function stepOf(plan: Plan, name: string): Record<string, unknown> {
  if (plan.kind === "step") {
    const input = { id: plan.id, ...(plan.fails ? { fail: "planned" } : {}) };
    return { name, type: "tool", tool: "note", input, continue_on_error: plan.optional };
  }
  return { name, type: "workflow", workflow: definitionOf(plan, name) };
}

interface Expected {
  /** Steps that begin. */
  ran: Set<string>;
  failed: boolean;
  /** Pairs of which the first ends before the second begins. */
  order: [string, string][];
}

/** What must happen. A workflow whose failures were passed over fails as a step of another. */
function expectedOf(plan: Plan): Expected {
  if (plan.kind === "step") return { ran: new Set([plan.id]), failed: plan.fails, order: [] };
  const whole: Expected = { ran: new Set(), failed: false, order: [] };
  let before: Set<string> = new Set();
  for (const part of plan.parts) {
    const one = expectedOf(part);
    whole.order.push(...one.order);
    if (plan.kind === "line") {
      for (const first of before) for (const second of one.ran) whole.order.push([first, second]);
      before = one.ran.size > 0 ? one.ran : before;
    }
    for (const id of one.ran) whole.ran.add(id);
    if (!one.failed) continue;
    whole.failed = true;
    const isPassedOver = plan.kind === "line" && (plan.continues || (part.kind === "step" && part.optional));
    if (!isPassedOver) return whole;
  }
  return whole;
}

const mostAtOnce = (plan: Plan): number => {
  if (plan.kind === "step") return 1;
  const each = plan.parts.map(mostAtOnce).sort((a, b) => b - a);
  if (plan.kind === "line") return Math.max(...each);
  return each.slice(0, plan.most).reduce((sum, one) => sum + one, 0);
};

describe("a random plan", () => {
  for (let seed = 1; seed <= 150; seed++) {
    test(`of seed ${seed} is done as planned`, async () => {
      const random = uniform(seed);
      const planner = new Planner(random);
      const plan: Plan = {
        kind: "line",
        parts: [planner.plan(3, true), planner.plan(2, true)],
        continues: false,
      };
      const expected = expectedOf(plan);
      const clock = { now: 0, atOnce: 0, most: 0 };
      const begun = new Map<string, number>();
      const ended = new Map<string, number>();
      const tool = noting([]);
      const watched = {
        ...tool,
        execute: async (params: Record<string, unknown>) => {
          const id = params.id as string;
          expect(begun.has(id)).toBe(false);
          begun.set(id, clock.now++);
          clock.most = Math.max(clock.most, ++clock.atOnce);
          for (let turns = below(random, 4); turns > 0; turns--)
            await new Promise((next) => setImmediate(next));
          clock.atOnce--;
          ended.set(id, clock.now++);
          if (params.fail !== undefined) throw new Error("planned");
          return { operation: "run", result: id };
        },
      };
      const { run } = bench({ tools: [watched] });
      const failed = await run(definitionOf(plan, "plan")).then(
        (result) => !result.success,
        () => true,
      );
      expect([...begun.keys()].sort()).toEqual([...expected.ran].sort());
      expect(failed).toBe(expected.failed);
      for (const [first, second] of expected.order)
        expect(ended.get(first)!).toBeLessThan(begun.get(second)!);
      expect(clock.most).toBeLessThanOrEqual(mostAtOnce(plan));
    });
  }
});
