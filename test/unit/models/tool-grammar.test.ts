/** The schemas of tools as grammars: all of ours can be held, what cannot is refused by name. */
import { describe, expect, test } from "bun:test";
import type { LanguageModelV4FunctionTool } from "@ai-sdk/provider";
import { toolRules } from "../../../src/models/grammar/tools.ts";
import { builtinTools } from "../../../src/tools/registry.ts";

const tool = (name: string, inputSchema: object) =>
  ({ type: "function", name, inputSchema }) as LanguageModelV4FunctionTool;

const messageOf = (schema: object): string => {
  try {
    toolRules([tool("weather", schema)]);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("The rules of tools", () => {
  test("stand under the names of the whole and of each property", () => {
    const { roots, rules } = toolRules([
      tool("a", { type: "object", properties: { n: { type: "integer", minimum: 3, maximum: 4 } } }),
      tool("b", { type: "object" }),
    ]);
    expect(Object.keys(roots)).toEqual(["tool-a-schema", "tool-a-arg-n-schema", "tool-b-schema"]);
    for (const root of Object.values(roots)) expect(rules).toContain(`${root} ::= `);
  });

  test.each(builtinTools.map(({ name, parameters }) => [name, parameters] as const))(
    "hold calls of %s",
    (name, parameters) => {
      expect(toolRules([tool(name, parameters)]).rules).not.toBe("");
    },
  );

  test("name the keyword, the tool and the place of what cannot be held", () => {
    expect(messageOf({ type: "object", properties: { days: { not: { const: 3 } } } })).toBe(
      'Cannot hold the answer to the schema: "not" cannot be held: tool "weather"#/properties/days',
    );
    expect(messageOf({ type: "object", properties: { days: { type: "string", minimum: 3 } } })).toBe("");
  });
});
