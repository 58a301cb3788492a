/** Migrations over a real database. Expected: spec/agents-workflows-rag.md section 9.4. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SpellError } from "../../../src/core/errors.ts";
import type { HookRunner } from "../../../src/hooks/service.ts";
import { failure, temporaryHome } from "../../support/model-service.ts";
import { contentOf, type TestState, testState } from "../../support/state.ts";

type Json = Record<string, unknown>;

interface Written {
  from?: Json;
  to?: Json;
  transforms?: Json[];
  rules?: Json[];
  more?: Json;
  /** Of the transformation. */
  how?: Json;
}

/** Schema files 1.0.0 and 1.1.0, and what leads from one to the other. */
function writeSchemas(
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
const fieldsOf = (fields: Json): Json =>
  Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [
      name,
      typeof field === "string" ? { field_type: field } : { field_type: "any", ...(field as Json) },
    ]),
  );

function write(test: TestState, version: string, schema: Json): void {
  writeFileSync(join(test.schemaDirectory, `${version}.json`), JSON.stringify({ version, ...schema }));
}

/** What becomes of one record. */
async function migrated(record: Json, schemas: Written, options = {}): Promise<unknown> {
  using home = temporaryHome();
  await using test = await testState(home);
  writeSchemas(test, schemas);
  await test.state.save("custom", "record", record);
  await test.migrations.migrate("1.1.0", options);
  return test.state.load("custom", "record");
}

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

