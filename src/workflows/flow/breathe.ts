/** So long may steps that never wait for anything keep timers and other clients waiting. */
const LONGEST_MS = 8;

let lastMs = 0;

/** Lets timers and others have their turn, now and then. */
export async function breathe(): Promise<void> {
  const nowMs = performance.now();
  if (nowMs - lastMs < LONGEST_MS) return;
  await new Promise((resolve) => setImmediate(resolve));
  lastMs = performance.now();
}
