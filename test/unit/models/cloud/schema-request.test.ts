/** OpenAI's rules for strict schemas: its guide to structured outputs, "Supported schemas". */
import { describe, expect, test } from "bun:test";
import type { JSONSchema7 } from "@ai-sdk/provider";
import { fitsStrictMode, schemaRequest } from "../../../../src/models/providers/cloud/schema-request.ts";
import { VENDORS } from "../../../../src/models/providers/cloud/vendors.ts";

const closed = (properties: object, required = Object.keys(properties)) => ({
  type: "object" as const,
  properties: properties as Record<string, JSONSchema7>,
  required,
  additionalProperties: false,
});
const text = { type: "string" };

describe("Strict mode takes", () => {
  test.each([
    [
      "closed objects, nested and in lists",
      closed({ a: closed({ b: text }), c: { type: "array", items: closed({ d: text }) } }),
      true,
    ],
    [
      "definitions and references",
      { ...closed({ a: { $ref: "#/$defs/x" } }), $defs: { x: closed({ b: text }) } },
      true,
    ],
    ["an optional value that may be null", closed({ a: { type: ["string", "null"] } }), true],
    ["no open object", { type: "object", properties: { a: text }, required: ["a"] }, false],
    ["no property that may be left out", closed({ a: text, b: text }, ["a"]), false],
    ["no open object deep inside", closed({ a: { type: "array", items: { type: "object" } } }), false],
    ["no open definition", { ...closed({ a: text }), $defs: { x: { type: "object" } } }, false],
    ["no list at the root", { type: "array", items: text }, false],
    ["no allOf", closed({ a: { allOf: [text] } }), false],
    ["no patterns of names", { ...closed({}), patternProperties: { x: text } }, false],
    ["no boolean schema", true, false],
  ] as const)("%s", (_what, schema, fits) => {
    expect(fitsStrictMode(schema)).toBe(fits);
  });
});

describe("A schema", () => {
  const prompt = [
    { role: "system" as const, content: "Be brief." },
    { role: "user" as const, content: [{ type: "text" as const, text: "Hi" }] },
  ];
  const options = { prompt, responseFormat: { type: "json" as const, schema: closed({ a: text }) } };

  test.each([
    ["of before structured outputs", "gpt-3.5-turbo", true],
    ["whose service refuses them", "gpt-4o", false],
  ])("is told in words to a model %s", (_what, modelId, isAllowed) => {
    const { responseFormat, prompt: told } = schemaRequest(options, VENDORS.openai!, modelId, isAllowed);
    expect(responseFormat).toEqual({ type: "json" });
    expect(told[0]!.content).toStartWith("Be brief.\n\n");
    expect(told[0]!.content).toContain('"additionalProperties":false');
    expect(told).toHaveLength(2);
  });

  test("goes with the request otherwise", () => {
    const { responseFormat, providerOptions } = schemaRequest(options, VENDORS.openai!, "gpt-4o", true);
    expect(responseFormat).toEqual(options.responseFormat);
    expect(providerOptions?.openai).toEqual({ strictJsonSchema: true });
    expect(schemaRequest(options, VENDORS.gemini!, "gemini-2.5-flash", true)).toEqual(options);
  });

  test("that is none changes nothing", () => {
    expect(schemaRequest({ prompt }, VENDORS.openai!, "gpt-4o", true)).toEqual({ prompt });
  });
});
