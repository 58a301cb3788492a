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

/** On Linux what runs here, even when another file has taken its place meanwhile, or none. */
const executable = (): string => (process.platform === "linux" ? "/proc/self/exe" : process.execPath);
