import { Type } from "typebox";
import { steadyMs } from "../../core/clock.ts";
import { messageOf, SpellError } from "../../core/errors.ts";
import { missingParameter } from "../parameters.ts";
import { defineTool, type ToolOutcome } from "../tool.ts";
import { compile } from "./calculator/compile.ts";
import { evaluate } from "./calculator/evaluate.ts";
import { REFERENCE } from "./calculator/functions.ts";

const MAX_EXPRESSION_BYTES = 1_000_000;

const ARITHMETIC: Readonly<Record<string, string>> = { add: "+", subtract: "-", multiply: "*", divide: "/" };

const parameters = Type.Object({
  input: Type.Optional(Type.String({ description: "Expression, for example 2 + 2 * 3" })),
  operation: Type.Optional(
    Type.Enum(["evaluate", "validate", "functions", "add", "subtract", "multiply", "divide"], {
      description: "What to do (evaluate)",
      default: "evaluate",
    }),
  ),
  variables: Type.Optional(
    Type.Unsafe<Record<string, unknown>>({
      type: "object",
      description: "Values of variables: numbers by name",
    }),
  ),
  a: Type.Optional(Type.Number({ description: "First number, for add, subtract, multiply, divide" })),
  b: Type.Optional(Type.Number({ description: "Second number" })),
});

export const tool = defineTool({
  name: "calculator",
  aliases: [],
  description:
    "Evaluates arithmetic expressions. Knows + - * / % ^, comparisons, logic, functions such as sqrt, sin and log, pi, e, and variables.",
  category: "utility",
  level: "safe",
  version: "1.0.0",
  parameters,
  accepts: { names: { expression: "input" } },
  resultDoc: `- **evaluate**: \`{input, result, value, result_type, variables}\`; \`value\` is \`result\` again. \`result_type\` is \`float\`, or
  \`special\` when the result is no finite number: then it is the text \`Infinity\`, \`-Infinity\` or \`NaN\`
- **add**, **subtract**, **multiply**, **divide** (of \`a\` and \`b\`): as evaluate
- **validate**: \`{input, valid, error?}\`
- **functions**: what there is: \`{arithmetic[], comparison[], logical[], trigonometric[], hyperbolic[], mathematical[], rounding[],
  constants[], utility[], examples{}, note}\`

Beside \`result\` stands \`resource_usage {memory_bytes, cpu_time_ms, operations_count}\`. A failure is a result with
\`success\` false. An expression has at most 1 MB, 10,000 operations and 200 levels of nesting.`,
  style: "envelope",
  needs: [],
  isPure: () => true,
  timeoutMs: 5000,
  primary: ({ result }) => (result as { result?: unknown } | undefined)?.result,
  returnsFailures: true,
  examples: [
    {
      title: "Evaluate",
      params: { input: "2 + 2 * 3" },
      result: { result: 8, value: 8, result_type: "float" },
    },
    {
      title: "With variables",
      params: { input: "sqrt(x^2 + y^2)", variables: { x: 3, y: 4 } },
      result: { result: 5 },
    },
    {
      title: "Not finite",
      params: { input: "1 / 0" },
      result: { result: "Infinity", result_type: "special" },
    },
    { title: "Check", params: { operation: "validate", input: "2 +" }, result: { valid: false } },
  ],
  execute({ operation = "evaluate", input, variables = {}, a, b }) {
    try {
      if (operation === "functions") return { operation, result: REFERENCE };
      if (operation === "validate") return validate(expressionOf(input));
      const symbol = ARITHMETIC[operation];
      if (symbol === undefined) return calculate(operation, expressionOf(input), variables);
      if (a === undefined) throw missingParameter("a", "float");
      if (b === undefined) throw missingParameter("b", "float");
      return calculate(operation, `a ${symbol} b`, { a, b }, `${a} ${symbol} ${b}`);
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      const { code, message, data } = error;
      return { operation: "evaluate", success: false, error: { message, code, details: data } };
    }
  },
});

function expressionOf(input: string | undefined): string {
  if (input === undefined) throw missingParameter("input");
  const bytes = Buffer.byteLength(input);
  if (bytes <= MAX_EXPRESSION_BYTES) return input;
  throw new SpellError(
    "limit",
    `Cannot evaluate: the expression may have ${MAX_EXPRESSION_BYTES} bytes: ${bytes}`,
    {
      data: { limit: "expression_bytes", allowed: MAX_EXPRESSION_BYTES, used: bytes },
    },
  );
}

function validate(input: string): ToolOutcome {
  try {
    compile(input);
    return { operation: "validate", result: { input, valid: true } };
  } catch (error) {
    return { operation: "validate", result: { input, valid: false, error: messageOf(error) } };
  }
}

function calculate(
  operation: string,
  expression: string,
  variables: Record<string, unknown>,
  shown = expression,
): ToolOutcome {
  const startMs = steadyMs();
  const program = compile(expression);
  const value = evaluate(program, numbersOf(variables));
  const finite = Number.isFinite(value);
  const result = finite ? value : String(value);
  return {
    operation,
    result: { input: shown, result, value: result, result_type: finite ? "float" : "special", variables },
    extra: {
      resource_usage: {
        memory_bytes: Buffer.byteLength(expression) + 8 * program.steps.length,
        cpu_time_ms: Math.round(steadyMs() - startMs),
        operations_count: program.operations,
      },
    },
  };
}

function numbersOf(variables: Record<string, unknown>): Map<string, number> {
  return new Map(
    Object.entries(variables).map(([name, value]) => {
      if (typeof value === "number") return [name, value];
      if (typeof value === "bigint") return [name, Number(value)];
      throw new SpellError("invalid_argument", `Invalid variables: '${name}' must be a number`, {
        data: { name },
      });
    }),
  );
}
