/** Random plans of nested workflows of all types, run and compared with what a model of the manual says. */
import { describe, expect, test } from "bun:test";
import { uniform } from "../../support/random.ts";
import { callsIn, compare, failingIn, mostAtOnce } from "./plans/compare.ts";
import { definitionOf } from "./plans/definition.ts";
import { Model, type Trace } from "./plans/model.ts";
import { Planner, type Random } from "./plans/plan.ts";
import { bench, noting } from "./support.ts";

const SEEDS = 500;
/** What the outermost workflow is given. */
const N = 5;

/** When calls began and ended, and how many were under way at once. */
class Watch {
  readonly begun = new Map<string, number>();
  readonly ended = new Map<string, number>();
  most = 0;
  private readonly counts = new Map<string, number>();
  private now = 0;
  private atOnce = 0;

  constructor(
    private readonly random: Random,
    private readonly fails: (id: string, number: number) => boolean,
  ) {}

  async call({ id, from }: { id: string; from?: string }): Promise<string> {
    const number = this.counts.get(id) ?? 0;
    this.counts.set(id, number + 1);
    const key = `${id}.${number}`;
    this.begun.set(key, this.now++);
    this.most = Math.max(this.most, ++this.atOnce);
    for (let turns = Math.floor(this.random() * 4); turns > 0; turns--)
      await new Promise((next) => setImmediate(next));
    this.atOnce--;
    this.ended.set(key, this.now++);
    if (this.fails(id, number)) throw new Error("planned");
    return `${key}${from ?? ""}`;
  }

  /** Everything of one ends before anything of the next begins. */
  checkOrder(trace: Trace): { first: number; last: number } | undefined {
    if ("call" in trace) return { first: this.begun.get(trace.call)!, last: this.ended.get(trace.call)! };
    const parts = ("inOrder" in trace ? trace.inOrder : trace.beside).flatMap(
      (part) => this.checkOrder(part) ?? [],
    );
    if ("inOrder" in trace || trace.most === 1)
      for (const [i, part] of parts.slice(1).entries()) expect(part.first).toBeGreaterThan(parts[i]!.last);
    if (parts.length === 0) return undefined;
    return {
      first: Math.min(...parts.map(({ first }) => first)),
      last: Math.max(...parts.map(({ last }) => last)),
    };
  }
}

describe("a random plan", () => {
  const met = { types: new Map<string, number>(), raised: 0, passedOver: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    test(`of seed ${seed} is done as planned`, async () => {
      const random = uniform(seed);
      const plan = new Planner(random).plan(3);
      const expected = new Model().run(plan, N);
      const failing = failingIn(plan);
      const watch = new Watch(random, (id, number) => failing.get(id)!.has(number));
      const execute = async (params: never) => ({ operation: "run", result: await watch.call(params) });
      const { run } = bench({ tools: [{ ...noting([], "call"), execute }] });
      const definition = definitionOf(plan);
      const ended = await run(definition, { n: N }).catch((error: unknown) => error);

      expect([...watch.begun.keys()].sort()).toEqual(callsIn(expected.trace).sort());
      compare(ended, expected);
      watch.checkOrder(expected.trace);
      expect(watch.most).toBeLessThanOrEqual(mostAtOnce(expected.trace));

      met.types.set(plan.kind, (met.types.get(plan.kind) ?? 0) + 1);
      if (expected.raisedBy !== undefined) met.raised++;
      else if (!expected.success) met.passedOver++;
    });
  }

  test("is of every type, and fails, passes failures over and succeeds", () => {
    for (const kind of ["line", "beside", "choice", "loop"])
      expect(met.types.get(kind) ?? 0).toBeGreaterThan(SEEDS / 20);
    expect(met.raised).toBeGreaterThan(SEEDS / 20);
    expect(met.passedOver).toBeGreaterThan(SEEDS / 50);
    expect(met.raised + met.passedOver).toBeLessThan(SEEDS * 0.8);
  });
});
