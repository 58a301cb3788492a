/** Tool requests of front ends; replies have the fields of spec/kernel.md section 3.1. */
import { type ErrorCode, messageOf, SpellError } from "../../core/errors.ts";
import { unknownTool } from "../../tools/catalogue.ts";
import type { ToolService } from "../../tools/service.ts";
import type { ToolDefinition, ToolExample } from "../../tools/tool.ts";
import type { KernelReply, RequestOptions, ToolRequest } from "../api.ts";
import type { Services } from "../services.ts";

type Fields = Record<string, unknown>;

/** @throws SpellError */
export async function answerToolRequest(
  request: ToolRequest,
  services: Services,
  options: RequestOptions,
): Promise<KernelReply> {
  const tools = await services.tools();
  return { status: "ok", ...(await fieldsOf(request, tools, options)) };
}

async function fieldsOf(request: ToolRequest, tools: ToolService, options: RequestOptions): Promise<Fields> {
  switch (request.command) {
    case "list": {
      const names = inCategory(tools, request.category).map((tool) => tool.name);
      return { tools: names, count: names.length, category: request.category ?? null };
    }
    case "info":
      return info(known(tools, request.name), request.showSchema);
    case "invoke":
      return invoke(tools, request, options);
    case "search":
      return { matches: search(inCategory(tools, request.category), request.query), query: request.query };
    case "test":
      return testTool(tools, known(tools, request.name), request.verbose, options);
  }
}

const COMMON = ["filesystem", "web", "api", "analysis", "data", "system", "media", "utility"];

/** `custom` stands for every category that is none of the common ones. */
function inCategory(tools: ToolService, category: string | undefined): readonly ToolDefinition[] {
  if (category === undefined) return tools.list();
  const wanted = category.toLowerCase();
  return tools
    .list()
    .filter((tool) => tool.category === wanted || (wanted === "custom" && !COMMON.includes(tool.category)));
}

function known(tools: ToolService, name: string): ToolDefinition {
  const tool = tools.find(name);
  if (tool !== undefined) return tool;
  throw unknownTool(name, tools.list());
}

function info(tool: ToolDefinition, showSchema: boolean): Fields {
  const { name, aliases, description, category, level, version } = tool;
  return {
    name,
    aliases,
    description,
    category,
    security_level: level,
    version,
    ...(showSchema ? { schema: tool.parameters } : {}),
  };
}

async function invoke(
  tools: ToolService,
  request: Extract<ToolRequest, { command: "invoke" }>,
  options: RequestOptions,
): Promise<Fields> {
  const startMs = performance.now();
  const durationMs = () => Math.round(performance.now() - startMs);
  try {
    const result = await tools.execute(request.name, request.params, {
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(request.timeoutSeconds === undefined ? {} : { timeoutMs: request.timeoutSeconds * 1000 }),
    });
    const { tool, text, envelope, metadata, primary } = result;
    return {
      tool,
      style: tools.find(tool)?.style,
      result: {
        ...envelope,
        text,
        ...(primary === undefined ? {} : { output: primary }),
        media: [],
        tool_calls: [],
        metadata,
      },
      duration_ms: durationMs(),
      streaming: false,
    };
  } catch (error) {
    throw invocationError(request.name, error, durationMs());
  }
}

const ERROR_TYPES: Partial<Record<ErrorCode, string>> = {
  invalid_argument: "validation_error",
  config: "configuration_error",
  not_found: "not_found",
  timeout: "timeout",
};

function invocationError(tool: string, error: unknown, durationMs: number): unknown {
  if (!(error instanceof SpellError)) return error;
  const { timeoutMs } = error.data;
  return new SpellError(error.code, error.message, {
    data: {
      ...error.data,
      tool,
      duration_ms: durationMs,
      error_type: ERROR_TYPES[error.code] ?? "execution_error",
      ...(error.code === "timeout" && typeof timeoutMs === "number"
        ? { timeout_secs: timeoutMs / 1000 }
        : {}),
    },
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

/** Names of the tools in which every word occurs; those with all words in the name come first. */
function search(tools: readonly ToolDefinition[], query: string): string[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const has = (text: string) => words.every((word) => text.toLowerCase().includes(word));
  const byName = (tool: ToolDefinition) => has([tool.name, ...tool.aliases].join(" "));
  const found = tools.filter((tool) =>
    has([tool.name, ...tool.aliases, tool.description, tool.category].join(" ")),
  );
  return [...found.filter(byName), ...found.filter((tool) => !byName(tool))].map((tool) => tool.name);
}

/** Runs the examples of the tool's definition. */
async function testTool(
  tools: ToolService,
  tool: ToolDefinition,
  verbose: boolean,
  options: RequestOptions,
): Promise<Fields> {
  const details: Fields[] = [];
  for (const example of tool.examples) {
    const problem = await problemOf(tools, tool, example, options.signal);
    details.push({
      title: example.title,
      params: example.params,
      success: problem === null,
      message: problem,
    });
  }
  const failed = details.filter((detail) => !detail.success);
  return {
    success: failed.length === 0,
    tool: tool.name,
    message: failed.length === 0 ? `${details.length} examples passed` : String(failed[0]?.message),
    ...(verbose ? { details } : {}),
  };
}

async function problemOf(
  tools: ToolService,
  tool: ToolDefinition,
  example: ToolExample,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  try {
    const result = await tools.execute(tool.name, example.params, signal === undefined ? {} : { signal });
    if (!result.success) return `${example.title}: ${result.error?.message ?? "the tool reports a failure"}`;
    if (example.result === undefined || contains(result.result, example.result)) return null;
    return `${example.title}: unexpected result: ${Bun.inspect(result.result)}`;
  } catch (error) {
    signal?.throwIfAborted();
    return `${example.title}: ${messageOf(error)}`;
  }
}

function contains(actual: unknown, expected: unknown): boolean {
  if (typeof expected !== "object" || expected === null) return Bun.deepEquals(actual, expected);
  return typeof actual === "object" && actual !== null && Bun.deepMatch(expected, actual);
}
