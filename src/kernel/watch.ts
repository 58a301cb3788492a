/** Reasons to end that no client and no signal gives. */
import { isAlive } from "../core/process-alive.ts";

/** A shorter time that a reload sets is noticed after this. */
const LOOK_EVERY_MS = 60_000;
const PARENT_EVERY_MS = 1000;

/** Ends a kernel that nobody has asked anything for so long; 0: never. @returns ends the watch */
export function watchIdle(
  activity: () => { lastMs: number; idleMs: number },
  onIdle: () => void,
): () => void {
  let timer: Timer;
  const look = () => {
    const { lastMs, idleMs } = activity();
    const leftMs = idleMs === 0 ? LOOK_EVERY_MS : lastMs + idleMs - Date.now();
    if (leftMs <= 0) onIdle();
    else timer = setTimeout(look, Math.min(leftMs, LOOK_EVERY_MS));
  };
  look();
  return () => clearTimeout(timer);
}

/** Jupyter names the process that started the kernel: without it nobody would end the kernel. @returns ends the watch */
export function watchParent(env: Record<string, string | undefined>, onGone: () => void): () => void {
  const parent = Number(env.JPY_PARENT_PID);
  if (!Number.isSafeInteger(parent) || parent <= 1) return () => {};
  const timer = setInterval(() => {
    if (isAlive(parent)) return;
    clearInterval(timer);
    onGone();
  }, PARENT_EVERY_MS);
  return () => clearInterval(timer);
}
