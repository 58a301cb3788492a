import { afterAll, expect, test } from "bun:test";
import { harness } from "../unit/engine/harness.ts";
import { Generator, randomFrom, SHOW, shown } from "./bridge-model.ts";

const CALLS = 10_000;
const SEED = 20_261_122;

const h = harness();
afterAll(() => h.engine.dispose());

test("random nested calls and callbacks with random values agree with the model of the rules", async () => {
  const generator = new Generator(randomFrom(SEED));
  let calls = 0;
  while (calls < CALLS) {
    const programs = Array.from({ length: 50 }, () => generator.program(8));
    calls += programs.reduce((sum, p) => sum + p.calls, 0);
    const code = `${SHOW}\nreturn {${programs.map((p) => `(function() return show((${p.source})) end)()`).join(",\n")}}`;
    const outcome = await h.run(code);
    expect(outcome.error).toBeUndefined();
    expect(outcome.value).toEqual(programs.map((p) => shown(p.value)));
  }
  expect(calls).toBeGreaterThanOrEqual(CALLS);
}, 60_000);
