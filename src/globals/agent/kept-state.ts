/** Keeping, taking up and forgetting agents' conversations, with the hooks and events of it (spec/kernel.md section 13.5). */
import { SAVED_AGENTS, saveAgent } from "../../agents/saved-state.ts";
import type { Agent } from "../../agents/service.ts";
import type { Services } from "../../kernel/services.ts";
import type { StateCallOptions } from "../../state/service.ts";

type Needed = Pick<Services, "state" | "activeHooks" | "activeEvents">;

export function keepState(agent: Agent, services: Needed, options: StateCallOptions): Promise<void> {
  return between("save", agent, services, options, async () =>
    saveAgent(await services.state(), agent, options),
  );
}

export function forgetState(agent: Agent, services: Needed, options: StateCallOptions): Promise<void> {
  return between("delete", agent, services, options, async () => {
    await (await services.state()).delete(SAVED_AGENTS, agent.name, options);
  });
}

/** The point stands before and after: what comes after has `success`. @throws SpellError permission_denied (a hook) */
async function between(
  operation: "save" | "delete",
  agent: Agent,
  services: Needed,
  { correlationId, signal }: StateCallOptions,
  work: () => Promise<void>,
): Promise<void> {
  const facts = { operation, agent_id: agent.id, agent_type: agent.kind };
  const point = `custom:agent_state_${operation}`;
  const hooks = services.activeHooks();
  if (hooks?.has(point))
    await hooks.around(
      {
        before: point,
        after: point,
        component: { type: "Agent", name: agent.name, id: agent.id },
        data: { ...facts },
        metadata: facts,
        correlationId,
        signal,
        describe: () => ({ success: true }),
      },
      work,
    );
  else await work();
  services.activeEvents()?.publish({
    type: operation === "save" ? "agent_state.saved" : "agent_state.deleted",
    source: "state",
    data: { agent_id: agent.id, agent_name: agent.name, agent_type: agent.kind },
    ...(correlationId === undefined ? {} : { correlationId }),
  });
}
