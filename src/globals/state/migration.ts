/** `State`'s functions for migrations: spec/lua-api.md section 4, agents-workflows-rag.md section 9.4. */
import { Type } from "typebox";
import { messageOf, SpellError } from "../../core/errors.ts";
import { isScriptFunction, type ScriptFunction, type ScriptValue } from "../../core/values.ts";
import { migratedFields, statusFields } from "../../state/migration/fields.ts";
import type { CustomTransformer } from "../../state/migration/functions.ts";
import { AnyTable, type FunctionDecl, optional, param, wait } from "../declare.ts";

const when = "state_migration" as const;

const Options = Type.Object({
  dry_run: Type.Optional(Type.Boolean()),
  transformers: Type.Optional(AnyTable),
});

/** @throws SpellError invalid_argument for a member that is no function */
function transformersOf(table: Record<string, ScriptValue>): Record<string, CustomTransformer> {
  return Object.fromEntries(
    Object.entries(table).map(([name, fn]) => {
      if (isScriptFunction(fn)) return [name, transformerOf(fn)];
      throw new SpellError(
        "invalid_argument",
        `Cannot call State.migrate: "options.transformers.${name}" must be a function`,
      );
    }),
  );
}

/** Gets a list of values and the transform's `config`; gives a list of values. */
function transformerOf(fn: ScriptFunction): CustomTransformer {
  return async (values, config) => {
    const result = await fn.call([...values] as ScriptValue[], config as ScriptValue);
    return Array.isArray(result) ? result : [result];
  };
}

export const migrationFunctions: Record<string, FunctionDecl> = {
  migrate: wait({
    when,
    doc: "Brings all stored tables to another schema version, at once or not at all. Schemas are the JSON and TOML files of `schema_directory`. A failure is a result with an `error`.",
    params: [
      param("version", Type.String(), "The version to migrate to: major.minor.patch"),
      optional(
        "options",
        Options,
        "dry_run: change nothing; transformers: functions that Custom transforms of the schema files name, by name",
      ),
    ],
    returns:
      "{success, status, from_version, to_version, items_migrated, duration_ms, warnings?, backup_id?}, {success, status = 'already_current', current_version, target_version} or {success = false, error, from_version, target_version}",
    handler: async ({ services, run }, version, options) => {
      const transformers = transformersOf(options?.transformers ?? {});
      try {
        const done = await (await services.migrations()).migrate(version, {
          dryRun: options?.dry_run ?? false,
          transformers,
          signal: run.signal,
        });
        return { success: true, ...migratedFields(done) };
      } catch (error) {
        if (!(error instanceof SpellError) || error.code === "interrupted") throw error;
        return {
          success: false,
          error: `Migration failed: ${messageOf(error)}`,
          from_version: (await services.state()).raw.schemaVersion,
          target_version: version,
        };
      }
    },
  }),
  get_migration_status: wait({
    when,
    doc: "Which schema version the state has, and to which it can be migrated.",
    params: [],
    returns:
      "{current_version, migration_available, total_schemas, latest_version, is_latest, migration_targets} or {current_version = 'unknown', migration_available = false, error}",
    handler: async ({ services }) => {
      try {
        return statusFields(await (await services.migrations()).status());
      } catch (error) {
        if (!(error instanceof SpellError)) throw error;
        return { current_version: "unknown", migration_available: false, error: messageOf(error) };
      }
    },
  }),
  get_schema_versions: wait({
    when,
    doc: "The versions of the schema files, oldest first.",
    params: [],
    returns: "string[]",
    handler: async ({ services }) => (await services.migrations()).versions(),
  }),
};
