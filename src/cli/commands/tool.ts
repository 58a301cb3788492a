import { SpellError } from "../../core/errors.ts";
import { documentValue } from "../../core/json.ts";
import { ask, type ReplyFields, showObject } from "../ask.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionDecl, OptionValues } from "../command.ts";
import { connectable } from "../connect-options.ts";
import { EXIT } from "../exit-codes.ts";

const category: OptionDecl = {
  flag: "--category",
  value: "NAME",
  doc: "Only this category: filesystem, web, api, analysis, data, system, media, utility, or custom",
};
const source: OptionDecl = {
  flag: "--source",
  value: "NAME",
  choices: ["local"],
  default: "local",
  doc: "Where the tools come from",
  hidden: true,
};
const name = { name: "name", doc: "Name or alias of the tool" };

export const command: CommandDecl = {
  name: "tool",
  summary: "List, inspect, call and test tools",
  options: [],
  subcommands: connectable([
    {
      name: "list",
      summary: "List the tools",
      options: [
        category,
        {
          flag: "--format",
          value: "FORMAT",
          choices: ["text", "json", "pretty"],
          doc: "Instead of the global --output",
        },
        source,
      ],
      run: list,
    },
    {
      name: "info",
      summary: "Show what a tool is",
      options: [{ flag: "--show-schema", doc: "Also show the JSON Schema of its parameters" }, source],
      args: [name],
      run: info,
    },
    {
      name: "invoke",
      aliases: ["exec"],
      summary: "Call a tool",
      details:
        "Prints the tool's result; with --output json the whole reply. The exit code is 1 when the tool fails.",
      options: [
        { flag: "--params", value: "JSON", doc: "The parameters, as a JSON object (required)" },
        { flag: "--stream", doc: "Print the result as soon as it is there" },
        source,
      ],
      args: [name],
      run: invoke,
    },
    {
      name: "search",
      summary: "Find tools by words in name, description and category",
      options: [category, source],
      args: [{ name: "query", doc: "Words that must all occur", rest: true }],
      run: search,
    },
    {
      name: "test",
      summary: "Run the examples of a tool",
      options: [{ flag: "--verbose", doc: "Show every example" }, source],
      args: [name],
      run: test,
    },
  ]),
};

async function list(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const reply = await ask(io, "Tool list error", { type: "tool", command: "list", ...categoryOf(options) });
  const mode = typeof options.format === "string" ? options.format : io.mode;
  showNames(io, mode, "Available Tools:", reply.tools as string[]);
  return EXIT.ok;
}

async function info(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const showSchema = options["show-schema"] === true;
  const request = { type: "tool", command: "info", name: args.name as string, showSchema } as const;
  showObject(io, await ask(io, "Tool info error", request));
  return EXIT.ok;
}

async function invoke(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const params = readParams(options.params);
  const request = { type: "tool", command: "invoke", name: args.name as string, params } as const;
  const reply = await ask(io, "Tool invocation error", request);
  const result = reply.result as ReplyFields;
  if (io.mode === "json") io.json(documentValue(reply), true);
  else if (result.success === true) showResult(io, reply.style, result);
  else io.err(`Error: Tool invocation error: ${failureOf(result)}`);
  return result.success === true ? EXIT.ok : EXIT.failure;
}

async function search(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const query = [args.query ?? []].flat().join(" ");
  if (query.trim() === "") throw new SpellError("usage", "Cannot search: a query is needed");
  const reply = await ask(io, "Tool search error", {
    type: "tool",
    command: "search",
    query,
    ...categoryOf(options),
  });
  const matches = reply.matches as string[];
  if (matches.length === 0 && io.mode !== "json") io.out(`No tools found for '${query}'`);
  else showNames(io, io.mode, "Matching Tools:", matches);
  return EXIT.ok;
}

async function test(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  const verbose = options.verbose === true;
  const request = { type: "tool", command: "test", name: args.name as string, verbose } as const;
  const reply = await ask(io, "Tool test error", request);
  const success = reply.success === true;
  if (io.mode === "json") io.json(documentValue(reply), true);
  else {
    if (success) io.out(`✓ Tool '${reply.tool}' test successful`);
    else io.out(`✗ Tool '${reply.tool}' test failed: ${reply.message}`);
    for (const detail of (reply.details ?? []) as ReplyFields[]) {
      io.out(`  ${detail.success === true ? "✓" : "✗"} ${detail.title}: ${JSON.stringify(detail.params)}`);
    }
  }
  return success ? EXIT.ok : EXIT.failure;
}

function categoryOf(options: OptionValues): { category?: string } {
  return typeof options.category === "string" ? { category: options.category } : {};
}

/** @throws SpellError usage */
function readParams(text: OptionValues[string]): Record<string, unknown> {
  if (typeof text !== "string") {
    throw new SpellError("usage", "Cannot call a tool: --params is required", {
      hint: `Give a JSON object: --params '{"operation": "…"}'`,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SpellError("usage", `Invalid JSON: ${(cause as Error).message}`, {
      hint: "Put the parameters in single quotes, so that the shell leaves them alone",
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new SpellError("usage", `Invalid JSON: --params must be an object: ${text}`);
}

function showNames(io: CommandIo, mode: string, heading: string, names: readonly string[]): void {
  if (mode === "json") io.json(names);
  else if (mode === "pretty") {
    io.out(heading);
    for (const tool of names) io.out(`  • ${tool}`);
    io.out(`Total: ${names.length} tools`);
  } else for (const tool of names) io.out(tool);
}

/** Text and bytes as they are; for tools that answer with an envelope, the result in it. */
function showResult(io: CommandIo, style: unknown, { text, result }: ReplyFields): void {
  if (text instanceof Uint8Array) io.write(text);
  else if (style === "text") io.out(String(text));
  else if (typeof result === "string") io.out(result);
  else io.out(JSON.stringify(documentValue(result), null, 2));
}

function failureOf(result: ReplyFields): string {
  const { message } = (result.error ?? {}) as { message?: unknown };
  return typeof message === "string" ? message : String(result.message ?? "the tool reports a failure");
}
