import { builderClass } from "./agent/builder.ts";
import { composition } from "./agent/composition.ts";
import { contextFunctions } from "./agent/contexts.ts";
import { conversationMethods } from "./agent/conversation.ts";
import { creation } from "./agent/create.ts";
import { discovery } from "./agent/discovery.ts";
import { lifecycleMethods } from "./agent/lifecycle.ts";
import { monitoringMethods } from "./agent/monitoring.ts";
import { toolMethods } from "./agent/tools.ts";
import type { GlobalDecl } from "./declare.ts";

export const AgentGlobal: GlobalDecl = {
  name: "Agent",
  doc: "Agents: a model with a system prompt, a conversation and tools. Their names are unique in the process until they are destroyed.",
  functions: { ...creation, ...discovery, ...composition, ...contextFunctions },
  classes: [
    {
      name: "AgentObject",
      doc: "An agent. Fields: `id`, `name`. `execute` and its like raise when the turn fails.",
      methods: { ...conversationMethods, ...toolMethods, ...lifecycleMethods, ...monitoringMethods },
      fields: (agent: { id: string; name: string }) => ({ id: agent.id, name: agent.name }),
    },
    builderClass,
  ],
  bothSpellings: true,
};
