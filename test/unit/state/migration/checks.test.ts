/** What a migration checks before it changes anything. Expected: spec/agents-workflows-rag.md section 9.4. */
import { describe, expect, test } from "bun:test";
import { failure } from "../../../support/model-service.ts";
import { type Json, migrated } from "./support.ts";

describe("A migration checks", () => {
  test.each<[string, Json, Json, string]>([
    ["NotNull", { type: "NotNull", field: "a" }, {}, '"a" is missing'],
    [
      "Type",
      { type: "Type", field: "a.b", expected: "string" },
      { a: { b: 1 } },
      '"a.b" must be of type string',
    ],
    [
      "Range",
      { type: "Range", field: "a", min: 0, max: 9 },
      { a: 10 },
      '"a" must be a number between 0 and 9',
    ],
    [
      "Range of what is no number",
      { type: "Range", field: "a", min: 0 },
      { a: "x" },
      '"a" must be a number of at least 0',
    ],
    ["Length", { type: "Length", field: "a", max: 2 }, { a: "abc" }, '"a" must have a length of at most 2'],
    [
      "Pattern",
      { type: "Pattern", field: "a", pattern: "^[a-z]+$" },
      { a: "A" },
      '"a" must match "^[a-z]+$"',
    ],
  ])("%s", async (_what, rule, record, problem) => {
    const error = await failure(() => migrated(record, { rules: [rule] }));
    expect(error).toMatchObject({ code: "invalid_argument", message: `"custom:record": ${problem}` });
  });

  test("with a pattern that would hang another engine", async () => {
    const rules = [{ type: "Pattern", field: "a", pattern: "^(a+)+$" }];
    const error = await failure(() => migrated({ a: `${"a".repeat(50_000)}!` }, { rules }));
    expect(error.message).toContain("must match");
  });

  test("types and required fields of the schema, as strictly as it is told", async () => {
    const schemas = { to: { a: { field_type: "string", required: true } }, from: { a: "string" } };
    const wrong = { a: 1 };
    expect((await failure(() => migrated(wrong, schemas))).message).toContain('"a" must be of type string');
    expect(await migrated(wrong, schemas, { validationLevel: "Basic" })).toEqual(wrong);
    expect((await failure(() => migrated({}, schemas, { validationLevel: "Basic" }))).message).toContain(
      "is missing",
    );
    expect(await migrated({}, schemas, { validationLevel: "None" })).toEqual({});
    const fixed = {
      ...schemas,
      transforms: [{ type: "Convert", from_field: "a", to_field: "a", converter: "to_string" }],
    };
    expect(await migrated(wrong, fixed)).toEqual({ a: "1" });
    expect((await failure(() => migrated(wrong, fixed, { validationLevel: "Paranoid" }))).message).toContain(
      '"a" must be of type string',
    );
  });
});
