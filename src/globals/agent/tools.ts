/** Methods of an agent that look at and use its tools. */
import { Type } from "typebox";
import type { Agent } from "../../agents/service.ts";
import type { ToolDefinition } from "../../tools/service.ts";
import { AnyTable, type FunctionDecl, methodsOf, optional, param } from "../declare.ts";
import { callTool } from "../tool.ts";
import type { Table } from "./fields.ts";

const { wait } = methodsOf<Agent>();

const ToolName = param("name", Type.String(), "A tool's name or alias");

const describe = (tool: ToolDefinition): Table => ({
  name: tool.name,
  description: tool.description,
  version: tool.version,
});

export const toolMethods: Record<string, FunctionDecl> = {
  discover_tools: wait({
    doc: "Names of all tools there are.",
    params: [],
    returns: "string[]",
    handler: async (ctx) => (await ctx.services.tools()).list().map((tool) => tool.name),
  }),
  has_tool: wait({
    doc: "Whether there is such a tool.",
    params: [ToolName],
    returns: "boolean",
    handler: async (ctx, name) => (await ctx.services.tools()).find(name) !== undefined,
  }),
  get_tool_metadata: wait({
    doc: "What a tool is for.",
    params: [ToolName],
    returns: "{name, description, version} or nil",
    handler: async (ctx, name) => {
      const tool = (await ctx.services.tools()).find(name);
      return tool === undefined ? null : describe(tool);
    },
  }),
  get_all_tool_metadata: wait({
    doc: "What every tool is for, by name.",
    params: [],
    returns: "map of name to {name, description, version}",
    handler: async (ctx) => {
      const tools = (await ctx.services.tools()).list();
      return Object.fromEntries(tools.map((tool) => [tool.name, describe(tool)]));
    },
  }),
  invokeTool: wait({
    doc: "Runs a tool, as `Tool.execute` does.",
    params: [ToolName, optional("params", AnyTable, "The tool's parameters")],
    returns: "as `Tool.execute`",
    aliases: ["invoke_tool"],
    handler: (ctx, name, params) => callTool(ctx, name, params ?? {}),
  }),
};
