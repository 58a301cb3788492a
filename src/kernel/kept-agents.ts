/** Agents whose conversations outlive the process without being told: `auto_load` and `auto_save` of state. */
import { loadAgent } from "../agents/saved-state.ts";
import type { Agent, AgentService } from "../agents/service.ts";
import { messageOf } from "../core/errors.ts";
import { keepState } from "../globals/agent/kept-state.ts";
import type { Services } from "./services.ts";

type Kept = Pick<Services, "config" | "log" | "state" | "activeHooks" | "activeEvents">;

/**
 * The same service. Both settings count only where they are set: by default agents of the same name in two runs would
 * share a conversation without anybody's wish.
 */
export function keptAgents(service: AgentService, to: Kept): AgentService {
  const create = service.create.bind(service);
  const createComposite = service.createComposite.bind(service);
  service.create = async (config) => keep(await create(config), to);
  service.createComposite = async (...args) => keep(await createComposite(...args), to);
  return service;
}

async function keep(agent: Agent, to: Kept): Promise<Agent> {
  if (isSet(to, "auto_load")) await loadAgent(await to.state(), agent);
  const execute = agent.execute.bind(agent);
  agent.execute = async (input, run, listener) => {
    const output = await execute(input, run, listener);
    if (isSet(to, "auto_save") && Object.keys(agent.conversations()).length > 0)
      await save(agent, to, run.id);
    return output;
  };
  return agent;
}

/** An answer is worth more than its record: a failure is told in the log. */
async function save(agent: Agent, to: Kept, correlationId: string): Promise<void> {
  try {
    await keepState(agent, to, { correlationId });
  } catch (error) {
    to.log.warn("agent", "the conversation of an agent could not be saved", {
      agent: agent.name,
      error: messageOf(error),
    });
  }
}

function isSet({ config }: Kept, key: "auto_save" | "auto_load"): boolean {
  const { enabled, [key]: value } = config.current.runtime.state_persistence;
  return enabled && value && config.isExplicit(`runtime.state_persistence.${key}`);
}
