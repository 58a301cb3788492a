import { Type } from "typebox";
import { defineTool } from "../tool.ts";
import { OPERATIONS } from "./text-manipulator/operations.ts";

const OPTIONS = {
  from: Type.Optional(Type.String({ description: "For replace: text to look for" })),
  to: Type.Optional(Type.String({ description: "For replace: text to put there" })),
  start: Type.Optional(Type.Integer({ description: "For substring: first character, from 0 (0)" })),
  end: Type.Optional(Type.Integer({ description: "For substring: character to stop before" })),
  delimiter: Type.Optional(Type.String({ description: "For split and join (a space)" })),
  max_length: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 100_000_000, description: "For truncate: characters (100)" }),
  ),
  suffix: Type.Optional(Type.String({ description: "For truncate: end of a shortened text (...)" })),
  spaces: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000, description: "For indent (4)" })),
  width: Type.Optional(Type.Integer({ minimum: 1, description: "For word_wrap: characters of a line (80)" })),
  count_type: Type.Optional(Type.Enum(["words", "chars", "lines"], { description: "For count (words)" })),
};

const parameters = Type.Object({
  operation: Type.Enum(
    [
      "uppercase",
      "lowercase",
      "reverse",
      "trim",
      "replace",
      "substring",
      "split",
      "join",
      "snake_case",
      "camel_case",
      "pascal_case",
      "sanitize",
      "truncate",
      "indent",
      "dedent",
      "normalize_whitespace",
      "word_wrap",
      "count",
      "titlecase",
      "capitalize",
      "length",
    ],
    { description: "What to do with the text" },
  ),
  input: Type.String({ description: "The text" }),
  options: Type.Optional(Type.Object(OPTIONS, { description: "The same options as an object" })),
  ...OPTIONS,
});

export const tool = defineTool({
  name: "text-manipulator",
  aliases: ["text_manipulator"],
  description:
    "Changes text: uppercase, lowercase, reverse. Also trims, replaces, splits, joins, wraps, counts and converts cases.",
  category: "utility",
  level: "safe",
  version: "1.0.0",
  parameters,
  resultDoc: `\`{result, output, operation, original_length, result_length}\`; \`output\` is \`result\` again, lengths are in bytes of UTF-8.

\`result\` is text. **split** gives the text of a JSON array and **join** takes one. **count** and **length** (in characters)
also give the number as \`count\` and \`length\`. Characters are code points: surrogate pairs are never split, combining marks
may be separated from their letter. Options may stand beside \`input\` or in \`options\`.`,
  style: "envelope",
  needs: [],
  isPure: () => true,
  limits: { memoryBytes: 200_000_000 },
  timeoutMs: 5000,
  primary: ({ result }) => (result as { result: string }).result,
  examples: [
    { title: "Uppercase", params: { operation: "uppercase", input: "hello" }, result: { result: "HELLO" } },
    {
      title: "Replace",
      params: { operation: "replace", input: "a-b-c", options: { from: "-", to: "+" } },
      result: { result: "a+b+c" },
    },
    {
      title: "Count words",
      params: { operation: "count", input: "one two three" },
      result: { result: "3", count: 3 },
    },
  ],
  execute({ operation, input, options, ...top }) {
    const value = OPERATIONS[operation]!(input, { ...options, ...top });
    const result = String(value);
    return {
      operation,
      result: {
        result,
        output: result,
        operation,
        original_length: Buffer.byteLength(input),
        result_length: Buffer.byteLength(result),
        ...(typeof value === "number" ? { [operation]: value } : {}),
      },
    };
  },
});
