/** What of an agent is kept beyond the process: spec/kernel.md section 13.5. */
import { nowText } from "../core/clock.ts";
import { isPlainObject } from "../core/values.ts";
import type { StateCallOptions, StateService } from "../state/service.ts";
import { messageText, type SavedConversation, type TurnMessages } from "./conversation.ts";
import type { Agent } from "./service.ts";

/** By conversation id; "" is the agent's own. */
export type SavedConversations = Record<string, SavedConversation>;

/** The scope of saved agents; the key is the agent's name, which stays when its id does not. */
export const SAVED_AGENTS = "agent_state";

/** @throws SpellError invalid_argument for a name that no key can be, limit, io */
export async function saveAgent(state: StateService, agent: Agent, options: StateCallOptions): Promise<void> {
  const before = await state.load(SAVED_AGENTS, agent.name, options);
  await state.save(SAVED_AGENTS, agent.name, savedState(agent, before), options);
}

/** False where nothing was saved. */
export async function loadAgent(state: StateService, agent: Agent): Promise<boolean> {
  const conversations = savedConversations(await state.load(SAVED_AGENTS, agent.name));
  if (conversations === undefined) return false;
  agent.restore(conversations);
  return true;
}

function savedState(agent: Agent, before: unknown): Record<string, unknown> {
  const conversations = agent.conversations();
  const now = nowText();
  const { total, failed, toolInvocations } = agent.metrics;
  const { modelId, provider } = agent.model ?? {};
  return {
    agent_id: agent.id,
    agent_type: agent.kind,
    state: {
      conversation_history: (conversations[""]?.turns ?? []).flat().map(historyEntry),
      context_variables: {},
      tool_usage_stats: { total_invocations: toolInvocations },
      execution_state: executionState(agent),
      custom_data: { conversations, turns: { total, failed } },
    },
    metadata: {
      name: agent.name,
      description: agent.description,
      version: "1.0.0",
      capabilities: [...agent.toolNames],
      provider_config: { provider: provider ?? null, model: modelId ?? null },
      tags: [],
    },
    creation_time: isPlainObject(before) && before.creation_time !== undefined ? before.creation_time : now,
    last_modified: now,
    schema_version: 1,
    hook_registrations: [],
    last_hook_execution: null,
    correlation_context: null,
  };
}

/** The conversations of a document that `savedState` made; undefined for anything else. */
function savedConversations(document: unknown): SavedConversations | undefined {
  if (!isPlainObject(document) || !isPlainObject(document.state)) return undefined;
  const { custom_data } = document.state;
  if (!isPlainObject(custom_data) || !isPlainObject(custom_data.conversations)) return undefined;
  const conversations = Object.entries(custom_data.conversations).map(([id, saved]) => [
    id,
    readSaved(saved),
  ]);
  return conversations.every(([, saved]) => saved !== undefined)
    ? (Object.fromEntries(conversations) as SavedConversations)
    : undefined;
}

/** Documents of versions without summaries hold the turns alone. */
function readSaved(saved: unknown): SavedConversation | undefined {
  const { turns, replaced = [] } = isPlainObject(saved) ? saved : { turns: saved };
  return isTurns(turns) && isTurns(replaced) ? { turns, replaced } : undefined;
}

const isTurns = (value: unknown): value is TurnMessages[] =>
  Array.isArray(value) && value.every(Array.isArray);

function executionState({ lifecycle }: Agent): string {
  switch (lifecycle.state) {
    case "Running":
      return "Processing";
    case "Paused":
      return "Suspended";
    case "Terminated":
      return "Completed";
    case "Error":
      return `Failed(${lifecycle.lastError ?? ""})`;
    default:
      return "Idle";
  }
}

function historyEntry(message: TurnMessages[number]): Record<string, unknown> {
  const { role } = message;
  return { role: role.charAt(0).toUpperCase() + role.slice(1), content: messageText(message), metadata: {} };
}
