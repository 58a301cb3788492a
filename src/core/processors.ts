import { availableParallelism } from "node:os";
import { cgroupLimits, type ReadText, readText } from "./cgroup.ts";

/** Processors as this process may use them. */
export interface Processors {
  /** Logical processors that are allowed: by affinity and cpuset. */
  allowed: number;
  /** Physical cores among them. */
  cores: number;
  /** Cores for computing: without the slow ones of a hybrid processor. */
  fastCores: number;
  /** Whole processors' worth of time that a control group grants; undefined without a limit. */
  quota?: number;
  /** Threads that compute: one for each fast core, within the quota. */
  threads: number;
}

const CPU = "/sys/devices/system/cpu";
/** Arm's capacities run to 1024; a core below half of the best holds the others up. */
const FAST_SHARE = 0.5;

export function processors(read: ReadText = readText, platform = process.platform): Processors {
  if (platform !== "linux") {
    const allowed = availableParallelism();
    const fastCores = platform === "darwin" ? Math.min(allowed, macCores() ?? allowed) : allowed;
    return { allowed, cores: fastCores, fastCores, threads: fastCores };
  }
  const cpus = allowedCpus(read);
  const cores = coresOf(read, cpus);
  const fastCores = fast(read, cores).length;
  const quota = cgroupLimits(read).cpus;
  return {
    allowed: cpus.length,
    cores: cores.length,
    fastCores,
    ...(quota === undefined ? {} : { quota }),
    threads: Math.max(1, Math.min(fastCores, quota ?? fastCores)),
  };
}

/** Numbers of a kernel list such as `0-3,8`. */
export function cpuList(text: string): number[] {
  return text
    .trim()
    .split(",")
    .flatMap((range) => {
      const [from, to = from] = range.split("-").map(Number);
      if (from === undefined || to === undefined || range === "") return [];
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
}

/** Those of the process's affinity, which the kernel keeps within its cpuset. */
function allowedCpus(read: ReadText): number[] {
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(read("/proc/self/status") ?? "")?.[1];
  const online = read(`${CPU}/online`);
  const all = Array.from({ length: availableParallelism() }, (_, i) => i);
  if (allowed === undefined) return online === undefined ? all : cpuList(online);
  const isOnline = online === undefined ? undefined : new Set(cpuList(online));
  return cpuList(allowed).filter((cpu) => isOnline?.has(cpu) ?? true);
}

/** One logical processor of each core. */
function coresOf(read: ReadText, cpus: readonly number[]): number[] {
  const first = new Map<string, number>();
  for (const cpu of cpus) {
    const topology = `${CPU}/cpu${cpu}/topology`;
    const core = read(`${topology}/core_cpus_list`) ?? read(`${topology}/thread_siblings_list`) ?? `${cpu}`;
    if (!first.has(core)) first.set(core, cpu);
  }
  return [...first.values()];
}

/** Without the efficiency cores, where the kernel tells which they are and others are allowed. */
function fast(read: ReadText, cores: readonly number[]): readonly number[] {
  const performance = new Set(cpuList(read("/sys/devices/cpu_core/cpus") ?? ""));
  const capacities = cores.map((cpu) => Number(read(`${CPU}/cpu${cpu}/cpu_capacity`) ?? 0));
  const best = Math.max(...capacities);
  const kept = cores.filter((cpu, i) =>
    performance.size > 0 ? performance.has(cpu) : capacities[i]! >= best * FAST_SHARE,
  );
  return kept.length === 0 ? cores : kept;
}

/** Performance cores of Apple's processors, all cores of Intel's. */
function macCores(): number | undefined {
  for (const key of ["hw.perflevel0.physicalcpu", "hw.physicalcpu"]) {
    const { success, stdout } = Bun.spawnSync(["/usr/sbin/sysctl", "-n", key], { stderr: "ignore" });
    const count = Number(stdout.toString());
    if (success && count > 0) return count;
  }
  return undefined;
}
