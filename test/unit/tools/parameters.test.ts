/** Expected texts: spec/tools.md section 2.2. */
import { describe, expect, test } from "bun:test";
import { type TProperties, Type } from "typebox";
import { checkParameters } from "../../../src/tools/parameters.ts";
import { choice, defineTool, type ToolDefinition } from "../../../src/tools/tool.ts";
import { failure } from "./support.ts";

function toolWith(properties: TProperties, more: Partial<ToolDefinition> = {}): ToolDefinition {
  return {
    ...defineTool({
      name: "probe",
      aliases: [],
      description: "For tests",
      category: "utility",
      level: "safe",
      version: "1.0.0",
      parameters: Type.Object(properties),
      resultDoc: "",
      style: "envelope",
      needs: [],
      examples: [],
      primary: () => undefined,
      execute: () => ({ operation: "probe" }),
    }),
    ...more,
  };
}

const problem = async (tool: ToolDefinition, params: Record<string, unknown>) =>
  (await failure(() => checkParameters(tool, params))).message;

describe("a missing required parameter", () => {
  test.each([
    [Type.String(), "Missing required parameter 'x'"],
    [Type.Unknown(), "Missing required parameter 'x'"],
    [choice(["a"], ""), "Missing required parameter 'x'"],
    [Type.Boolean(), "Missing required boolean parameter 'x'"],
    [Type.Integer(), "Missing required integer parameter 'x'"],
    [Type.Integer({ minimum: 0 }), "Missing required unsigned integer parameter 'x'"],
    [Type.Number(), "Missing required float parameter 'x'"],
    [Type.Array(Type.String()), "Missing required array parameter 'x'"],
    [Type.Object({}), "Missing required object parameter 'x'"],
  ])("of schema %j gives %p", async (schema, message) => {
    expect(await problem(toolWith({ x: schema }), {})).toBe(message);
    expect(await problem(toolWith({ x: schema }), { x: null })).toBe(message);
  });

  test("inside an object is named by its path", async () => {
    const tool = toolWith({ x: Type.Object({ y: Type.Integer() }) });
    expect(await problem(tool, { x: {} })).toBe("Missing required integer parameter 'x.y'");
  });
});

describe("a value outside the allowed ones", () => {
  test("is refused with the list and the nearest word", async () => {
    const tool = toolWith({ mode: choice(["fast", "slow"], "") });
    const error = await failure(() => checkParameters(tool, { mode: "fats" }));
    expect(error.message).toBe("Invalid mode: 'fats'. Allowed values: fast, slow");
    expect(error.hint).toBe('Did you mean "fast"?');
    expect(error.code).toBe("invalid_argument");
  });

  test("is found in every way a schema writes an enumeration", async () => {
    const union = Type.Union([Type.Literal("a"), Type.Literal("b")]);
    for (const schema of [union, Type.Enum(["a", "b"]), choice(["a", "b"], "")]) {
      expect(checkParameters(toolWith({ x: schema }), { x: "b" })).toEqual({ x: "b" });
      expect(await problem(toolWith({ x: schema }), { x: "c" })).toBe("Invalid x: 'c'. Allowed values: a, b");
    }
  });
});

describe("values", () => {
  const tool = toolWith({
    text: Type.Optional(Type.String()),
    count: Type.Optional(Type.Integer()),
    ratio: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    flag: Type.Optional(Type.Boolean()),
    items: Type.Optional(Type.Array(Type.Integer())),
    either: Type.Optional(Type.Union([Type.Integer(), Type.String()])),
    any: Type.Optional(Type.Unknown()),
  });

  test("are converted between text and number, and true and false read from text", () => {
    expect(checkParameters(tool, { text: 42, count: "7", ratio: "0.5", flag: "true" })).toEqual({
      text: "42",
      count: 7,
      ratio: 0.5,
      flag: true,
    });
    expect(checkParameters(tool, { text: 2n ** 60n })).toEqual({ text: "1152921504606846976" });
  });

  test("of a union keep their type where it fits", () => {
    expect(checkParameters(tool, { either: "5" })).toEqual({ either: "5" });
    expect(checkParameters(tool, { either: 5 })).toEqual({ either: 5 });
  });

  test("that are an empty table count as an empty array", () => {
    expect(checkParameters(tool, { items: {} })).toEqual({ items: [] });
  });

  test("that are unknown are left out, unless the schema takes any", () => {
    expect(checkParameters(tool, { other: 1, text: "a" })).toEqual({ text: "a" });
    const open = toolWith({}, { parameters: { ...Type.Object({}), additionalProperties: true } as never });
    expect(checkParameters(open, { other: 1 })).toEqual({ other: 1 });
  });

  test.each([
    [{ text: {} }, "Invalid text: it must be a string: an object"],
    [{ text: true }, "Invalid text: it must be a string: true"],
    [{ text: new Uint8Array([255]) }, "Invalid text: it must be valid UTF-8 text: 1 bytes"],
    [{ count: 1.5 }, "Invalid count: it must be an integer: 1.5"],
    [{ count: "" }, "Invalid count: it must be an integer: "],
    [{ ratio: 2 }, "Invalid ratio: it must be at most 1: 2"],
    [{ ratio: Number.NaN }, "Invalid ratio: it must be a number: NaN"],
    [{ flag: "yes" }, "Invalid flag: it must be true or false: yes"],
    [{ items: { a: 1 } }, "Invalid items: it must be an array: an object"],
    [{ items: [1, "x"] }, "Invalid items[2]: it must be an integer: x"],
  ])("of the wrong type are refused: %j", async (params, message) => {
    expect(await problem(tool, params as Record<string, unknown>)).toBe(message);
  });

  test("named like parts of the prototype are ordinary names", () => {
    const params = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}');
    expect(checkParameters(tool, params)).toEqual({});
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe("accepted spellings", () => {
  const tool = toolWith(
    {
      operation: Type.Optional(choice(["list_dir", "read"], "", "read")),
      input: Type.Optional(Type.String()),
    },
    { accepts: { names: { content: "input" }, values: { operation: { ls: "list_dir" } }, bytes: ["input"] } },
  );

  test("become the main ones, values without regard to case", () => {
    expect(checkParameters(tool, { operation: "LS", content: "x" })).toEqual({
      operation: "list_dir",
      input: "x",
    });
    expect(checkParameters(tool, { operation: "Read" })).toEqual({ operation: "read" });
  });

  test("give way to the main name where both are there", () => {
    expect(checkParameters(tool, { input: "main", content: "other" }).input).toBe("main");
  });

  test("let bytes pass where the tool takes them, and defaults are filled in", () => {
    const bytes = new Uint8Array([0xff]);
    expect(checkParameters(tool, { input: bytes })).toEqual({ operation: "read", input: bytes });
  });
});
