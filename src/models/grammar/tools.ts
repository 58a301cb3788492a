/** The arguments of tool calls as GBNF. */
import type { LanguageModelV4FunctionTool } from "@ai-sdk/provider";
import { Rules } from "./rules.ts";
import { SchemaRules } from "./schema.ts";

export interface ToolRules {
  /** The rules of the tools' schemas, under the names that libllama-common has for these. */
  roots: Record<string, string>;
  /** All rules, one a line, in GBNF. */
  rules: string;
}

/**
 * Formats of calls have either one JSON object of all arguments or each argument by itself, so that there are rules for both.
 * @throws SpellError invalid_argument: names the keyword, the tool and the path
 */
export function toolRules(tools: readonly LanguageModelV4FunctionTool[]): ToolRules {
  const rules = new Rules();
  const roots: Record<string, string> = {};
  for (const { name, inputSchema } of tools) {
    const schema = new SchemaRules(inputSchema, rules, `tool "${name}"#`);
    roots[`tool-${name}-schema`] = schema.root();
    for (const property of Object.keys(inputSchema.properties ?? {}))
      roots[`tool-${name}-arg-${property}-schema`] = schema.property(property);
  }
  return { roots, rules: rules.toString() };
}
