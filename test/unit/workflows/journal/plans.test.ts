/** Random plans of all types as durable runs whose process dies, once or twice: they give what a model of the manual says. */
import { describe, expect, test } from "bun:test";
import { openStorage, type Storage } from "../../../../src/storage/storage.ts";
import { uniform } from "../../../support/random.ts";
import { callsIn, compare, failingIn, mostAtOnce } from "../plans/compare.ts";
import { definitionOf } from "../plans/definition.ts";
import { Model } from "../plans/model.ts";
import { Planner } from "../plans/plan.ts";
import { noting } from "../support.ts";
import { bury, dying, JournalPlace } from "./support.ts";

const here = JournalPlace.forEachTest();
const SEEDS = 150;
const N = 5;
/** Attempts of a step at most. */
const TRIES = 3;

describe("a durable run of a random plan that is killed", () => {
  for (let seed = 1; seed <= SEEDS; seed++)
    test(`of seed ${seed} ends as if it had not been`, async () => {
      const random = uniform(seed);
      const plan = new Planner(random).plan(2);
      const expected = new Model(true).run(plan, N);
      const failing = failingIn(plan);
      const calls: string[] = [];
      const execute = async (params: { id: string; from?: string }) => {
        calls.push(params.id);
        if (failing.get(params.id)!.size > 0) throw new Error("planned");
        return { operation: "run", result: `${params.id}.0${params.from ?? ""}` };
      };
      const tool = { ...noting([], "call"), execute: execute as never };
      const table = repeatable(definitionOf(plan)) as Record<string, unknown>;
      const run = async (storage: Storage) =>
        (await here.processOf([tool], { storage })).run(table, { n: N }, { runId: "r" });

      const counted = dying(await openStorage(":memory:"), Number.POSITIVE_INFINITY, "before");
      compare(await run(counted.storage).catch((error: unknown) => error), expected);
      const planned = callsIn(expected.trace).length;
      // where a nested workflow is repeated, what it had done is not done again
      expect(calls.length).toBeLessThanOrEqual(planned);

      calls.length = 0;
      const storage = await openStorage(":memory:");
      let kills = 0;
      for (const when of ["before", "after"] as const) {
        const at = 1 + Math.floor(random() * counted.count.writes);
        const mortal = dying(storage, at, when);
        const one = await here.processOf([tool], { storage: mortal.storage });
        const ending = one.run(table, { n: N }, { runId: "r" }).catch(() => undefined);
        await Promise.race([mortal.died.then(() => kills++), ending]);
        await Bun.sleep(1);
        await bury(one);
      }
      compare(await run(storage).catch((error: unknown) => error), expected);
      // what ended a run is tried again with it, as often as the first time; else only what was under way
      const again =
        kills * TRIES * mostAtOnce(expected.trace) + (expected.raisedBy === undefined ? 0 : 2 * planned);
      expect(calls.length).toBeLessThanOrEqual(planned + again);
      storage.close();
    });
});

/** Every step may be done again: nobody has to decide. */
function repeatable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(repeatable);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  const fields = Object.fromEntries(Object.entries(value).map(([key, member]) => [key, repeatable(member)]));
  return fields.tool === "call" ? { ...fields, repeatable: true } : fields;
}
