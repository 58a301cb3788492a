/**
 * `bun run soak [NAME…] [--seed N] [--full]`: long runs that look for hangs, leaks, crashes and things left behind.
 * Without a name all of them run. Prints one table row each, as docs/reliability.md holds them.
 */
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { didYouMean } from "../../src/core/nearest.ts";
import { EXECUTABLE } from "../support/cli.ts";
import { soaks } from "./list.ts";

function fail(message: string, next: string): never {
  console.error(`${message}\n  Next: ${next}`);
  process.exit(2);
}

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { seed: { type: "string", default: "1" }, full: { type: "boolean", default: false } },
});
const names = soaks.map((soak) => soak.name);
for (const name of positionals) {
  if (names.includes(name)) continue;
  fail(
    `Cannot run soak: no such name: "${name}"`,
    didYouMean(name, names) ?? `Choose from ${names.join(", ")}`,
  );
}
const seed = Number(values.seed);
if (!Number.isSafeInteger(seed) || seed < 0)
  fail(`Cannot run soak: the seed must be a whole number: "${values.seed}"`, "Leave it out for seed 1");
if (!existsSync(EXECUTABLE))
  fail(`Cannot run soak: no executable: "${EXECUTABLE}"`, "Build it with `bun run build`");

let failed = 0;
for (const soak of soaks) {
  if (positionals.length > 0 && !positionals.includes(soak.name)) continue;
  console.error(`${soak.name}: ${soak.description}`);
  const begun = performance.now();
  try {
    const figures = await soak.run({ seed, full: values.full });
    const shown = Object.entries(figures).map(([what, figure]) => `${what} ${figure}`);
    const seconds = Math.round((performance.now() - begun) / 1000);
    console.log(`| ${soak.name} | ${shown.join("; ")} | ${seed} | ${seconds} s |`);
  } catch (error) {
    failed++;
    console.error(`${soak.name} failed with seed ${seed}: ${(error as Error).stack}`);
  }
}
process.exit(failed === 0 ? 0 : 1);
