import type { AgentConfig } from "../../../src/agents/service.ts";
import type { ToolDefinition } from "../../../src/tools/service.ts";
import { type Answer, ScriptedModel, testRun, testTool, world } from "./support.ts";

export const upper = () => testTool("upper-case", (p) => String(p.input).toUpperCase(), ["shout"]);

/** An agent on the scripted answers, with all of the tools allowed. */
export async function setup(answers: Answer[], tools: ToolDefinition[] = [], config: AgentConfig = {}) {
  const model = new ScriptedModel(answers);
  const w = world({ "scripted/one": model }, tools);
  const agent = await w.agents.create({
    name: "ada",
    model: "scripted/one",
    systemPrompt: "Be brief.",
    allowedTools: tools.map((tool) => tool.name),
    ...config,
  });
  return { ...w, model, agent, run: testRun() };
}
