/**
 * The memory of a kernel that listens. JavaScript's own collector lets garbage grow to a multiple of what lives, more
 * where a process holds memory of other kinds too; a kernel runs for days beside other programs, and many small requests
 * would make it hold twice what it needs.
 */
import { gcAndSweep } from "bun:jsc";

const LOOK_EVERY_MS = 1000;
/** Nothing was asked for so long: what requests left behind is collected. */
const IDLE_MS = 1000;
/** Under load the process may grow so far before it is collected: by this share, and by no less than this. */
const GROWTH_SHARE = 0.1;
const GROWTH_BYTES = 16 * 1024 * 1024;
/** Collecting takes one of so many parts of the time at most. */
const TIME_PARTS = 20;

/** @param lastActivityMs when a request last came, ran or ended. @returns ends it */
export function watchGarbage(lastActivityMs: () => number): () => void {
  let settledBytes = process.memoryUsage.rss();
  let collectedForMs = lastActivityMs();
  let notBeforeMs = 0;
  const timer = setInterval(() => {
    const activeMs = lastActivityMs();
    const begunMs = performance.now();
    if (activeMs === collectedForMs || begunMs < notBeforeMs) return;
    const isIdle = Date.now() - activeMs >= IDLE_MS;
    const grownBytes = process.memoryUsage.rss() - settledBytes;
    if (!isIdle && grownBytes < Math.max(GROWTH_BYTES, settledBytes * GROWTH_SHARE)) return;
    gcAndSweep();
    const endedMs = performance.now();
    notBeforeMs = endedMs + (endedMs - begunMs) * TIME_PARTS;
    settledBytes = process.memoryUsage.rss();
    if (isIdle) collectedForMs = activeMs;
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
