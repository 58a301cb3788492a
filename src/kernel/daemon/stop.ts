/** Ending a kernel from outside: ask, wait, force. */
import { rmSync } from "node:fs";
import { SpellError } from "../../core/errors.ts";
import { errnoOf } from "../../core/io-error.ts";
import { isAlive } from "../../core/process-alive.ts";
import { isHeld, readPid } from "./pid-file.ts";

export interface StopTarget {
  id: string;
  pid: number;
  connectionFile: string | undefined;
  pidFile: string | undefined;
}

export interface StopOptions {
  /** SIGKILL at once. */
  force: boolean;
  timeoutMs: number;
  /** Remove what a kernel that was killed left. */
  cleanUp: boolean;
  /** Ends the wait. */
  signal: AbortSignal;
}

const POLL_MS = 100;
const PROGRESS_EVERY_MS = 5000;
const KILL_WAIT_MS = 500;

/** @throws SpellError not_found where no kernel holds the file, which is then removed */
export function targetOfPidFile(path: string, running: readonly StopTarget[]): StopTarget {
  const pid = readPid(path);
  if (pid === undefined)
    throw new SpellError("not_found", `No kernel is named by PID file ${path}`, {
      hint: "`llmspell kernel list` shows the kernels that run",
    });
  const known = running.find((target) => target.pid === pid);
  if (known === undefined && !isHeld(path)) {
    rmSync(path, { force: true });
    throw new SpellError("not_found", `The kernel of PID file ${path} has ended: ${pid}`, {
      hint: "The file was stale and is removed",
    });
  }
  return { id: known?.id ?? String(pid), pid, connectionFile: known?.connectionFile, pidFile: path };
}

/** @param onWait told every 5 s how long it takes @throws SpellError permission_denied, timeout, interrupted */
export async function stopKernel(
  target: StopTarget,
  { force, timeoutMs, cleanUp, signal }: StopOptions,
  onWait: (seconds: number) => void,
): Promise<void> {
  const { pid } = target;
  send(target, force ? "SIGKILL" : "SIGTERM");
  if (!force && !(await ended(pid, timeoutMs, signal, onWait))) send(target, "SIGKILL");
  if (!(await ended(pid, KILL_WAIT_MS, signal, onWait)))
    throw new SpellError("timeout", `Kernel ${target.id} does not end: ${pid}`, {
      hint: "The system is finishing something for it; look again with `llmspell kernel list`",
    });
  if (!cleanUp) return;
  for (const path of [target.connectionFile, target.pidFile]) if (path) rmSync(path, { force: true });
}

function send({ id, pid }: StopTarget, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (cause) {
    if (errnoOf(cause) === "ESRCH") return; // it has ended meanwhile
    throw new SpellError(
      "permission_denied",
      `Cannot stop kernel ${id}: it belongs to another user: ${pid}`,
      {
        cause,
      },
    );
  }
}

async function ended(
  pid: number,
  limitMs: number,
  signal: AbortSignal,
  onWait: (seconds: number) => void,
): Promise<boolean> {
  for (let waitedMs = 0; isAlive(pid); waitedMs += POLL_MS) {
    signal.throwIfAborted();
    if (waitedMs >= limitMs) return false;
    if (waitedMs > 0 && waitedMs % PROGRESS_EVERY_MS === 0) onWait(waitedMs / 1000);
    await Bun.sleep(POLL_MS);
  }
  return true;
}
