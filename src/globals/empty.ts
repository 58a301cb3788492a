/** Tables that scripts of the reference may look into and that hold nothing there: spec/lua-api.md section 0.2. */
import type { GlobalDecl } from "./declare.ts";

const emptyGlobal = (name: string, doc: string): GlobalDecl => ({ name, doc, functions: {} });

export const LoggerGlobal = emptyGlobal(
  "Logger",
  "An empty table, there for scripts that probe it. `Debug` logs.",
);
export const UtilsGlobal = emptyGlobal("Utils", "An empty table, there for scripts that probe it.");
