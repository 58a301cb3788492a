/**
 * The limit for workflows: the same reckoning in plain TypeScript, each step a promise whose result is kept by name, and nothing
 * else: no checks, limits, events, conditions. Prints a median in microseconds: of one step of 200 (`steps`), of 100 branches
 * (`branches N`: N at a time).
 */
export {};

const BATCHES = 15;
const STEPS = 200;
const BRANCHES = 100;
const AT_ONCE = Number(process.argv[3] ?? 4);

/** A sum as `1+1` writes it. */
async function calculate(input: string): Promise<{ result: number }> {
  let sum = 0;
  for (const part of input.split("+")) sum += Number(part);
  return { result: sum };
}

async function steps(): Promise<number> {
  const startMs = performance.now();
  const results = new Map<string, unknown>();
  for (let i = 0; i < STEPS; i++) results.set(`s${i}`, await calculate("1+1"));
  return ((performance.now() - startMs) * 1000) / STEPS;
}

async function branches(): Promise<number> {
  const startMs = performance.now();
  const results = new Map<string, unknown>();
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < BRANCHES; i = next++) results.set(`s${i}`, await calculate("1+1"));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return (performance.now() - startMs) * 1000;
}

const sample = process.argv[2] === "branches" ? branches : steps;
await sample();
const times: number[] = [];
for (let batch = 0; batch < BATCHES; batch++) times.push(await sample());
times.sort((a, b) => a - b);
console.log(times[times.length >> 1]);
