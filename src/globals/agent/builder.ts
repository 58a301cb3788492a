import { type TSchema, Type } from "typebox";
import type { ScriptValue } from "../../core/values.ts";
import { AnyTable, AnyValue, type ClassDecl, type FunctionDecl } from "../declare.ts";
import { settersOf } from "../setters.ts";
import type { Table } from "./fields.ts";

/** What the setters have gathered: a table as `Agent.create` takes it. */
export type BuilderState = Table;

const BUILDER = "AgentBuilder";
const { local, setter, stores } = settersOf(BUILDER);

const Texts = Type.Array(Type.String());

/** A setter that adds its argument to the list under `key`. */
const appends = (key: string, argument: string, doc: string, aliases: readonly string[] = []): FunctionDecl =>
  setter(
    argument,
    Type.String(),
    doc,
    (state, value) => {
      state[key] = [...((state[key] as ScriptValue[] | undefined) ?? []), value];
    },
    aliases,
  );

function limits(state: BuilderState, value: ScriptValue): void {
  const given = value as Table;
  const before = (state.resource_limits as Table | undefined) ?? {};
  state.resource_limits = { ...before, ...given };
}

const limit = (method: string, key: string, schema: TSchema, doc: string, aliases: readonly string[] = []) =>
  setter(method, schema, doc, (state, value) => limits(state, { [key]: value }), aliases);

export const builderClass: ClassDecl = {
  name: BUILDER,
  doc: "Gathers an agent's settings. Every setter changes the builder and returns it.",
  local: true,
  methods: {
    name: stores(
      "name",
      Type.String(),
      "The agent's name; unique in the process. Default `agent_` and 8 hex digits",
    ),
    description: stores("description", Type.String(), "What the agent is. Default `LLM-powered agent`"),
    type: stores(
      "type",
      Type.String(),
      "`llm` (default), `basic` (echo, no model) or `tool-orchestrator` (all tools)",
    ),
    model: stores("model", Type.String(), "`[provider/]model[@backend]`; without a provider it is OpenAI's"),
    provider: stores("provider", Type.String(), "The provider, whatever the model string says"),
    system_prompt: stores("system_prompt", Type.String(), "The system prompt; an empty one sends none", [
      "prompt",
    ]),
    temperature: stores("temperature", Type.Number(), "0 to 2. Default: the provider's"),
    top_p: stores("top_p", Type.Number(), "Nucleus sampling, 0 to 1. Default: the provider's"),
    top_k: stores("top_k", Type.Integer(), "Sampling among this many tokens. Default: the provider's"),
    seed: stores("seed", Type.Integer(), "Seed of the sampling, where the provider takes one"),
    stop: stores("stop", Texts, "Strings that end an answer"),
    schema: stores(
      "schema",
      AnyValue,
      "JSON Schema, as a table or as text, that every final answer is held to; `result.parsed` is its value",
    ),
    grammar: stores(
      "grammar",
      Type.String(),
      "GBNF grammar that every final answer is held to; local models only",
    ),
    max_tokens: stores("max_tokens", Type.Integer(), "Longest answer in tokens. Default: the provider's"),
    max_conversation_length: stores(
      "max_conversation_length",
      Type.Integer(),
      "Messages of earlier turns that are sent again. Default 100",
    ),
    base_url: stores("base_url", Type.String(), "Where the provider answers"),
    api_key: stores("api_key", Type.String(), "The key for this agent alone"),
    allow_tool: appends("allowed_tools", "tool", "Allows one more tool", ["tool", "add_tool"]),
    allowed_tools: stores(
      "allowed_tools",
      Texts,
      "The tools the model may call, replacing those allowed before",
      ["tools"],
    ),
    approval: stores(
      "approval",
      AnyValue,
      "Which tool calls of the model run: `auto` (default), `ask` the person at the terminal, `deny`; a table of these by tool, `default` for the others; or `function({agent, tool, parameters})` that returns true, false, a reason why not, or changed parameters",
    ),
    capability: appends(
      "capabilities",
      "capability",
      "Adds a word that `Agent.discover_by_capability` finds",
    ),
    memory_enabled: stores("memory_enabled", Type.Boolean(), "False: every turn starts a new conversation"),
    budget: stores(
      "budget",
      AnyTable,
      "`{tokens?, cost?, calls?, time?}`: what all its turns together may spend on models, cost in USD and time in seconds; a call that may exceed it is refused",
    ),
    context_window: stores(
      "context_window",
      Type.Integer(),
      "Tokens for prompt and answer, where less than the model's is wanted",
    ),
    context_shift: stores(
      "context_shift",
      Type.Boolean(),
      "True: where the context is full, the older half of the answer is forgotten and it goes on; local models only. Default: the model's setting",
    ),
    max_execution_time: limit(
      "seconds",
      "max_execution_time_secs",
      Type.Number(),
      "For one turn. Default 300",
      ["max_execution_time_secs", "timeout"],
    ),
    timeout_ms: setter("ms", Type.Number(), "max_execution_time in milliseconds", (state, value) =>
      limits(state, { max_execution_time_secs: Number(value) / 1000 }),
    ),
    max_memory_mb: limit("mb", "max_memory_mb", Type.Integer(), "For the stored conversation. Default 512"),
    max_tool_calls: limit("count", "max_tool_calls", Type.Integer(), "For one turn. Default 100"),
    max_recursion_depth: limit(
      "depth",
      "max_recursion_depth",
      Type.Integer(),
      "How deep agents' turns may be nested. Default 10",
    ),
    max_retries: stores(
      "max_retries",
      Type.Integer(),
      "Attempts after a request that the provider could not serve; local models fail at once",
    ),
    fallback_models: stores(
      "fallback_models",
      Texts,
      'Models asked in turn where this one cannot be: `{"anthropic/claude-haiku-4-5", "local/spell-mini"}`',
      ["fallback"],
    ),
    max_schema_retries: stores(
      "max_schema_retries",
      Type.Integer(),
      "How often an answer that does not keep to its schema is given back with what is wrong. Default 2",
    ),
    resource_limits: setter(
      "limits",
      AnyTable,
      "`{max_execution_time_secs, max_memory_mb, max_tool_calls, max_recursion_depth}`",
      limits,
    ),
    custom_config: stores(
      "custom_config",
      AnyTable,
      "`{system_prompt, max_conversation_length}`; other keys are ignored",
    ),
    build: local({
      doc: "Makes the agent and registers it under its name. Raises when the model is missing or cannot be had, a tool is unknown, or the name is taken.",
      params: [],
      returns: "AgentObject",
      handler: (ctx) => ctx.wait("Agent", "create", ctx.self),
    }),
  },
};
