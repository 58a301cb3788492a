/** The thread that runs scripts, started before anybody knows what it will run under. */
import { workerUrl } from "./worker.ts";

let spare: Worker | undefined;

function start(): Worker {
  return new Worker(workerUrl("src/engine/lua/worker"));
}

/** Starts the next engine's thread now: loading its code and loading the kernel then overlap. */
export function startScriptThread(): void {
  spare ??= start();
}

/** The thread that was started ahead, or a new one. It waits for its start message. */
export function takeScriptThread(): Worker {
  const taken = spare ?? start();
  spare = undefined;
  return taken;
}
