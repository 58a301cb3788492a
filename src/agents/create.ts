/** The agents of this process, by name. */
import { randomId } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { didYouMean } from "../core/nearest.ts";
import type { RecorderSource } from "../core/recording.ts";
import type { RunContext } from "../kernel/services.ts";
import type { ModelService, SpellModel } from "../models/service.ts";
import type { ToolDefinition, ToolService } from "../tools/service.ts";
import { ManagedAgent } from "./agent.ts";
import { checkForm } from "./answer-form.ts";
import { checkPolicy } from "./approval.ts";
import { agentTool } from "./as-tool.ts";
import { CompositeBehaviour, type CompositeRouting } from "./composite.ts";
import { ExecutionContexts } from "./contexts.ts";
import { type ActiveHooks, AgentHooks } from "./hooks.ts";
import { LlmBehaviour } from "./llm.ts";
import type { Agent, AgentConfig, AgentService, WrapOptions } from "./service.ts";
import { modelOverrides, type ResolvedConfig, resolveConfig } from "./settings.ts";
import { SharedMemory } from "./shared-memory.ts";
import { echoBehaviour } from "./turn.ts";

export interface AgentDependencies {
  models: () => Promise<ModelService>;
  tools: () => Promise<ToolService>;
  log: Log;
  /** Where turns and calls of models are recorded. */
  recorder?: RecorderSource;
  /** Where there may be any. */
  hooks?: ActiveHooks;
}

export function createAgentService(dependencies: AgentDependencies): AgentService {
  return new AgentRegistry(dependencies);
}

class AgentRegistry implements AgentService {
  readonly contexts = new ExecutionContexts();
  readonly sharedMemory = new SharedMemory();
  private readonly agents = new Map<string, Agent>();
  /** Names of agents that are being made. */
  private readonly reserved = new Set<string>();
  /** Tools made from agents, by agent. */
  private readonly wrapped = new Map<string, string[]>();

  constructor(private readonly dependencies: AgentDependencies) {}

  async create(given: AgentConfig): Promise<Agent> {
    const config = resolveConfig(given);
    this.ensureFree(config.name);
    this.reserved.add(config.name);
    try {
      return await this.initialised(config.name, (id) =>
        config.type === "basic" ? this.basic(config, id) : this.llm(config, id),
      );
    } finally {
      this.reserved.delete(config.name);
    }
  }

  async createComposite(
    name: string,
    memberNames: readonly string[],
    routing: CompositeRouting,
  ): Promise<Agent> {
    const config = resolveConfig({
      name,
      description: `${routing.strategy} composite of ${memberNames.join(", ")}`,
    });
    this.ensureFree(config.name);
    if (memberNames.length === 0) {
      throw new SpellError(
        "invalid_argument",
        `Cannot build composite agent "${name}": it needs at least one member`,
      );
    }
    const members = memberNames.map((member) => this.member(name, member));
    const fallback =
      routing.fallbackAgent === undefined ? undefined : this.member(name, routing.fallbackAgent);
    const all = fallback === undefined ? members : [...members, fallback];
    const seconds = all.reduce((sum, agent) => sum + (agent.config.maxExecutionTimeSeconds ?? 0), 0);
    this.reserved.add(config.name);
    try {
      const tools = routing.strategy === "delegate" ? await this.delegates(config.name, members) : [];
      return await this.initialised(
        config.name,
        (id) =>
          new ManagedAgent({
            ...this.common(id),
            kind: "composite",
            config: { ...config, type: "composite", maxExecutionTimeSeconds: seconds },
            behaviour: new CompositeBehaviour(name, members, routing, fallback, tools),
            members,
          }),
      );
    } catch (error) {
      await this.unregister(config.name);
      throw error;
    } finally {
      this.reserved.delete(config.name);
    }
  }

  /** Tools with which the first member asks the others. @throws SpellError invalid_argument where it has no model */
  private async delegates(composite: string, [first, ...others]: readonly Agent[]): Promise<string[]> {
    if (first!.kind !== "llm")
      throw new SpellError(
        "invalid_argument",
        `Cannot build composite agent "${composite}": the first member of "delegate" needs a model: ${first!.name}`,
      );
    const service = await this.dependencies.tools();
    const made: string[] = [];
    this.wrapped.set(composite, made);
    for (const member of others) {
      const definition = agentTool(member, { toolName: toolName(`${composite}_ask_${member.name}`) });
      service.register(definition);
      made.push(definition.name);
    }
    return made;
  }

  get(name: string): Agent | undefined {
    return this.agents.get(name);
  }

