import { readText } from "./cgroup.ts";

/** Whether a process of this number runs, whoever owns it. One that has ended and was not waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(readText(`/proc/${pid}/stat`) ?? "");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A second of Linux's clock for processes has so many ticks, on every machine we build for. */
const TICKS_A_SECOND = 100;

/**
 * Whether the process began after this time, so that its number was another's before. False where that cannot be told.
 * Source: proc(5), `starttime` of /proc/PID/stat and `btime` of /proc/stat, which is in whole seconds.
 */
export function beganAfter(pid: number, timeMs: number): boolean {
  const ticks = /\) (?:\S+ ){19}(\d+)/.exec(readText(`/proc/${pid}/stat`) ?? "")?.[1];
  const bootSeconds = /^btime (\d+)$/m.exec(readText("/proc/stat") ?? "")?.[1];
  if (ticks === undefined || bootSeconds === undefined) return false;
  return (Number(bootSeconds) + Number(ticks) / TICKS_A_SECOND) * 1000 > timeMs + 2000;
}
