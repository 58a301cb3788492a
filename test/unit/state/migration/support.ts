/** Migrations over a real database. Expected: spec/agents-workflows-rag.md section 9.4. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryHome } from "../../../support/model-service.ts";
import { type TestState, testState } from "../../../support/state.ts";

export type Json = Record<string, unknown>;

export interface Written {
  from?: Json;
  to?: Json;
  transforms?: Json[];
  rules?: Json[];
  more?: Json;
  /** Of the transformation. */
  how?: Json;
}

/** Schema files 1.0.0 and 1.1.0, and what leads from one to the other. */
export function writeSchemas(
  test: TestState,
  { from = { any: {} }, to = { any: {} }, transforms = [], rules = [], more = {}, how = {} }: Written,
) {
  write(test, "1.0.0", { fields: fieldsOf(from) });
  const step = {
    from_schema_version: "1.0.0",
    field_transforms: transforms,
    validation_rules: rules,
    ...how,
  };
  write(test, "1.1.0", { fields: fieldsOf(to), transformations: [step], ...more });
}

/** `{age: "integer"}` and `{age: {field_type: …, required: true}}`. */
export const fieldsOf = (fields: Json): Json =>
  Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [
      name,
      typeof field === "string" ? { field_type: field } : { field_type: "any", ...(field as Json) },
    ]),
  );

export function write(test: TestState, version: string, schema: Json): void {
  writeFileSync(join(test.schemaDirectory, `${version}.json`), JSON.stringify({ version, ...schema }));
}

/** What becomes of one record. */
export async function migrated(record: Json, schemas: Written, options = {}): Promise<unknown> {
  using home = temporaryHome();
  await using test = await testState(home);
  writeSchemas(test, schemas);
  await test.state.save("custom", "record", record);
  await test.migrations.migrate("1.1.0", options);
  return test.state.load("custom", "record");
}