  list(): readonly Agent[] {
    return [...this.agents.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async destroy(name: string): Promise<boolean> {
    const agent = this.agents.get(name);
    if (agent === undefined) return false;
    if (agent.lifecycle.state !== "Terminated")
      await agent.hooks.shutdown("destroyed", () => agent.terminate());
    this.agents.delete(name);
    await this.unregister(name);
    this.dependencies.log.debug("agent", "Agent destroyed", { agent: name });
    return true;
  }

  /** Ends the tools that were made from an agent. */
  private async unregister(name: string): Promise<void> {
    const tools = this.wrapped.get(name) ?? [];
    this.wrapped.delete(name);
    if (tools.length === 0) return;
    const service = await this.dependencies.tools();
    for (const tool of tools) service.unregister(tool);
  }

  async dispose(): Promise<void> {
    for (const agent of this.agents.values())
      if (agent.lifecycle.state !== "Terminated")
        await agent.hooks.shutdown("the kernel ends", () => agent.terminate()).catch(() => agent.terminate());
  }

  async wrapAsTool(name: string, options: WrapOptions, run: RunContext): Promise<string> {
    const agent = this.agents.get(name);
    if (agent === undefined) throw this.unknown(`Cannot wrap agent as a tool: no such agent: ${name}`, name);
    const definition = agentTool(agent, options, run);
    (await this.dependencies.tools()).register(definition);
    this.wrapped.set(name, [...(this.wrapped.get(name) ?? []), definition.name]);
    return definition.name;
  }

  /** Makes an agent between its hooks and adds it. */
  private async initialised(
    name: string,
    make: (id: string) => ManagedAgent | Promise<ManagedAgent>,
  ): Promise<Agent> {
    const id = randomId();
    const hooks = new AgentHooks(this.common(id).hooks, { id, name, model: undefined });
    return hooks.init(async () => this.add(await make(id)));
  }

  private common(id: string) {
    const { hooks = () => undefined, recorder } = this.dependencies;
    return { id, hooks, recorder };
  }

  private basic(config: ResolvedConfig, id: string): ManagedAgent {
    return new ManagedAgent({ ...this.common(id), kind: "basic", config, behaviour: echoBehaviour });
  }

  private async llm(config: ResolvedConfig, id: string): Promise<ManagedAgent> {
    if (config.model === undefined || config.model.trim() === "") {
      throw new SpellError("invalid_argument", `Cannot build agent "${config.name}": Model is required`, {
        hint: 'Name a model, for example "local/spell-mini" or "openai/gpt-4o-mini"',
      });
    }
    const tools = await this.dependencies.tools();
    const allowed = allowedTools(config, tools);
    checkPolicy(config.approval, config.name, tools);
    const model = await (await this.dependencies.models()).resolve(config.model, modelOverrides(config));
    checkForm(config.form, model);
    return new ManagedAgent({
      ...this.common(id),
      kind: "llm",
      config,
      behaviour: new LlmBehaviour(config, model, tools, allowed, this.dependencies.recorder),
      model: modelFacts(model),
      toolNames: [...allowed.keys()],
    });
  }

  private add(agent: ManagedAgent): Agent {
    this.agents.set(agent.name, agent);
    this.dependencies.log.debug("agent", "Agent created", { agent: agent.name, kind: agent.kind });
    return agent;
  }

  private ensureFree(name: string): void {
    if (!this.agents.has(name) && !this.reserved.has(name)) return;
    throw new SpellError("already_exists", `Cannot build agent: Agent instance '${name}' already exists`, {
      hint: "Destroy it first, or choose another name (os.time() makes one)",
    });
  }

  private member(composite: string, name: string): Agent {
    const agent = this.agents.get(name);
    if (agent === undefined)
      throw this.unknown(`Cannot build composite agent "${composite}": no such agent: ${name}`, name);
    return agent;
  }

  private unknown(message: string, name: string): SpellError {
    const hint = didYouMean(name, this.agents.keys());
    return new SpellError("not_found", message, hint === undefined ? {} : { hint });
  }
}

const modelFacts = ({ provider, modelId, seesImages }: SpellModel): Agent["model"] => ({
  provider,
  modelId,
  ...(seesImages === undefined ? {} : { seesImages }),
});

/** What all providers take for a tool's name. */
const toolName = (text: string): string => text.replace(/[^A-Za-z0-9_-]/g, "_").slice(-64);

/** The definitions behind an agent's tool names. @throws SpellError not_found with the nearest names */
function allowedTools(config: ResolvedConfig, tools: ToolService): Map<string, ToolDefinition> {
  const all = config.type === "tool-orchestrator" && config.allowedTools === undefined;
  const names = all ? tools.list().map((tool) => tool.name) : (config.allowedTools ?? []);
  const allowed = new Map<string, ToolDefinition>();
  for (const name of names) {
    const tool = tools.find(name);
    if (tool === undefined) {
      const hint = didYouMean(
        name,
        tools.list().flatMap((t) => [t.name, ...t.aliases.filter((alias) => !alias.includes("_"))]),
      );
      throw new SpellError("not_found", `Cannot build agent "${config.name}": no such tool: ${name}`, {
        data: { tool: name },
        hint: hint ?? 'See "llmspell tool list"',
      });
    }
    allowed.set(tool.name, tool);
  }
  return allowed;
}
