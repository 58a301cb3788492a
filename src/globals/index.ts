/** Every global a script sees, in the order of spec/lua-api.md section 0.2. */
import { AgentGlobal } from "./agent.ts";
import { ArtifactGlobal } from "./artifact.ts";
import { ConfigGlobal } from "./config.ts";
import { DebugGlobal } from "./debug.ts";
import type { GlobalDecl } from "./declare.ts";
import { LoggerGlobal, UtilsGlobal } from "./empty.ts";
import { EventGlobal } from "./event.ts";
import { HookGlobal } from "./hook.ts";
import { JSONGlobal } from "./json.ts";
import { LocalLLMGlobal } from "./local-llm.ts";
import { MetricsGlobal } from "./metrics.ts";
import { ProviderGlobal } from "./provider.ts";
import { ReplayGlobal } from "./replay.ts";
import { SessionGlobal } from "./session.ts";
import { StateGlobal } from "./state.ts";
import { StreamingGlobal } from "./streaming.ts";
import { ToolGlobal } from "./tool.ts";
import { WorkflowGlobal } from "./workflow.ts";

export const globals: readonly GlobalDecl[] = [
  AgentGlobal,
  ToolGlobal,
  WorkflowGlobal,
  StateGlobal,
  EventGlobal,
  SessionGlobal,
  ArtifactGlobal,
  HookGlobal,
  ConfigGlobal,
  ProviderGlobal,
  DebugGlobal,
  JSONGlobal,
  StreamingGlobal,
  ReplayGlobal,
  LocalLLMGlobal,
  MetricsGlobal,
  LoggerGlobal,
  UtilsGlobal,
];
