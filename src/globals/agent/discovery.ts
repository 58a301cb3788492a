/** Functions of the Agent global that tell what agents there are. */
import { Type } from "typebox";
import type { Agent } from "../../agents/service.ts";
import { AGENT_TYPES } from "../../agents/types.ts";
import { type CallContext, type FunctionDecl, param, wait } from "../declare.ts";
import { configTable } from "./config.ts";
import { agentHandle } from "./create.ts";
import { present, type Table } from "./fields.ts";
import { capabilitiesOf, describeAgent, metricsTable } from "./monitoring.ts";

const listed = async (ctx: CallContext): Promise<readonly Agent[]> => (await ctx.services.agents()).list();

const AgentName = param("name", Type.String(), "An agent's name");

export const discovery: Record<string, FunctionDecl> = {
  get: wait({
    doc: "The agent of that name.",
    params: [AgentName],
    returns: "AgentObject or nil",
    handler: async (ctx, name) => {
      const agent = (await ctx.services.agents()).get(name);
      return agent === undefined ? null : agentHandle(agent);
    },
  }),
  list: wait({
    doc: "The agents of this process, by name.",
    params: [],
    returns: "{name, type, state, model?}[]",
    handler: async (ctx) =>
      (await listed(ctx)).map((agent) =>
        present<Table>({
          name: agent.name,
          type: agent.kind,
          state: agent.lifecycle.state,
          model: agent.model?.modelId,
        }),
      ),
  }),
  list_instances: wait({
    doc: "The names of the agents of this process, sorted.",
    params: [],
    returns: "string[]",
    handler: async (ctx) => (await listed(ctx)).map((agent) => agent.name),
  }),
  count: wait({
    doc: "How many agents there are.",
    params: [],
    returns: "integer",
    handler: async (ctx) => (await listed(ctx)).length,
  }),
  discover: wait({
    doc: "The types of agents that can be made.",
    params: [],
    returns: "{type}[]",
    handler: () => Object.keys(AGENT_TYPES).map((type) => ({ type })),
  }),
  list_templates: wait({
    doc: "The names of those types.",
    params: [],
    returns: "string[]",
    handler: () => Object.keys(AGENT_TYPES),
  }),
  get_info: wait({
    doc: "Describes a type of agent, or a live agent by its name. An unknown name is described as such.",
    params: [param("type", Type.String(), "A type or an agent's name")],
    returns: "{name, description, category, complexity, required_parameters, optional_parameters}",
    handler: async (ctx, name) => {
      const agent = (await ctx.services.agents()).get(name);
      const type = AGENT_TYPES[name];
      return {
        name,
        description: type?.description ?? "Neither a type of agent nor an agent",
        category: "agent",
        complexity: "standard",
        required_parameters: [...(type?.requiredParameters ?? [])],
        optional_parameters: [...(type?.optionalParameters ?? [])],
        ...(agent === undefined ? {} : describeAgent(agent)),
      };
    },
  }),
  get_details: wait({
    doc: "Everything about one agent.",
    params: [AgentName],
    returns: "{id, name, description, state, metrics, config, composition} or nil",
    handler: async (ctx, name) => {
      const agent = (await ctx.services.agents()).get(name);
      if (agent === undefined) return null;
      return {
        ...describeAgent(agent),
        metrics: metricsTable(agent),
        config: configTable(agent.config),
        composition: {
          can_be_wrapped: true,
          supports_delegation: agent.kind === "composite",
          supports_nesting: true,
        },
      };
    },
  }),
  list_capabilities: wait({
    doc: "What each agent can do, by name.",
    params: [],
    returns: "map of name to {id, name, description, config, capabilities}",
    handler: async (ctx) =>
      Object.fromEntries(
        (await listed(ctx)).map((agent) => [
          agent.name,
          {
            id: agent.id,
            name: agent.name,
            description: agent.description,
            config: configTable(agent.config),
            capabilities: capabilitiesOf(agent),
          },
        ]),
      ),
  }),
  discover_by_capability: wait({
    doc: "Names of agents by what they can do: `streaming`, `tools` and `context` match all, `composite` matches composites; other words are looked for in capabilities, names and descriptions.",
    params: [param("capability", Type.String(), "The word")],
    returns: "string[]",
    handler: async (ctx, capability) =>
      (await listed(ctx))
        .filter((agent) => matches(agent, capability.toLowerCase()))
        .map((agent) => agent.name),
  }),
};

function matches(agent: Agent, word: string): boolean {
  if (["streaming", "tools", "context"].includes(word)) return true;
  if (word === "composite" && agent.kind === "composite") return true;
  const texts = [agent.name, agent.description, ...(agent.config.capabilities ?? [])];
  return texts.some((text) => text.toLowerCase().includes(word));
}
