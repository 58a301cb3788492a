/** A scripted model, tools and a run: what agents stand on, without native code, network or a script thread. */
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { Type } from "typebox";
import { createAgentService } from "../../../src/agents/create.ts";
import type { AgentService } from "../../../src/agents/service.ts";
import { SpellError } from "../../../src/core/errors.ts";
import { silentLog } from "../../../src/core/log.ts";
import type { Task } from "../../../src/core/task.ts";
import type { KernelEvent } from "../../../src/kernel/api.ts";
import type { RunContext } from "../../../src/kernel/services.ts";
import type { ModelOverrides, ModelService, SpellModel } from "../../../src/models/service.ts";
import type { ToolCallOptions, ToolDefinition, ToolResult, ToolService } from "../../../src/tools/service.ts";
import { defineTool, type ToolOutcome } from "../../../src/tools/tool.ts";

export type Part = LanguageModelV4StreamPart;
/** One answer of the scripted model: its stream parts, made when the call comes. */
export type Answer = (options: LanguageModelV4CallOptions) => AsyncIterable<Part> | Iterable<Part>;

const usage = (input: number, output: number): LanguageModelV4Usage => ({
  inputTokens: { total: input, noCache: input, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: output, text: output, reasoning: 0 },
});

export const finish = (unified: "stop" | "length" | "tool-calls" = "stop"): Part => ({
  type: "finish",
  usage: usage(10, 2),
  finishReason: { unified, raw: unified },
});

export const textParts = (...pieces: string[]): Part[] => [
  { type: "text-start", id: "t" },
  ...pieces.map((delta): Part => ({ type: "text-delta", id: "t", delta })),
  { type: "text-end", id: "t" },
];

/** An answer in text, 10 tokens in and 2 out. */
export const says =
  (...pieces: string[]): Answer =>
  () => [{ type: "stream-start", warnings: [] }, ...textParts(...pieces), finish()];

/** An answer that calls tools; arguments are JSON text when given as a string. */
export const calls =
  (...wanted: [toolName: string, args: unknown][]): Answer =>
  () => [
    { type: "stream-start", warnings: [] },
    ...wanted.map(
      ([toolName, args], i): Part => ({
        type: "tool-call",
        toolCallId: `call-${i}`,
        toolName,
        input: typeof args === "string" ? args : JSON.stringify(args),
      }),
    ),
    finish("tool-calls"),
  ];

export const sends =
  (...parts: Part[]): Answer =>
  () =>
    parts;

export class ScriptedModel implements SpellModel {
  readonly specificationVersion = "v4";
  readonly provider: string = "scripted";
  readonly modelId: string = "one";
  readonly supportedUrls = {};
  readonly requests: LanguageModelV4CallOptions[] = [];
  contextTokens?: number;
  countTokens?: (options: LanguageModelV4CallOptions) => Promise<number>;
  /** How many parts have been taken from answers. */
  produced = 0;

  constructor(private readonly answers: Answer[]) {}

  async doGenerate(): Promise<never> {
    throw new Error("agents always stream");
  }

  async doStream(options: LanguageModelV4CallOptions) {
    this.requests.push(options);
    const answer = this.answers[this.requests.length - 1];
    if (answer === undefined) throw new Error("the script has no answer left");
    const parts = answer(options);
    const iterator = Symbol.asyncIterator in parts ? parts[Symbol.asyncIterator]() : parts[Symbol.iterator]();
    const stream = new ReadableStream<Part>(
      {
        pull: async (controller) => {
          const next = await iterator.next();
          if (next.done) return controller.close();
          this.produced++;
          controller.enqueue(next.value);
        },
      },
      { highWaterMark: 0 },
    );
    return { stream };
  }

  /** The prompt of a request as `role: text`, tool calls and results included. */
  prompt(request: number): string[] {
    return this.requests[request]!.prompt.map((message) => {
      if (message.role === "system") return `system: ${message.content}`;
      const parts = message.content.map((part) => {
        if (part.type === "text") return part.text;
        if (part.type === "tool-call") return `${part.toolName}(${JSON.stringify(part.input)})`;
        if (part.type === "tool-result") return (part.output as { value: unknown }).value;
        return part.type;
      });
      return `${message.role}: ${parts.join(" | ")}`;
    });
  }
}