describe("A migration", () => {
  const move = { transforms: [{ type: "Copy", from_field: "a", to_field: "b" }] };

  test("changes all records or none: one that does not fit leaves every other as it was", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    writeSchemas(test, { ...move, rules: [{ type: "Range", field: "b", max: 500 }] });
    for (let i = 0; i <= 501; i++) await test.state.save("custom", `r${i}`, { a: i });
    const before = await contentOf(test.state);
    const error = await failure(() => test.migrations.migrate("1.1.0"));
    expect(error).toMatchObject({ data: { key: "custom:r501" } });
    expect(await contentOf(test.state)).toEqual(before);
    expect(test.state.raw.schemaVersion).toBe("1.0.0");
    expect(test.events.map(({ type }) => type)).toContain("migration_failed");
  });

  test("is known to later processes, once and for all", async () => {
    using home = temporaryHome();
    {
      await using test = await testState(home);
      writeSchemas(test, move);
      await test.state.save("custom", "r", { a: 1 });
      expect(await test.migrations.migrate("1.1.0")).toMatchObject({ status: "completed", itemsMigrated: 1 });
    }
    await using later = await testState(home);
    expect(await later.migrations.status()).toMatchObject({ currentVersion: "1.1.0", targets: [] });
    expect(await later.migrations.migrate("1.1.0")).toMatchObject({ status: "already_current" });
    expect((await later.state.entries())[0]).toMatchObject({ schemaVersion: "1.1.0", value: { b: 1 } });
  });

  test("as a trial changes nothing and takes no backup", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    writeSchemas(test, move);
    await test.state.save("custom", "r", { a: 1 });
    expect(await test.migrations.migrate("1.1.0", { dryRun: true })).toMatchObject({
      itemsMigrated: 1,
      backupId: undefined,
    });
    expect(await test.state.load("custom", "r")).toEqual({ a: 1 });
    expect(await test.backups.list()).toEqual([]);
  });

  test("saves the state first, and the backup brings it back, its version too", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    writeSchemas(test, move);
    await test.state.save("custom", "r", { a: 1 });
    const { backupId } = await test.migrations.migrate("1.1.0");
    await test.backups.restore(backupId!);
    expect(await test.state.load("custom", "r")).toEqual({ a: 1 });
    expect(await test.migrations.status()).toMatchObject({ currentVersion: "1.0.0" });
    await test.backups.restore(backupId!, { targetVersion: "1.1.0" });
    expect(await test.state.load("custom", "r")).toEqual({ b: 1 });
    expect(await test.migrations.status()).toMatchObject({ currentVersion: "1.1.0" });
  });

  test("leaves alone what is no table, what the schema does not apply to, and the program's own", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    writeSchemas(test, { ...move, more: { applies_to: ["custom:user*"] } });
    const others = { "custom:text": "a", "custom:user1": [1], "global:user2": { a: 1 } };
    for (const [name, value] of Object.entries({ ...others, "custom:user3": { a: 1 } })) {
      const [scope, key] = name.split(":") as [string, string];
      await test.state.save(scope, key, value);
    }
    await test.migrations.migrate("1.1.0");
    expect(await contentOf(test.state)).toEqual({ ...others, "custom:user3": { b: 1 } });
  });

  test("goes through the versions between whose transformations it needs", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    const any = fieldsOf({ any: {} });
    const copy = (from: string, a: string, b: string) => ({
      from_schema_version: from,
      field_transforms: [{ type: "Copy", from_field: a, to_field: b }],
    });
    write(test, "1.0.0", { fields: any });
    write(test, "1.1.0", { fields: any, transformations: [copy("1.0.0", "a", "b")] });
    write(test, "1.2.0", { fields: any, transformations: [copy("1.1.0", "b", "c")] });
    write(test, "2.0.0", { fields: any });
    write(test, "4.0.0", { fields: any });
    await test.state.save("custom", "r", { a: 1 });
    expect((await test.migrations.status()).targets).toEqual(["1.1.0", "1.2.0", "2.0.0"]);
    expect((await failure(() => test.migrations.migrate("4.0.0"))).message).toBe(
      "No way leads from schema version 1.0.0 to 4.0.0",
    );
    expect(await test.migrations.migrate("2.0.0")).toMatchObject({ itemsMigrated: 1, itemsChanged: 1 });
    expect(await test.state.load("custom", "r")).toEqual({ c: 1 });
  });

  test("goes on where another process writes meanwhile, and overwrites nothing of it", async () => {
    using home = temporaryHome();
    await using test = await testState(home, "[runtime.state_persistence]\nbackup_on_migration = false");
    await using other = await testState(home, "[runtime.state_persistence]\nbackup_on_migration = false");
    writeSchemas(test, {
      transforms: [{ type: "Custom", from_fields: ["a"], to_fields: ["b"], transformer: "slow" }],
    });
    await test.state.save("custom", "r", { a: 1 });
    let isFirst = true;
    const slow = async (values: readonly unknown[]) => {
      if (isFirst) await other.state.save("custom", "r", { a: 2 });
      isFirst = false;
      return values;
    };
    await test.migrations.migrate("1.1.0", { transformers: { slow } });
    expect(await test.state.load("custom", "r")).toEqual({ a: 2, b: 2 });
  });

  test("ends in time, with nothing changed", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    writeSchemas(test, move);
    await test.state.save("custom", "r", { a: 1 });
    expect(await failure(() => test.migrations.migrate("1.1.0", { timeoutMs: -1 }))).toMatchObject({
      code: "timeout",
    });
    expect(await test.state.load("custom", "r")).toEqual({ a: 1 });
  });

  test("asks hooks before it begins, and tells what it does in events", async () => {
    using home = temporaryHome();
    const asked: string[] = [];
    const hooks: HookRunner = {
      has: () => true,
      run: async () => ({ type: "continue" }),
      async around({ before, after, data }, work) {
        asked.push(`${before} ${data.from} ${data.to}`);
        if (before === "StateMigration" && data.to === "1.1.0" && asked.length > 2)
          throw new SpellError("permission_denied", "not today");
        const result = await work(data);
        if (after !== undefined) asked.push(after);
        return result;
      },
    };
    await using test = await testState(home, "", hooks);
    writeSchemas(test, move);
    await test.state.save("custom", "r", { a: 1 });
    const before = asked.length;
    await test.migrations.migrate("1.1.0").catch(() => undefined);
    expect(asked.slice(before, before + 2)).toEqual([
      "custom:pre_migration 1.0.0 1.1.0",
      "StateMigration 1.0.0 1.1.0",
    ]);
    expect(test.events.map(({ type }) => type)).toContain("migration_started");
  });
});

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
