/** Functions of the Agent global that make agents. */
import { Type } from "typebox";
import type { Agent } from "../../agents/service.ts";
import { AGENT_TYPES } from "../../agents/types.ts";
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { Handle } from "../../core/values.ts";
import {
  AnyTable,
  AnyValue,
  type CallContext,
  type FunctionDecl,
  local,
  optional,
  param,
  wait,
} from "../declare.ts";
import { agentConfig } from "./config.ts";
import { type Table, table, text } from "./fields.ts";

export const agentHandle = (agent: Agent): Handle<Agent> => new Handle("AgentObject", agent);

async function create(ctx: CallContext, given: Table): Promise<Agent> {
  return (await ctx.services.agents()).create(agentConfig(given));
}

export const creation: Record<string, FunctionDecl> = {
  builder: local({
    doc: 'Starts an agent\'s description: `Agent.builder():name("ada"):model("local/spell-mini"):build()`.',
    params: [],
    returns: "AgentBuilder",
    handler: (ctx) => ctx.create("AgentBuilder", {}),
  }),
  create: wait({
    doc: "Makes an agent from a table with the builder's fields. Raises when the model is missing or cannot be had, a tool is unknown, or the name is taken.",
    params: [
      param(
        "config",
        AnyTable,
        "`{model, name?, description?, provider?, system_prompt?, temperature?, max_tokens?, schema?, grammar?, allowed_tools?, base_url?, api_key?, max_conversation_length?, resource_limits?, budget?, ...}`",
      ),
    ],
    returns: "AgentObject",
    aliases: ["new", "createAsync", "create_async"],
    handler: async (ctx, config) => agentHandle(await create(ctx, config)),
  }),
  register: wait({
    doc: "Makes an agent and returns its name. `model` may also be `{provider, model_id, temperature?, max_tokens?, settings?}`.",
    params: [
      param(
        "config",
        AnyValue,
        "As for `Agent.create`, with `type` or `agent_type`; or the name, with the table after it",
      ),
      optional("table", AnyTable, "The table, when the name comes first"),
    ],
    returns: "string",
    handler: async (ctx, first, second) => {
      const given = second === undefined ? table(first) : { ...second, name: text(first) };
      if (given === undefined) {
        throw new SpellError(
          "invalid_argument",
          'Cannot call Agent.register: "config" must be a table with named fields',
        );
      }
      return (await create(ctx, given as Table)).name;
    },
  }),
  create_from_template: wait({
    doc: "Makes an agent of a type that `Agent.list_templates` names; the parameters win over the template's.",
    params: [
      param("name", Type.String(), "The agent's name; or the type, when the parameters come next"),
      param("template", AnyValue, "The type; or the parameters"),
      optional("params", AnyTable, "Fields as for `Agent.create`"),
    ],
    returns: "AgentObject",
    handler: async (ctx, first, second, params) => {
      const named = text(second);
      const type = named ?? first;
      const template = AGENT_TYPES[type];
      if (template === undefined) {
        const names = Object.keys(AGENT_TYPES);
        throw new SpellError("not_found", `Cannot create agent: no such template: ${type}`, {
          hint: didYouMean(type, names) ?? `Templates are ${names.join(", ")}`,
        });
      }
      const name: Table = named === undefined ? {} : { name: first };
      const given = named === undefined ? table(second) : params;
      return agentHandle(await create(ctx, { ...template.template, ...name, ...given, type }));
    },
  }),
};
