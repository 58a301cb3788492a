import { Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import { parseJson } from "../../core/json.ts";
import { missingParameter } from "../parameters.ts";
import { defineTool } from "../tool.ts";

const MAX_INPUT_BYTES = 100_000_000;

const parameters = Type.Object({
  input: Type.Unsafe<unknown>({ description: "JSON value, or JSON text; for stream, JSON lines" }),
  query: Type.Optional(
    Type.String({ description: "Program in the jq language, for example .items[] | .name" }),
  ),
  operation: Type.Optional(
    Type.Enum(["query", "validate", "stream"], { description: "What to do (query)", default: "query" }),
  ),
  schema: Type.Optional(Type.Unsafe<unknown>({ description: "JSON Schema (draft 7), for validate" })),
});

export const tool = defineTool({
  name: "json-processor",
  aliases: ["json_processor"],
  description:
    "Queries JSON with the jq language. Also validates JSON against a JSON Schema and reads JSON lines.",
  category: "data",
  level: "safe",
  version: "1.0.0",
  parameters,
  accepts: { values: { operation: { transform: "query", jq: "query" } } },
  resultDoc: `\`result\` and \`data\` hold the value, \`text\` its JSON, indented.

- **query**: the value the program yields; an array when it yields several (or none)
- **validate**: \`{is_valid, errors[{path, message, keyword}]}\`; \`path\` is a JSON Pointer; at most 100 errors
- **stream**: an array of the values of all lines; with \`query\`, of what the program yields for each line

The language is that of jq 1.7. \`env\`, \`$ENV\`, \`input\`, \`inputs\`, \`input_filename\`, \`input_line_number\`, \`debug\`,
\`modulemeta\`, \`import\` and \`include\` are refused. Input up to 100 MB.`,
  style: "text",
  needs: [],
  isPure: () => true,
  limits: { memoryBytes: 4 * MAX_INPUT_BYTES },
  timeoutMs: 30_000,
  primary: ({ result }) => result,
  examples: [
    {
      title: "Pick fields",
      params: { input: { users: [{ name: "Ada" }, { name: "Alan" }] }, query: "[.users[].name]" },
      result: ["Ada", "Alan"],
    },
    {
      title: "Validate",
      params: {
        operation: "validate",
        input: '{"age": -1}',
        schema: { properties: { age: { minimum: 0 } } },
      },
      result: { is_valid: false, errors: [{ path: "/age", message: "must be >= 0", keyword: "minimum" }] },
    },
    {
      title: "JSON lines",
      params: { operation: "stream", input: '{"n":1}\n{"n":2}\n', query: ".n" },
      result: [1, 2],
    },
  ],
  async execute(params, { signal, settings }) {
    const operation = params.operation ?? "query";
    const input = inputText(params.input, operation);
    const maxDepth = settings.data.max_json_depth;
    const { runJob } = await import("./json-processor/client.ts");
    const limits = { timeoutMs: settings.data.processing_timeout_seconds * 1000, signal };
    let value: unknown;
    if (operation === "stream") {
      value = await runJob({ kind: "lines", input, query: params.query, maxDepth }, limits);
    } else if (operation === "validate") {
      value = await runJob({ kind: "validate", input, schema: schemaOf(params.schema), maxDepth }, limits);
    } else {
      if (params.query === undefined) throw missingParameter("query");
      value = await runJob({ kind: "query", input, query: params.query, maxDepth }, limits);
    }
    return { operation, result: value, text: jsonText(value, 2), extra: { data: value } };
  },
});

/** JSON text of the input: a string is taken as JSON text already. */
function inputText(input: unknown, operation: string): string {
  if (input === undefined) throw missingParameter("input");
  const isLines = operation === "stream" && Array.isArray(input);
  const text =
    typeof input === "string" ? input : isLines ? input.map((v) => jsonText(v)).join("\n") : jsonText(input);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_INPUT_BYTES) {
    throw new SpellError("limit", `Cannot read JSON: it may have ${MAX_INPUT_BYTES} bytes: ${bytes}`, {
      data: { limit: "input_bytes", allowed: MAX_INPUT_BYTES, used: bytes },
    });
  }
  return text;
}

function schemaOf(schema: unknown): unknown {
  if (schema === undefined) throw missingParameter("schema", "object");
  const value = typeof schema === "string" ? parseJson(schema) : schema;
  if (typeof value === "boolean" || (typeof value === "object" && value !== null && !Array.isArray(value)))
    return value;
  throw new SpellError("invalid_argument", "Invalid schema: it must be an object");
}

/** JSON in the order of the keys; large integers stay exact. */
function jsonText(value: unknown, indent?: number): string {
  const exact = (_key: string, item: unknown) =>
    typeof item === "bigint" ? JSON.rawJSON(String(item)) : item;
  return JSON.stringify(value, exact, indent) ?? "null";
}
