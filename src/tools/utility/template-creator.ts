import { Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import { stringifyJson } from "../../core/json.ts";
import { missingParameter } from "../parameters.ts";
import { defineTool } from "../tool.ts";

const MAX_TEMPLATE_BYTES = 1_000_000;
const MAX_CONTEXT_BYTES = 10_000_000;
const TIMEOUT_MS = 5000;

/** What injected code looks like. Templates never run it; they are refused so that nobody passes it on. */
const FORBIDDEN = ["system(", "exec(", "eval(", "__import__", "subprocess", "os.system"];

const parameters = Type.Object({
  input: Type.Optional(Type.String({ description: "Template, for example Hello {{ name }}" })),
  context: Type.Optional(
    Type.Unsafe<Record<string, unknown>>({
      type: "object",
      description: "Values of the template's variables",
    }),
  ),
  engine: Type.Optional(Type.Enum(["tera", "handlebars"], { description: "Template language (found out)" })),
  auto_detect: Type.Optional(
    Type.Boolean({ description: "Take handlebars for {{#, {{/ and {{>, else tera", default: true }),
  ),
});

export const tool = defineTool({
  name: "template-creator",
  aliases: ["template-engine", "template_engine", "template_creator"],
  description:
    "Fills in text templates. Speaks Tera (like Jinja2) and Handlebars; values are escaped for HTML.",
  category: "utility",
  level: "restricted",
  version: "1.0.0",
  parameters,
  accepts: {
    names: { template: "input", variables: "context", data: "context" },
    values: { engine: { hbs: "handlebars" } },
  },
  resultDoc: `\`{rendered, result, engine, template_length, context_size}\`; \`result\` is \`rendered\` again, sizes are in bytes.

A variable that the context lacks is an error. **Tera**: expressions, filters, \`if\`, \`for … else\`, \`set\`, macros, \`filter\`
blocks, \`raw\`, comments, white space control; \`include\`, \`extends\` and \`import\` are refused. **Handlebars**: \`if\`, \`unless\`,
\`each\`, \`with\`, sections, inline partials, and the helpers \`uppercase\`, \`lowercase\`, \`lookup\`, \`len\`, \`eq\`, \`ne\`, \`gt\`, \`gte\`,
\`lt\`, \`lte\`, \`and\`, \`or\`, \`not\`. A template has at most 1 MB, a context and a result 10 MB; rendering takes at most 5 s.`,
  style: "envelope",
  needs: [],
  isPure: () => true,
  timeoutMs: 2 * TIMEOUT_MS,
  primary: ({ result }) => (result as { rendered?: unknown } | undefined)?.rendered,
  examples: [
    {
      title: "Tera",
      params: { input: "Hello {{ name | upper }}!", context: { name: "Ada" } },
      result: { rendered: "Hello ADA!", engine: "tera" },
    },
    {
      title: "Handlebars",
      params: { input: "{{#each items}}{{@index}}:{{this}} {{/each}}", context: { items: ["a", "b"] } },
      result: { rendered: "0:a 1:b ", engine: "handlebars" },
    },
  ],
  async execute({ input, context = {}, engine, auto_detect = true }) {
    if (input === undefined) throw missingParameter("input");
    const templateBytes = checkSize("template", Buffer.byteLength(input), MAX_TEMPLATE_BYTES);
    const contextBytes = checkSize("context", Buffer.byteLength(stringifyJson(context)), MAX_CONTEXT_BYTES);
    const forbidden = FORBIDDEN.find((text) => input.includes(text));
    if (forbidden !== undefined) {
      throw new SpellError(
        "permission_denied",
        `Security violation: The template contains forbidden text: ${forbidden}`,
        {
          hint: "Pass such text as a value of the context",
        },
      );
    }
    const chosen = engine ?? (auto_detect && /\{\{[#/>]/.test(input) ? "handlebars" : "tera");
    const rendered = await render(chosen, input, context);
    return {
      operation: "render_template",
      result: {
        rendered,
        result: rendered,
        engine: chosen,
        template_length: templateBytes,
        context_size: contextBytes,
      },
      metadata: { engine: chosen, template_length: templateBytes },
    };
  },
});

async function render(engine: "tera" | "handlebars", template: string, context: object): Promise<string> {
  try {
    if (engine === "tera") {
      const { renderTera } = await import("./template-creator/tera/render.ts");
      return renderTera(template, context, TIMEOUT_MS);
    }
    const { renderHandlebars } = await import("./template-creator/handlebars.ts");
    return renderHandlebars(template, context, TIMEOUT_MS);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // an expression with too many operators, too deep for the stack
    throw new SpellError("limit", "Cannot render the template: an expression is too long", { cause: error });
  }
}

function checkSize(what: string, bytes: number, allowed: number): number {
  if (bytes <= allowed) return bytes;
  throw new SpellError(
    "limit",
    `Cannot render the template: the ${what} may have ${allowed} bytes: ${bytes}`,
    {
      data: { limit: `${what}_bytes`, allowed, used: bytes },
    },
  );
}
