/** What a migration does by the schemas alone. Expected: spec/agents-workflows-rag.md section 9.4. */
import { describe, expect, test } from "bun:test";
import { failure } from "../../../support/model-service.ts";
import { migrated } from "./support.ts";

describe("A migration derives from the schemas", () => {
  test("defaults of new fields, removal of old ones, conversion of changed types", async () => {
    const schemas = {
      from: { kept: "string", old: "string", age: "string", ratio: "integer" },
      to: {
        kept: "string",
        age: "integer",
        ratio: "string",
        status: { field_type: "string", default_value: "new" },
      },
    };
    expect(await migrated({ kept: "k", old: 1, age: "41", ratio: 2, unknown: true }, schemas)).toEqual({
      kept: "k",
      age: 41,
      ratio: "2",
      status: "new",
      unknown: true,
    });
  });

  test("nothing for fields of which a transform speaks", async () => {
    const schemas = {
      from: { name: "string" },
      to: { title: { field_type: "string", default_value: "nobody" } },
      transforms: [{ type: "Copy", from_field: "name", to_field: "title" }],
    };
    expect(await migrated({ name: "Ann" }, schemas)).toEqual({ title: "Ann" });
    expect(await migrated({}, schemas)).toEqual({ title: "nobody" });
  });

  test("a refusal where nobody tells how to convert", async () => {
    const error = await failure(() => migrated({}, { from: { a: "object" }, to: { a: "integer" } }));
    expect(error.message).toBe(
      "Cannot migrate from 1.0.0 to 1.1.0: no conversion is known of a from object to integer",
    );
  });

  test("the loss of unknown fields only where it is asked for", async () => {
    const schemas = { from: { a: "any" }, to: { a: "any" } };
    expect(await migrated({ a: 1, x: 2 }, schemas)).toEqual({ a: 1, x: 2 });
    expect(await migrated({ a: 1, x: 2 }, { ...schemas, how: { preserve_unknown_fields: false } })).toEqual({
      a: 1,
    });
  });
});
