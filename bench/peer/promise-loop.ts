/**
 * The limit for workflows: the same calls of the same tool in a loop of promises, without names, results that are kept, events,
 * limits or conditions. Prints a median in microseconds: of one call (`steps`), of 100 calls, four at a time (`branches`).
 */
import { defaultOf } from "../../src/config/decode.ts";
import { ROOT } from "../../src/config/node.ts";
import type { Config } from "../../src/config/schema.ts";
import { silentLog } from "../../src/core/log.ts";
import { createToolService } from "../../src/tools/create.ts";
import { median } from "../measure.ts";

const BATCHES = 15;
const STEPS = 200;
const BRANCHES = 100;

const config = {
  current: defaultOf(ROOT) as Config,
  source: "bench",
  isExplicit: () => false,
  update: () => {},
};
const tools = createToolService({ config, log: silentLog, env: {}, cwd: "/" });
const call = () => tools.execute("calculator", { input: "1+1" }, { correlationId: "bench" });

async function steps(): Promise<number> {
  const startMs = performance.now();
  for (let i = 0; i < STEPS; i++) await call();
  return ((performance.now() - startMs) * 1000) / STEPS;
}

async function branches(): Promise<number> {
  const startMs = performance.now();
  let next = 0;
  const worker = async () => {
    while (next++ < BRANCHES) await call();
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  return (performance.now() - startMs) * 1000;
}

const sample = process.argv[2] === "branches" ? branches : steps;
await sample();
const times: number[] = [];
for (let batch = 0; batch < BATCHES; batch++) times.push(await sample());
console.log(median(times));
