/** A migration as a whole: all or nothing, its backup, its events. Expected: spec/agents-workflows-rag.md section 9.4. */
import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../../src/core/errors.ts";
import type { HookRunner } from "../../../../src/hooks/service.ts";
import { failure, temporaryHome } from "../../../support/model-service.ts";
import { contentOf, testState } from "../../../support/state.ts";
import { fieldsOf, write, writeSchemas } from "./support.ts";

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
