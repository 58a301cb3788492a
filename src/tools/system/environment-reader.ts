import { Type } from "typebox";
import { matchesWildcard } from "../../core/wildcard.ts";
import { missingParameter } from "../parameters.ts";
import { choice, defineTool } from "../tool.ts";

const MAX_RESULTS = 100;

const parameters = Type.Object({
  operation: choice(
    ["get", "list", "pattern"],
    "get: one variable; list: all readable ones; pattern: those whose names match",
  ),
  variable_name: Type.Optional(Type.String({ description: "For get: name of the variable", minLength: 1 })),
  pattern: Type.Optional(
    Type.String({ description: "For list and pattern: name with * and ? as wildcards, for example LC_*" }),
  ),
});

/** At most 100, by name. */
function matching(variables: Record<string, string>, pattern: string) {
  const entries = Object.entries(variables).filter(([name]) => matchesWildcard(pattern, name));
  const kept = entries.slice(0, MAX_RESULTS);
  return {
    variables: Object.fromEntries(kept),
    count: kept.length,
    ...(entries.length > kept.length ? { truncated: true } : {}),
  };
}

export const tool = defineTool({
  name: "environment-reader",
  aliases: ["environment_reader", "environment-manager", "environment_manager"],
  description: "Reads environment variables. Only allowed names can be read; secrets never.",
  category: "system",
  level: "restricted",
  version: "1.0.0",
  parameters,
  accepts: { names: { name: "variable_name" } },
  resultDoc: [
    "- `get`: `{variable_name, value, found}`",
    "- `list`: `{variables, count}`; with `pattern` only the matching ones",
    "- `pattern`: `{pattern, variables, count}`",
    "",
    "At most 100 variables are returned; `truncated` is set when there are more.",
  ].join("\n"),
  style: "envelope",
  needs: ["environment"],
  examples: [
    {
      title: "Read one variable",
      params: { operation: "get", variable_name: "PATH" },
      result: { variable_name: "PATH", found: true },
    },
    {
      title: "Locale settings",
      params: { operation: "pattern", pattern: "LC_*" },
      result: { pattern: "LC_*" },
    },
  ],
  primary: ({ result }) => {
    const { value, count } = result as { value?: string | null; count?: number };
    return value ?? count;
  },
  execute(params, ctx) {
    const { operation, pattern } = params;
    const { environment } = ctx.can;
    switch (operation) {
      case "get": {
        if (params.variable_name === undefined) throw missingParameter("variable_name");
        const value = environment.get(params.variable_name);
        const found = value !== undefined;
        return { operation, result: { variable_name: params.variable_name, value: value ?? null, found } };
      }
      case "list":
        return { operation, result: matching(environment.list(), pattern ?? "*") };
      case "pattern":
        if (pattern === undefined) throw missingParameter("pattern");
        return { operation, result: { pattern, ...matching(environment.list(), pattern) } };
    }
  },
});
