/** Functions of the Agent global that make something of agents: tools, composites, trees. */
import { Type } from "typebox";
import type { CompositeRouting } from "../../agents/composite.ts";
import type { Agent, WrapOptions } from "../../agents/service.ts";
import { SpellError } from "../../core/errors.ts";
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
      const level = text(options.security_level)?.toLowerCase();
      const wrap = present<WrapOptions>({
        toolName: text(options.tool_name),
        category: text(options.category)?.toLowerCase(),
        securityLevel: isLevel(level) ? level : undefined,
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

const isLevel = (level: unknown): level is "safe" | "restricted" | "privileged" =>
  level === "safe" || level === "restricted" || level === "privileged";

function compositeRouting(value: ScriptValue): CompositeRouting {
  const given = table(value) ?? {};
  const word = (text(given.strategy) ?? text(value))?.toLowerCase();
  const strategy = word === undefined || word === "sequential" ? "sequential" : word;
  return present<CompositeRouting>({
    strategy:
      strategy === "sequential" || strategy === "parallel" || strategy === "vote" ? strategy : "custom",
    threshold: number(given.threshold),
    fallbackAgent: text(given.fallback_agent),
    timeoutMs: number(given.timeout_ms),
  });
}

const tree = (agent: Agent): Table => ({
  name: agent.name,
  type: "agent",
  id: agent.id,
  children: agent.members.map(tree),
});
