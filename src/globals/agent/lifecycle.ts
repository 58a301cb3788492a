/** Methods of an agent for its life: state, transitions, end. */
import { Type } from "typebox";
import type { Lifecycle } from "../../agents/lifecycle.ts";
import { loadAgent } from "../../agents/saved-state.ts";
import type { Agent } from "../../agents/service.ts";
import { AnyValue, type FunctionDecl, methodsOf, optional, param } from "../declare.ts";
import { present, type Table } from "./fields.ts";
import { forgetState, keepState } from "./kept-state.ts";

const { wait } = methodsOf<Agent>();

const seconds = (ms: number): number => Math.floor(ms / 1000);

const transition = (
  doc: string,
  change: (lifecycle: Lifecycle) => void,
  hookPoint?: "agent_paused" | "agent_recovering",
): FunctionDecl =>
  wait({
    doc: `${doc} Raises on an illegal transition.`,
    params: [],
    returns: "nil",
    handler: async (ctx) => {
      const { lifecycle, hooks } = ctx.self;
      const from = lifecycle.state;
      change(lifecycle);
      if (hookPoint !== undefined) await hooks.notify(hookPoint, from, lifecycle.state);
      return null;
    },
  });

const reads = (
  doc: string,
  returns: string,
  read: (agent: Agent) => unknown,
  aliases: string[] = [],
): FunctionDecl => wait({ doc, params: [], returns, aliases, handler: (ctx) => read(ctx.self) ?? null });

export const lifecycleMethods: Record<string, FunctionDecl> = {
  get_state: reads(
    "The state: Uninitialized, Initializing, Ready, Running, Paused, Terminating, Terminated, Error or Recovering.",
    "string",
    (agent) => agent.lifecycle.state,
    ["get_agent_state"],
  ),
  set_state: wait({
    doc: "Accepted for scripts that call it; an agent's state changes by its transitions only.",
    params: [optional("state", AnyValue, "Ignored")],
    returns: "nil",
    handler: () => null,
  }),
  save_state: wait({
    doc: 'Keeps the conversation beyond the process, under the agent\'s name (`State.load("agent_state", name)`). Raises where state is switched off.',
    params: [],
    returns: "nil",
    handler: async (ctx) => {
      await keepState(ctx.self, ctx.services, { correlationId: ctx.run.id });
      return null;
    },
  }),
  load_state: wait({
    doc: "Takes a kept conversation up again; false where there is none. Raises where state is switched off.",
    params: [],
    returns: "boolean",
    handler: async (ctx) => loadAgent(await ctx.services.state(), ctx.self),
  }),
  delete_state: wait({
    doc: "Forgets a kept conversation. Raises where state is switched off.",
    params: [],
    returns: "nil",
    handler: async (ctx) => {
      await forgetState(ctx.self, ctx.services, { correlationId: ctx.run.id });
      return null;
    },
  }),
  initialize: transition("Makes the agent Ready; it is when it has been built.", (l) => l.initialize()),
  start: transition("Ready to Running.", (l) => l.start()),
  stop: transition("Running or Paused to Ready.", (l) => l.stop()),
  pause: transition(
    "Ready or Running to Paused; a paused agent takes no turns.",
    (l) => l.pause(),
    "agent_paused",
  ),
  resume: transition("Paused back to where it came from.", (l) => l.resume()),
  recover: transition(
    "Error to Ready, at most three times without a successful turn between.",
    (l) => l.recover(),
    "agent_recovering",
  ),
  terminate: wait({
    doc: "Ends running turns and the agent for good; its name stays taken until `destroy`. Raises on an illegal transition.",
    params: [],
    returns: "nil",
    handler: async (ctx) => {
      await ctx.self.hooks.shutdown("terminated", () => ctx.self.terminate());
      return null;
    },
  }),
  destroy: wait({
    doc: "Ends the agent, removes the tools made from it and frees its name.",
    params: [],
    returns: "nil",
    handler: async (ctx) => {
      await (await ctx.services.agents()).destroy(ctx.self.name);
      return null;
    },
  }),
  set_error: wait({
    doc: "Moves the agent to Error; its next turn recovers it.",
    params: [param("message", Type.String(), "What went wrong")],
    returns: "nil",
    handler: (ctx, message) => {
      ctx.self.lifecycle.fail(message);
      return null;
    },
  }),
  get_state_history: reads(
    "The last 1000 transitions, oldest first: `timestamp` in seconds since 1970, `elapsed` in seconds spent in `from`.",
    "{from, to, timestamp, elapsed, reason?}[]",
    (agent) =>
      agent.lifecycle.history.map((change) =>
        present<Table>({
          from: change.from,
          to: change.to,
          timestamp: seconds(change.atMs),
          elapsed: change.elapsedMs / 1000,
          reason: change.reason,
        }),
      ),
  ),
  get_last_error: reads(
    "Why a turn failed last, or what `set_error` said.",
    "string or nil",
    (a) => a.lifecycle.lastError,
  ),
  get_recovery_attempts: reads(
    "Recoveries since the last successful turn.",
    "integer",
    (a) => a.lifecycle.recoveryAttempts,
  ),
  is_healthy: reads("Whether the state is Ready, Running or Paused.", "boolean", (a) => a.lifecycle.healthy),
  get_state_metrics: reads(
    "Figures of the state machine; times in seconds.",
    "{current_state, total_transitions, recovery_attempts, error_count, uptime, last_transition?, state_time_distribution}",
    ({ lifecycle }) => {
      const { transitions, errors, uptimeMs, timeInStateMs } = lifecycle.totals;
      const last = lifecycle.history.at(-1);
      return present<Table>({
        current_state: lifecycle.state,
        total_transitions: transitions,
        recovery_attempts: lifecycle.recoveryAttempts,
        error_count: errors,
        uptime: uptimeMs / 1000,
        last_transition: last === undefined ? undefined : seconds(last.atMs),
        state_time_distribution: Object.fromEntries(
          [...timeInStateMs].map(([state, ms]) => [state, ms / 1000]),
        ),
      });
    },
  ),
};
