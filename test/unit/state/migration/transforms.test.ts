/** What the transforms of a migration make of fields. Expected: spec/agents-workflows-rag.md section 9.4. */
import { describe, expect, test } from "bun:test";
import { failure } from "../../../support/model-service.ts";
import { type Json, migrated } from "./support.ts";

describe("A migration transforms fields", () => {
  test.each<[string, Json, Json[], Json]>([
    ["Copy moves to another name", { a: 1 }, [{ type: "Copy", from_field: "a", to_field: "b" }], { b: 1 }],
    [
      "Copy by paths",
      { a: { b: 1, c: 2 } },
      [{ type: "Copy", from_field: "a.b", to_field: "x.y.z" }],
      { a: { c: 2 }, x: { y: { z: 1 } } },
    ],
    [
      "Copy leaves a record without the field alone",
      { other: 1 },
      [{ type: "Copy", from_field: "a", to_field: "b" }],
      { other: 1 },
    ],
    [
      "Convert to whole numbers, exactly",
      { a: "9007199254740993", b: "-7", c: 3.9 },
      ["a", "b", "c"].map((name) => ({
        type: "Convert",
        from_field: name,
        to_field: name,
        converter: "parse_int",
      })),
      { a: 9_007_199_254_740_993n, b: -7, c: 3 } as Json,
    ],
    [
      "Convert to numbers and to text",
      { a: "1.5", b: 2, c: { d: true } },
      [
        { type: "Convert", from_field: "a", to_field: "a", converter: "parse_float" },
        { type: "Convert", from_field: "b", to_field: "text", converter: "to_string" },
        { type: "Convert", from_field: "c.d", to_field: "c.d", converter: "to_string" },
      ],
      { a: 1.5, text: "2", c: { d: "true" } },
    ],
    [
      "Convert with an unknown converter copies",
      { a: "x" },
      [{ type: "Convert", from_field: "a", to_field: "b", converter: "mystery" }],
      { b: "x" },
    ],
    [
      "Default only where nothing is, false and null being something",
      { a: false, n: { x: 1 } },
      [
        { type: "Default", field: "a", value: true },
        { type: "Default", field: "b", value: [1, { c: 2 }] },
        { type: "Default", field: "n.y", value: 2 },
      ],
      { a: false, b: [1, { c: 2 }], n: { x: 1, y: 2 } },
    ],
    [
      "Remove by path",
      { a: { b: 1, c: 2 }, d: 3 },
      [
        { type: "Remove", field: "a.b" },
        { type: "Remove", field: "d" },
      ],
      { a: { c: 2 } },
    ],
    [
      "Split at commas, null where the text is short",
      { name: "Ann, Lee", x: { y: "one" } },
      [
        { type: "Split", from_field: "name", to_fields: ["first", "last.name"], splitter: "comma_split" },
        { type: "Split", from_field: "x.y", to_fields: ["p", "q"], splitter: "comma_split" },
        { type: "Remove", field: "name" },
      ],
      { first: "Ann", last: { name: "Lee" }, x: { y: "one" }, p: "one" },
    ],
    [
      "Split without a known splitter copies to each",
      { a: 1 },
      [{ type: "Split", from_field: "a", to_fields: ["b", "c"], splitter: "none" }],
      { a: 1, b: 1, c: 1 },
    ],
    [
      "Merge texts, sums and the first that is there",
      { f: "Ann", l: "Lee", n: { a: 1, b: 2.5 }, y: 7 },
      [
        { type: "Merge", from_fields: ["f", "l"], to_field: "name.full", merger: "concat_strings" },
        { type: "Merge", from_fields: ["n.a", "n.b"], to_field: "sum", merger: "sum_numbers" },
        { type: "Merge", from_fields: ["x", "y"], to_field: "first", merger: "first_non_null" },
        { type: "Merge", from_fields: ["l", "f"], to_field: "any", merger: "mystery" },
      ],
      {
        f: "Ann",
        l: "Lee",
        n: { a: 1, b: 2.5 },
        y: 7,
        name: { full: "Ann Lee" },
        sum: 3.5,
        first: 7,
        any: "Lee",
      },
    ],
    [
      "Custom by name and configuration, by paths",
      { a: { b: "x" }, state: "1" },
      [
        { type: "Custom", from_fields: ["a.b"], to_fields: ["a.b"], transformer: "uppercase" },
        {
          type: "Custom",
          from_fields: ["state"],
          to_fields: ["state"],
          transformer: "map_values",
          config: { map: { 1: "on" } },
        },
      ],
      { a: { b: "X" }, state: "on" },
    ],
  ])("%s", async (_what, record, transforms, expected) => {
    const result = (await migrated(record, { transforms })) as Json;
    // What is null reads as absent here and there.
    const bare = Object.fromEntries(Object.entries(result).filter(([, value]) => value !== null));
    expect(bare).toEqual(expected);
  });

  test("by functions that the caller registers", async () => {
    const transforms = [{ type: "Custom", from_fields: ["a", "b"], to_fields: ["c"], transformer: "join" }];
    const join = async (values: readonly unknown[]) => [values.join("+")];
    expect(await migrated({ a: 1, b: 2 }, { transforms }, { transformers: { join } })).toEqual({
      a: 1,
      b: 2,
      c: "1+2",
    });
    const error = await failure(() => migrated({ a: 1 }, { transforms }));
    expect(error.message).toBe('Unknown transformer: "join"');
  });
});
