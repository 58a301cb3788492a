import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Below this, threads wait for each other longer than they compute, and on a busy machine for whole time slices. */
const SMALL_MODEL_PARAMETERS = 30_000_000;

/** Threads for a model: one for a small one, else every physical core. */
export function threadsFor(parameterCount: number): number {
  return parameterCount < SMALL_MODEL_PARAMETERS ? 1 : computeThreads();
}

/**
 * Physical cores this process may use. A second thread on one core only makes llama.cpp slower (its own programs count
 * the same way).
 */
export function computeThreads(): number {
  const usable = availableParallelism();
  if (process.platform !== "linux") return usable;
  return Math.max(
    1,
    Math.min(usable, physicalCores(read("/proc/cpuinfo"), usable), quota(read("/sys/fs/cgroup/cpu.max"))),
  );
}

/** Cores in the text of /proc/cpuinfo; `usable` where it names none. */
export function physicalCores(cpuinfo: string, usable: number): number {
  const cores = new Set<string>();
  for (const processor of cpuinfo.split("\n\n")) {
    const socket = /^physical id\s*:\s*(\d+)/m.exec(processor)?.[1];
    const core = /^core id\s*:\s*(\d+)/m.exec(processor)?.[1];
    if (socket !== undefined && core !== undefined) cores.add(`${socket}:${core}`);
  }
  return cores.size || usable;
}

/** Whole processors in the text of a cgroup's cpu.max ("200000 100000"); no bound where it has none. */
export function quota(cpuMax: string): number {
  const [limit, period] = cpuMax.trim().split(" ").map(Number);
  if (!limit || !period) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.ceil(limit / period));
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // no such file in this container: no bound from it
  }
}
