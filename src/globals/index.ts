/** Every global a script sees, in the order of spec/lua-api.md section 0.2. */
import { AgentGlobal } from "./agent.ts";
import { ConfigGlobal } from "./config.ts";
import { DebugGlobal } from "./debug.ts";
import type { GlobalDecl } from "./declare.ts";
import { LoggerGlobal, UtilsGlobal } from "./empty.ts";
import { HookGlobal } from "./hook.ts";
import { JSONGlobal } from "./json.ts";
import { LocalLLMGlobal } from "./local-llm.ts";
import { ProviderGlobal } from "./provider.ts";
import { StreamingGlobal } from "./streaming.ts";
import { ToolGlobal } from "./tool.ts";

export const globals: readonly GlobalDecl[] = [
  AgentGlobal,
  ToolGlobal,
  HookGlobal,
  ConfigGlobal,
  ProviderGlobal,
  DebugGlobal,
  JSONGlobal,
  StreamingGlobal,
  LocalLLMGlobal,
  LoggerGlobal,
  UtilsGlobal,
];
