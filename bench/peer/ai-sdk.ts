/** The AI SDK's own loop (`ai`), which runs turns of a model with tools as our agents do. */
import type { Unavailable } from "../row.ts";
import { installPackages } from "./npm-packages.ts";

/** Of the same specification of models as ours. */
const VERSION = "7.0.173";

export function installAiSdk(): Promise<string | Unavailable> {
  return installPackages(`ai-${VERSION}`, [`ai@${VERSION}`]);
}
