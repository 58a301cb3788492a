/** Functions of the Agent global that make something of agents: tools, composites, trees. */
import { Type } from "typebox";
import { type CompositeRouting, STRATEGIES } from "../../agents/composite.ts";
import type { Agent, WrapOptions } from "../../agents/service.ts";
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import type { ScriptValue } from "../../core/values.ts";
import { AnyTable, AnyValue, type FunctionDecl, optional, param, wait } from "../declare.ts";
import { number, present, type Table, table, text, texts } from "./fields.ts";

export const composition: Record<string, FunctionDecl> = {
  wrap_as_tool: wait({
    doc: "Makes a tool that runs the agent with its parameter `text`; it then works through `Tool.execute` and for other agents.",
    params: [
      param("name", Type.String(), "The agent's name"),
      optional(
        "options",
        AnyTable,
        '`{tool_name = name .. "_tool", category = "utility", security_level = "restricted"}`',
      ),
    ],
    returns: "string: the tool's name",
    handler: async (ctx, name, options = {}) => {
      const wrap = present<WrapOptions>({
        toolName: text(options.tool_name),
        category: text(options.category)?.toLowerCase(),
        securityLevel: securityLevel(text(options.security_level)),
      });
      return (await ctx.services.agents()).wrapAsTool(name, wrap, ctx.run);
    },
  }),
  create_composite: wait({
    doc: "Makes an agent of agents, found through `Agent.get`. `sequential`: each gets the answer of the one before; `parallel`: all get the input; `vote`: the most frequent answer; `delegate`: the first answers and may ask the others as tools; `custom`: the input's parameter `agent` names the member.",
    params: [
      param("name", AnyValue, "The composite's name; or one table `{name, agents, strategy}`"),
      optional("agents", Type.Array(Type.String()), "The members' names, in order"),
      optional(
        "routing",
        AnyValue,
        "The strategy; or `{strategy, threshold?, fallback_agent?, timeout_ms?}`",
      ),
    ],
    returns: "nil",
    handler: async (ctx, first, agents, routing) => {
      const all = table(first);
      const name = text(all?.name ?? first);
      if (name === undefined) {
        throw new SpellError("invalid_argument", 'Cannot build composite agent: "name" is required');
      }
      const members = agents ?? texts(all?.agents) ?? [];
      await (await ctx.services.agents()).createComposite(name, members, compositeRouting(routing ?? all));
      return null;
    },
  }),
  get_hierarchy: wait({
    doc: "The tree of a composite's members.",
    params: [param("name", Type.String(), "An agent's name")],
    returns: '{root = {name, type = "agent", id, children}}',
    handler: async (ctx, name) => {
      const agent = (await ctx.services.agents()).get(name);
      if (agent === undefined)
        throw new SpellError("not_found", `Cannot show hierarchy: no such agent: ${name}`);
      return { root: tree(agent) };
    },
  }),
};

const LEVELS = ["safe", "restricted", "privileged"] as const;

function securityLevel(given: string | undefined): WrapOptions["securityLevel"] {
  const level = LEVELS.find((one) => one === given?.toLowerCase());
  if (given === undefined || level !== undefined) return level;
  throw new SpellError(
    "invalid_argument",
    `Cannot wrap agent as a tool: "security_level" must be one of ${LEVELS.join(", ")}: ${given}`,
    { hint: didYouMean(given, LEVELS) ?? "Leave it out for restricted" },
  );
}

/** Any word that is no strategy means `custom`, unless it looks like one that is misspelt. */
function compositeRouting(value: ScriptValue): CompositeRouting {
  const given = table(value) ?? {};
  const word = (text(given.strategy) ?? text(value))?.toLowerCase() ?? "sequential";
  const strategy = STRATEGIES.find((one) => one === word);
  const hint = strategy === undefined ? didYouMean(word, STRATEGIES) : undefined;
  if (hint !== undefined)
    throw new SpellError(
      "invalid_argument",
      `Cannot build composite agent: "strategy" must be one of ${STRATEGIES.join(", ")}: ${word}`,
      { hint },
    );
  return present<CompositeRouting>({
    strategy: strategy ?? "custom",
    threshold: bounded("threshold", number(given.threshold), 1),
    fallbackAgent: text(given.fallback_agent),
    timeoutMs: bounded("timeout_ms", number(given.timeout_ms), Number.MAX_SAFE_INTEGER),
  });
}

function bounded(key: string, value: number | undefined, most: number): number | undefined {
  if (value === undefined || (value >= 0 && value <= most)) return value;
  const range = most === 1 ? "from 0 to 1" : "0 or more";
  throw new SpellError(
    "invalid_argument",
    `Cannot build composite agent: "${key}" must be ${range}: ${value}`,
    {
      hint: `Leave out ${key}, or correct it`,
    },
  );
}

const tree = (agent: Agent): Table => ({
  name: agent.name,
  type: "agent",
  id: agent.id,
  children: agent.members.map(tree),
});
