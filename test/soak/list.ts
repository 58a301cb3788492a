import { bridge } from "./bridge.ts";
import { callbacks } from "./callbacks.ts";
import { cancel } from "./cancel.ts";
import { clients } from "./clients.ts";
import { disk } from "./disk.ts";
import { interrupt } from "./interrupt.ts";
import { modelFiles } from "./model-files.ts";
import { openai } from "./openai.ts";
import { providers } from "./providers.ts";
import { publishedModels } from "./published-models.ts";
import { schemas } from "./schemas.ts";
import { scripts } from "./scripts.ts";
import { sessions } from "./sessions.ts";
import type { Soak } from "./soak.ts";
import { sockets } from "./sockets.ts";
import { start } from "./start.ts";
import { fault } from "./storage/fault.ts";
import { kill } from "./storage/kill.ts";
import { processes } from "./storage/processes.ts";
import { telemetry } from "./telemetry.ts";
import { workflows } from "./workflows.ts";

export const soaks: readonly Soak[] = [
  interrupt,
  start,
  disk,
  callbacks,
  bridge,
  cancel,
  modelFiles,
  publishedModels,
  scripts,
  schemas,
  openai,
  providers,
  sockets,
  clients,
  kill,
  processes,
  fault,
  telemetry,
  sessions,
  workflows,
];
