/** Schema files that are read, and those that are refused. Expected: spec/agents-workflows-rag.md section 9.4. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { failure, temporaryHome } from "../../../support/model-service.ts";
import { testState } from "../../../support/state.ts";

describe("Schema files", () => {
  test.each<[string, string, string]>([
    ["a.json", "{", "JSON"],
    ["a.json", '{"version":"1.0"}', "Invalid version '1.0'"],
    ["a.json", '{"version":"1.0.0"}', "it has no fields"],
    [
      "a.json",
      '{"version":"1.0.0","fields":{"a":{"field_type":"text"}}}',
      '"fields.a.field_type" must be one of string',
    ],
    [
      "a.json",
      '{"version":"1.0.0","fields":{"a":{"field_type":"any"}},"dependencies":["1.0.0"]}',
      "depends on itself",
    ],
    [
      "a.json",
      '{"version":"1.0.0","fields":{"a":{"field_type":"any"}},"dependencies":["0.9.0"]}',
      "which is not in",
    ],
    ["a.json", '{"version":"1.0.0","field":{}}', "unknown key: field"],
    ["a.toml", "version = ", "invalid TOML"],
    [
      "a.json",
      '{"version":"1.0.0","fields":{"__proto__.x":{"field_type":"any"}}}',
      "no field can have the name",
    ],
  ])("that are wrong are named (%s: %s)", async (name, text, problem) => {
    using home = temporaryHome();
    await using test = await testState(home);
    writeFileSync(join(test.schemaDirectory, name), text);
    const error = await failure(() => test.migrations.status());
    expect(error).toMatchObject({ code: "config" });
    expect(error.message).toContain(problem);
  });

  test("of the same version are refused", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    const schema = JSON.stringify({ version: "1.0.0", fields: { a: { field_type: "any" } } });
    for (const name of ["a.json", "b.json"]) writeFileSync(join(test.schemaDirectory, name), schema);
    expect((await failure(() => test.migrations.status())).message).toContain("it is there already");
  });
});
