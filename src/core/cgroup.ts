/** What Linux's control groups grant this process: processors and memory, versions 1 and 2. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface CgroupLimits {
  /** Whole processors' worth of time, rounded up. */
  cpus?: number;
  /** Memory of the tightest group above this process, and what is used of it without what the kernel can drop. */
  memory?: { limitBytes: number; usedBytes: number };
}

export type ReadText = (path: string) => string | undefined;

const ROOT = "/sys/fs/cgroup";
/** Version 1 says "no limit" with the largest page-aligned number. */
const NO_LIMIT_BYTES = 2 ** 60;

/** The tightest limits of the groups that this process is in and of those above them; empty outside Linux. */
export function cgroupLimits(read: ReadText = readText): CgroupLimits {
  const limits: CgroupLimits = {};
  for (const directory of directoriesOf(read, "cpu")) {
    const cpus = cpusOf(read, directory);
    if (cpus !== undefined) limits.cpus = Math.min(cpus, limits.cpus ?? cpus);
  }
  for (const directory of directoriesOf(read, "memory")) {
    const memory = memoryOf(read, directory);
    const left = (m: NonNullable<typeof memory>) => m.limitBytes - m.usedBytes;
    if (memory !== undefined && (limits.memory === undefined || left(memory) < left(limits.memory)))
      limits.memory = memory;
  }
  return limits;
}

/** The group's directory and its parents. A container sees its own group as the root, whatever the list says. */
function* directoriesOf(read: ReadText, controller: "cpu" | "memory"): Generator<string> {
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const isV2 = controllers === "";
    if (!isV2 && !controllers.split(",").includes(controller)) continue;
    const root = isV2 ? ROOT : join(ROOT, controller);
    let directory = join(root, path);
    while (directory.startsWith(`${root}/`) && directory !== root) {
      yield directory;
      directory = dirname(directory);
    }
    yield root;
  }
}

function cpusOf(read: ReadText, directory: string): number | undefined {
  const v2 = read(join(directory, "cpu.max"))?.trim().split(" ").map(Number);
  const [quota, period] = v2 ?? [
    number(read(join(directory, "cpu.cfs_quota_us"))),
    number(read(join(directory, "cpu.cfs_period_us"))),
  ];
  if (quota === undefined || period === undefined || !(quota > 0) || !(period > 0)) return undefined;
  return Math.ceil(quota / period);
}

function memoryOf(read: ReadText, directory: string): CgroupLimits["memory"] {
  const isV2 = read(join(directory, "memory.max")) !== undefined;
  const limitBytes = isV2
    ? Math.min(
        number(read(join(directory, "memory.max"))) ?? Number.POSITIVE_INFINITY,
        number(read(join(directory, "memory.high"))) ?? Number.POSITIVE_INFINITY,
      )
    : number(read(join(directory, "memory.limit_in_bytes")));
  if (limitBytes === undefined || limitBytes >= NO_LIMIT_BYTES) return undefined;
  const usedBytes = number(read(join(directory, isV2 ? "memory.current" : "memory.usage_in_bytes"))) ?? 0;
  const stat = read(join(directory, "memory.stat")) ?? "";
  const droppable = number(/^(?:total_)?inactive_file (\d+)$/m.exec(stat)?.[1]) ?? 0;
  return { limitBytes, usedBytes: Math.max(0, usedBytes - droppable) };
}

/** Undefined for `max` and for what is no number. */
function number(text: string | undefined): number | undefined {
  const value = Number(text?.trim() || Number.NaN);
  return Number.isNaN(value) ? undefined : value;
}

/** Undefined where there is no such file. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EACCES" || code === "ENODEV" || code === "EINVAL") return undefined;
    throw error;
  }
}