export function testTool(
  name: string,
  execute: (params: Record<string, unknown>, signal: AbortSignal) => unknown,
  aliases: string[] = [],
): ToolDefinition {
  return defineTool({
    name,
    aliases,
    description: `Test tool ${name}`,
    category: "utility",
    level: "safe",
    version: "1.0.0",
    parameters: Type.Object({ input: Type.Optional(Type.String()) }),
    resultDoc: "",
    style: "envelope",
    needs: [],
    examples: [],
    primary: (outcome) => outcome.result,
    async execute(params, ctx) {
      const result = await execute(params, ctx.signal);
      const isOutcome = typeof result === "object" && result !== null && "operation" in result;
      return isOutcome ? (result as ToolOutcome) : { operation: "run", result };
    },
  });
}

/** Tools in memory, answering in the envelope of spec/tools.md section 3.1. */
export class MemoryTools implements ToolService {
  readonly seen: { name: string; params: unknown; options: ToolCallOptions }[] = [];
  private readonly tools = new Map<string, ToolDefinition>();

  constructor(definitions: ToolDefinition[]) {
    for (const definition of definitions) this.register(definition);
  }

  list() {
    return [...this.tools.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async discover() {
    return this.list();
  }

  find(name: string) {
    const kebab = name.replaceAll("_", "-");
    return this.tools.get(name) ?? this.tools.get(kebab) ?? this.list().find((t) => t.aliases.includes(name));
  }

  async execute(
    name: string,
    params: Record<string, unknown>,
    options: ToolCallOptions = {},
  ): Promise<ToolResult> {
    this.seen.push({ name, params, options });
    const tool = this.find(name);
    if (tool === undefined) throw new SpellError("not_found", `Tool '${name}' not found`);
    const signal = options.signal ?? new AbortController().signal;
    const outcome = await tool.execute(params as never, { signal, can: {} as never, settings: {} as never });
    const success = outcome.success ?? true;
    const envelope: Record<string, unknown> = { operation: outcome.operation, success };
    if (outcome.result !== undefined) envelope.result = outcome.result;
    if (outcome.error !== undefined) envelope.error = outcome.error;
    const text = tool.style === "text" ? (outcome.text ?? "") : JSON.stringify(envelope);
    return {
      ...outcome,
      tool: tool.name,

      success,
      text,
      envelope,
      primary: null,
      metadata: { execution_time_ms: 0 },
    };
  }

  register(definition: ToolDefinition) {
    if (this.tools.has(definition.name)) {
      throw new SpellError("already_exists", `Cannot register tool: name is taken: ${definition.name}`);
    }
    this.tools.set(definition.name, definition);
  }

  async dispose() {}
  unregister(name: string) {
    this.tools.delete(name);
  }
}

export interface World {
  agents: AgentService;
  tools: MemoryTools;
  /** What the agents asked the model service for. */
  resolved: { specifier: string; overrides: ModelOverrides | undefined }[];
}

/** Agents whose models are found by specifier. */
export function world(models: Record<string, SpellModel>, definitions: ToolDefinition[] = []): World {
  const tools = new MemoryTools(definitions);
  const resolved: World["resolved"] = [];
  const service = {
    async resolve(specifier: string, overrides?: ModelOverrides) {
      resolved.push({ specifier, overrides });
      const model = models[specifier];
      if (model === undefined) throw new SpellError("not_found", `Cannot find provider: ${specifier}`);
      return model;
    },
  } as ModelService;
  const agents = createAgentService({
    models: async () => service,
    tools: async () => tools,
    log: silentLog,
  });
  return { agents, tools, resolved };
}

export interface TestRun extends RunContext {
  events: KernelEvent[];
  abort(reason?: unknown): void;
}

/** A VM that always runs and never ends. */
const testVm = () => ({ ended: new AbortController().signal, running: async () => {} });

export function testRun(blocked: () => ReadonlySet<Task> = () => new Set()): TestRun {
  const controller = new AbortController();
  const events: KernelEvent[] = [];
  return {
    id: "run-1",
    signal: controller.signal,
    scriptName: "test.lua",
    args: { script: "test.lua", positional: [], named: {} },
    emit: (event) => events.push(event),
    vm: testVm(),
    blockedTasks: blocked,
    events,
    abort: (reason) => controller.abort(reason),
  };
}

/** A promise with its resolver: a gate that a test opens. */
export const gate = () => Promise.withResolvers<void>();

export const failureOf = async (promise: Promise<unknown>): Promise<SpellError> => {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(outcome instanceof SpellError)) throw new Error(`expected a SpellError, got ${String(outcome)}`);
  return outcome;
};
