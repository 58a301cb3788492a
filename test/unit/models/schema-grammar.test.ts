import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SpellError } from "../../../src/core/errors.ts";
import { HELD_KEYWORDS, REFUSED_KEYWORDS } from "../../../src/models/grammar/keywords.ts";
import { schemaGrammar } from "../../../src/models/grammar/schema.ts";
import { STRING_FORMATS } from "../../../src/models/grammar/strings.ts";

function refused(schema: unknown): unknown {
  try {
    schemaGrammar(schema);
  } catch (error) {
    if (error instanceof SpellError) return [error.code, error.data?.keyword, error.data?.path];
    throw error;
  }
  return "accepted";
}

const at = (schema: unknown) => ({ type: "object", properties: { a: { type: "array", items: schema } } });
const PLACE = "#/properties/a/items";

describe("A schema is refused by keyword and path", () => {
  test.each([
    ["not", { not: { type: "string" } }],
    ["if", { if: { type: "string" } }],
    ["dependentRequired", { dependentRequired: { a: ["b"] } }],
    ["contains", { type: "array", contains: { type: "string" } }],
    ["uniqueItems", { type: "array", uniqueItems: true }],
    ["multipleOf", { type: "number", multipleOf: 0.1 }],
    ["multipleOf", { type: "integer", multipleOf: 7 }],
    ["patternProperties", { type: "object", patternProperties: { "^a": {}, b: {} } }],
    ["unevaluatedProperties", { type: "object", unevaluatedProperties: false }],
    ["$ref", { $ref: "https://example.com/schema.json" }],
    ["$ref", { $ref: "#/nowhere" }],
    ["format", { type: "string", format: "ipv6" }],
    ["pattern", { type: "string", pattern: "(?=a)b" }],
    ["pattern", { type: "string", pattern: "(a)\\1" }],
    ["pattern", { type: "string", pattern: "(a*)*" }],
    ["pattern", { type: "string", pattern: "a(" }],
    ["maxLength", { type: "string", pattern: "^a+$", maxLength: 3 }],
    ["minItems", { type: "array", minItems: 100_000 }],
    ["minProperties", { type: "object", minProperties: 3 }],
    ["oneOf", { oneOf: [{ type: "integer" }, { type: "number" }] }],
    ["type", { type: "text" }],
    ["maxLenght", { type: "string", maxLenght: 3 }],
    ["schema", { type: "integer", minimum: 5, maximum: 4 }],
  ])("%s", (keyword, schema) => {
    // at an item of a list that may be empty, what no value meets may be left out
    if (keyword === "schema") expect(refused(schema)).toEqual(["invalid_argument", keyword, "#"]);
    else expect(refused(at(schema))).toEqual(["invalid_argument", keyword, PLACE]);
  });

  test.each(REFUSED_KEYWORDS)("%s, whatever it says", (keyword) => {
    expect(refused(at({ [keyword]: {} }))).toEqual(["invalid_argument", keyword, PLACE]);
  });
});

describe("A schema that explodes is refused", () => {
  test("by its depth", () => {
    let schema: unknown = { type: "null" };
    for (let i = 0; i < 5000; i++) schema = { type: "array", items: schema };
    expect(refused(schema)).toEqual(["invalid_argument", "schema", "#"]);
  });

  test("by alternatives that multiply", () => {
    const pair = { anyOf: [{ type: "string" }, { type: "object", properties: { a: { type: "null" } } }] };
    const level = (i: number): unknown => ({
      allOf: [{ $ref: `#/$defs/${i + 1}` }, { $ref: `#/$defs/${i + 1}` }],
    });
    const $defs = Object.fromEntries([
      ...Array.from({ length: 40 }, (_, i) => [String(i), level(i)]),
      ["40", pair],
    ]);
    expect(refused({ $ref: "#/$defs/0", $defs })).not.toBe("accepted");
  });

  test("by a reference to itself", () => {
    expect(refused({ allOf: [{ $ref: "#" }] })).not.toBe("accepted");
  });
});

describe("docs/structured-output.md", () => {
  const page = readFileSync(join(import.meta.dir, "../../../docs/structured-output.md"), "utf8");

  test.each([...HELD_KEYWORDS, ...REFUSED_KEYWORDS, ...STRING_FORMATS])("names %s", (word) => {
    expect(page).toContain(`\`${word}\``);
  });
});
