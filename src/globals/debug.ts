import { displays } from "./debug/display.ts";
import { dumps } from "./debug/dump.ts";
import { logging } from "./debug/logging.ts";
import { timerClass, timing } from "./debug/timing.ts";
import { traces } from "./debug/trace.ts";
import type { GlobalDecl } from "./declare.ts";

export const DebugGlobal: GlobalDecl = {
  name: "Debug",
  doc: "Logging, timing and looking at values.",
  functions: { ...logging, ...timing, ...dumps, ...displays, ...traces },
  classes: [timerClass],
  bothSpellings: true,
};
