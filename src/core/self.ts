import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isCompiled } from "./worker.ts";

/** First word of a command line that tries a model file and does nothing else; not for people. */
export const PROBE_COMMAND = "__probe-model";

/** The same for the machine's devices: `__probe-devices DEVICE`. */
export const PROBE_DEVICES_COMMAND = "__probe-devices";

/** The command line of this program: the executable, or Bun with the source in development. */
export function ownCommand(...words: string[]): string[] {
  if (isCompiled) return [executable(), ...words];
  return [process.execPath, fileURLToPath(new URL("../main.ts", import.meta.url)), ...words];
}

/** On Linux what runs here also when another file has taken its place meanwhile, or none. */
function executable(): string {
  const own = "/proc/self/exe";
  return process.platform === "linux" && !isSameFile(process.execPath, own) ? own : process.execPath;
}

function isSameFile(path: string, other: string): boolean {
  const [a, b] = [path, other].map((each) => statSync(each, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}
