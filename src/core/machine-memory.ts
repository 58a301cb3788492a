import { freemem, totalmem } from "node:os";
import { type CgroupLimits, cgroupLimits, type ReadText, readText } from "./cgroup.ts";

/** Memory that this process can have, in bytes. */
export interface MachineMemory {
  totalBytes: number;
  freeBytes: number;
  /** What bounds it. */
  boundBy: "machine" | "cgroup";
}

/** The machine's memory, or what a control group leaves of it. Free is what can be had without swapping. */
export function machineMemory(
  read: ReadText = readText,
  group: CgroupLimits["memory"] = cgroupLimits(read).memory,
): MachineMemory {
  const meminfo = read("/proc/meminfo") ?? "";
  const of = (key: string) => {
    const kib = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(meminfo)?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  };
  const totalBytes = of("MemTotal") ?? totalmem();
  const freeBytes = of("MemAvailable") ?? freemem();
  const left = group === undefined ? Number.POSITIVE_INFINITY : group.limitBytes - group.usedBytes;
  if (group === undefined || (group.limitBytes >= totalBytes && left >= freeBytes))
    return { totalBytes, freeBytes, boundBy: "machine" };
  return {
    totalBytes: Math.min(totalBytes, group.limitBytes),
    freeBytes: Math.max(0, Math.min(freeBytes, left)),
    boundBy: "cgroup",
  };
}
