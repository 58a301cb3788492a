import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The executable that all figures are about. */
export const LLMSPELL = resolve(
  import.meta.dir,
  "..",
  "dist",
  process.platform === "win32" ? "llmspell.exe" : "llmspell",
);

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Samples of several measurements taken in turns (A B, B A, A B …), so that a machine that slows down or speeds up in
 * between does so for all of them. One round before the counted ones warms caches.
 */
export async function interleave<K extends string, T>(
  rounds: number,
  samplers: Record<K, () => Promise<T>>,
): Promise<Record<K, T[]>> {
  const names = Object.keys(samplers) as K[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, T[]>;
  for (let round = -1; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const sample = await samplers[name]();
      if (round >= 0) samples[name].push(sample);
    }
  }
  return samples;
}

/** The medians of `interleave`. */
export async function medians<K extends string>(
  rounds: number,
  samplers: Record<K, () => Promise<number>>,
): Promise<Record<K, number>> {
  const samples = await interleave(rounds, samplers);
  const names = Object.keys(samples) as K[];
  return Object.fromEntries(names.map((name) => [name, median(samples[name])])) as Record<K, number>;
}

/** A directory for one run: home and scratch. Removed by `using`. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "llmspell-bench-"));

  /** The environment of measured programs: nothing of the user's own settings. */
  get env(): Record<string, string> {
    return {
      PATH: process.env.PATH ?? "",
      HOME: this.path,
      LLMSPELL_HOME: join(this.path, "home"),
      LC_ALL: "C.UTF-8",
    };
  }

  async file(name: string, content: string): Promise<string> {
    const path = join(this.path, name);
    await Bun.write(path, content);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface Finished {
  stdout: string;
  /** From the start to the first byte on standard output. */
  firstByteMs: number;
  totalMs: number;
}

/** Runs a program to its end. @throws Error when it fails, with what it wrote to standard error */
export async function run(command: readonly string[], scratch: Scratch): Promise<Finished> {
  const started = performance.now();
  const child = Bun.spawn([...command], {
    cwd: scratch.path,
    env: scratch.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const errors = new Response(child.stderr).text();
  let firstByteMs = Number.NaN;
  const chunks: Uint8Array[] = [];
  for await (const chunk of child.stdout) {
    if (chunks.length === 0) firstByteMs = performance.now() - started;
    chunks.push(chunk);
  }
  const code = await child.exited;
  const totalMs = performance.now() - started;
  if (code !== 0) throw new Error(`\`${command.join(" ")}\` ended with ${code}: ${(await errors).trim()}`);
  return { stdout: Buffer.concat(chunks).toString(), firstByteMs, totalMs };
}
