/**
 * The gate: `bun run check`. Types, lint and format, module boundaries, generated files up to date, unit and
 * conformance tests, tests of the executable. Changes no file of the project. Builds the executable when it is older
 * than its sources.
 */
import { spawn } from "bun";
import packageJson from "../package.json" with { type: "json" };

interface Step {
  name: string;
  command: string[];
}

const bun = process.execPath;
const steps: Step[] = [
  { name: "types", command: [bun, "node_modules/typescript/bin/tsc", "-p", "."] },
  { name: "lint and format", command: [bun, "node_modules/@biomejs/biome/bin/biome", "ci", "."] },
  { name: "module boundaries", command: [bun, "scripts/boundaries.ts"] },
  { name: "generated files", command: [bun, "scripts/docs.ts", "--check"] },
  { name: "build", command: [bun, "build.ts"] },
  { name: "tests", command: [bun, "test", "--timeout", "60000"] },
];

/** Runs a step with its output shown; the sums of `bun test` are read from it. */
async function run(step: Step): Promise<{ ok: boolean; passed: number; failed: number }> {
  const proc = spawn(step.command, {
    stdout: "pipe",
    stderr: "pipe",
    stdin: "ignore",
    env: { ...process.env, BUN_BE_BUN: undefined },
  });
  let output = "";
  const show = async (stream: ReadableStream<Uint8Array>, target: NodeJS.WriteStream) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      output += decoder.decode(chunk, { stream: true });
      target.write(chunk);
    }
  };
  await Promise.all([show(proc.stdout, process.stdout), show(proc.stderr, process.stderr)]);
  const ok = (await proc.exited) === 0;
  const sum = (word: string) => Number(output.match(new RegExp(`^ *(\\d+) ${word}$`, "m"))?.[1] ?? 0);
  return step.name === "tests"
    ? { ok, passed: sum("pass"), failed: sum("fail") }
    : { ok, passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
}

if (Bun.version !== packageJson.packageManager.split("@")[1]) {
  console.error(
    `Cannot check: this is Bun ${Bun.version}, the project is pinned to ${packageJson.packageManager}`,
  );
  process.exit(1);
}
const broken: string[] = [];
let passed = 0;
let failed = 0;
for (const step of steps) {
  console.log(`\n── ${step.name}`);
  const result = await run(step);
  passed += result.passed;
  failed += result.failed;
  if (!result.ok) {
    broken.push(step.name);
    if (result.failed === 0) failed += 1;
  }
}
console.log(broken.length === 0 ? "\nAll checks hold." : `\nBroken: ${broken.join(", ")}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(broken.length === 0 ? 0 : 1);
