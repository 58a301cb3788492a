/** Judged by Ajv, a validator of its own. */
import { describe, expect, test } from "bun:test";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { sampleOf } from "../../../../src/models/calls/sample.ts";
import { uniform } from "../../../support/random.ts";

const ajv = new Ajv2020({ strict: false });
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);

const errorsOf = (schema: object, value: unknown) => {
  const validate = ajv.compile(schema);
  return validate(value) ? null : validate.errors;
};

/** A schema of the kinds that scripts write. */
function schemaOf(random: () => number, depth: number): object {
  const whole = (below: number) => Math.floor(random() * below);
  const kinds = depth === 0 ? 6 : 9;
  switch (whole(kinds)) {
    case 0:
      return { type: "string", minLength: whole(20) };
    case 1:
      return { type: "string", format: ["date", "date-time", "email", "uri", "uuid", "time"][whole(6)] };
    case 2:
      return { type: "integer", minimum: whole(20) - 10 };
    case 3:
      return { type: "number", exclusiveMinimum: random() * 10, maximum: 100 };
    case 4:
      return { enum: [["a", "b"][whole(2)], 3, null] };
    case 5:
      return { type: ["boolean", "null"][whole(2)] };
    case 6:
      return { type: "array", items: schemaOf(random, depth - 1), minItems: whole(3) };
    case 7:
      return { anyOf: [schemaOf(random, depth - 1), schemaOf(random, depth - 1)] };
    default: {
      const names = ["x", "y", "z"].slice(0, 1 + whole(3));
      return {
        type: "object",
        properties: Object.fromEntries(names.map((name) => [name, schemaOf(random, depth - 1)])),
        required: names.slice(whole(2)),
        additionalProperties: false,
      };
    }
  }
}

describe("A sample of a schema", () => {
  test("keeps to it, for hundreds of random ones", () => {
    const random = uniform(42);
    for (let i = 0; i < 500; i++) {
      const schema = schemaOf(random, 3);
      const value = sampleOf(schema);
      expect({ schema, value, errors: errorsOf(schema, value) }).toEqual({ schema, value, errors: null });
    }
  });

  test("follows references and joins what must all hold", () => {
    const schema = {
      $defs: {
        name: { type: "string", minLength: 3 },
        tree: { type: "object", properties: { next: { $ref: "#/$defs/tree" } } },
      },
      allOf: [
        { type: "object", properties: { a: { $ref: "#/$defs/name" } }, required: ["a"] },
        { type: "object", properties: { b: { $ref: "#/$defs/tree" } }, required: ["b"] },
      ],
    };
    expect(errorsOf(schema, sampleOf(schema))).toBeNull();
  });

  test("ends where a schema demands itself without end", () => {
    const schema = {
      $ref: "#/$defs/a",
      $defs: { a: { type: "object", properties: { a: { $ref: "#/$defs/a" } }, required: ["a"] } },
    };
    expect(JSON.stringify(sampleOf(schema)).length).toBeLessThan(200);
  });
});
