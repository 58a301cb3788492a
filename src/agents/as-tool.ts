import { Type } from "typebox";
import { SpellError } from "../core/errors.ts";
import type { RunContext } from "../kernel/services.ts";
import { defineTool, type ToolDefinition } from "../tools/tool.ts";
import { currentRun, runWithSignal } from "./run-scope.ts";
import type { Agent, WrapOptions } from "./service.ts";

const Parameters = Type.Object({
  text: Type.String({ description: "What the agent is asked" }),
  parameters: Type.Optional(
    // any members; a pattern for their names is what grammars cannot hold
    Type.Object({}, { additionalProperties: true, description: "Further facts for the agent" }),
  ),
});

/** A tool that runs one turn of an agent and answers with its text. */
export function agentTool(agent: Agent, options: WrapOptions, run?: RunContext): ToolDefinition {
  return defineTool({
    name: options.toolName ?? `${agent.name}_tool`,
    aliases: [],
    description: agent.description,
    category: options.category ?? "utility",
    level: options.securityLevel ?? "restricted",
    version: "1.0.0",
    parameters: Parameters,
    resultDoc: "`text` is the agent's answer.",
    style: "text",
    needs: [],
    examples: [],
    primary: (outcome) => outcome.text,
    timeoutMs: (agent.config.maxExecutionTimeSeconds ?? 300) * 1000,
    async execute(params, ctx) {
      const { text, parameters } = params;
      const caller = currentRun() ?? run;
      if (caller === undefined)
        throw new SpellError(
          "invalid_argument",
          `Cannot ask agent "${agent.name}": only an agent's model may, in its turn`,
          {
            hint: "Agent.wrap_as_tool makes a tool for everybody",
          },
        );
      const output = await agent.execute(
        parameters === undefined ? { text } : { text, parameters: { ...parameters } },
        runWithSignal(caller, ctx.signal),
      );
      return {
        operation: "execute",
        text: output.text,
        result: output.text,
        metadata: { agent: agent.name, model: output.model, total_tokens: output.usage.totalTokens },
      };
    },
  });
}
