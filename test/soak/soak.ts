/** What the long runs share: their shape, a process with a guard, and what must not be left behind. */
import { readdirSync, readFileSync } from "node:fs";
import type { Sandbox } from "../support/cli.ts";

export interface SoakOptions {
  seed: number;
  /** The numbers an issue names; without it a form short enough for the gate. */
  full: boolean;
}

/** What was counted and measured, in the order in which it is shown. */
export type Figures = Record<string, number | string>;

export interface Soak {
  name: string;
  description: string;
  /** @throws Error at the first thing that is not as it should be, with the seed's round in its text */
  run(options: SoakOptions): Promise<Figures>;
}

export class SoakFailure extends Error {
  override readonly name = "SoakFailure";
}

export function check(holds: boolean, what: string, details: unknown = ""): asserts holds {
  if (holds) return;
  const text = typeof details === "string" ? details : JSON.stringify(details, null, 1);
  throw new SoakFailure(`${what}\n${text}`.trimEnd());
}

export interface Ended {
  code: number;
  signal: string | null;
  stdout: string;
  stderr: string;
}

type Started = ReturnType<Sandbox["start"]>;

/** Waits for a process; one that does not end in time is killed, and the soak fails. */
export async function ended(proc: Started, guardMs: number, what: string): Promise<Ended> {
  let hung = false;
  const guard = setTimeout(() => {
    hung = true;
    proc.kill("SIGKILL");
  }, guardMs);
  const [stdout, stderr, code] = await Promise.all([
    new Response(proc.stdout).text(),
    new Response(proc.stderr).text(),
    proc.exited,
  ]);
  clearTimeout(guard);
  check(!hung, `${what}: it still ran after ${guardMs} ms`, { stdout: stdout.slice(-500), stderr });
  return { code, signal: proc.signalCode === null ? null : String(proc.signalCode), stdout, stderr };
}

/** Signals that a program gives itself when it crashes. */
const CRASHES = new Set(["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS"]);

/** No crash, no report of a bug of ours. */
export function checkSound(end: Ended, what: string): void {
  check(end.signal === null || !CRASHES.has(end.signal), `${what}: it crashed by ${end.signal}`, end);
  check(
    !/This is a bug in llmspell|panic|Segmentation|GGML_ASSERT|oh no: Bun/.test(end.stderr),
    `${what}: it reported a bug`,
    end.stderr.slice(0, 4000),
  );
}

/** Processes whose environment has the entry `NAME=value`. Linux only; elsewhere none are seen. */
function processesWith(entry: string): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => ofProcess(pid, "environ").split("\0").includes(entry));
}

/**
 * The most memory that a process has held until now. Linux only; elsewhere 0. What `resourceUsage` tells after its end is no
 * less than what its parent held when it started the process.
 */
export function mostRssBytesOf(pid: number): number {
  if (process.platform !== "linux") return 0;
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(ofProcess(pid, "status"))?.[1] ?? 0) * 1024;
}

function ofProcess(pid: number, file: "environ" | "status"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(code)) return ""; // ended meanwhile, or another user's
    throw error;
  }
}

/** Processes with that entry that are still there after a moment: one that was told to end takes a little to do so. */
export async function processesLeftWith(entry: string): Promise<number[]> {
  for (let looks = 0; looks < 100 && processesWith(entry).length > 0; looks++) await Bun.sleep(20);
  return processesWith(entry);
}

/** Every path below a directory, sorted; empty where it is absent. */
export function filesBelow(directory: string): string[] {
  try {
    return (readdirSync(directory, { recursive: true }) as string[]).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

export function pick<T>(random: () => number, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

export function between(random: () => number, low: number, high: number): number {
  return Math.floor(low + random() * (high - low));
}

/** By how much the highest of the later half of the looks is above the highest of the earlier half: a heap breathes. */
export function grownBy(looks: readonly number[]): number {
  const half = Math.ceil(looks.length / 2);
  return Math.max(...looks.slice(half)) - Math.max(...looks.slice(0, half));
}
