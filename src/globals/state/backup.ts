/** `State`'s functions for backups: spec/lua-api.md section 4, agents-workflows-rag.md section 9.5. */
import { Type } from "typebox";
import { messageOf, SpellError } from "../../core/errors.ts";
import { ScriptTable, type ScriptValue } from "../../core/values.ts";
import { backupFields, cleanupFields, validationFields } from "../../state/backup/fields.ts";
import { type FunctionDecl, optional, param, wait } from "../declare.ts";

const when = "state_backup" as const;
const idParam = param("id", Type.String(), "Id of the backup");

type Fields = Record<string, ScriptValue>;

/** A script names backups of the directory only: paths are for people. @throws SpellError not_found */
function onlyId(id: string): string {
  if (/^\w+$/.test(id)) return id;
  throw new SpellError("not_found", `Backup not found: ${id}`);
}

/** Seconds since 1970, as `os.time` counts. */
const seconds = (time: string): number => Math.floor(Date.parse(time) / 1000);

/** A failure is a result, with its text; a mistake in the call raises. */
async function orFailure(work: () => Promise<ScriptValue>, fields: Fields): Promise<ScriptValue> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SpellError) || error.code === "interrupted") throw error;
    return { ...fields, error: messageOf(error) };
  }
}

export const backupFunctions: Record<string, FunctionDecl> = {
  create_backup: wait({
    when,
    doc: "Saves all stored values to a file. `tostring` of the result is the backup's id. An incremental backup holds what changed since the newest one; where there is none to build on, the backup is full, and `incremental` is false.",
    params: [
      optional(
        "incremental",
        Type.Union([Type.Boolean(), Type.String()]),
        "Only what changed since the newest backup; or a description of a full backup",
      ),
    ],
    returns:
      "{success, id, backup_id, incremental, size_bytes, entry_count, created_at} or {success = false, incremental, error}",
    handler: ({ services, run }, how) => {
      const incremental = how === true;
      return orFailure(
        async () => {
          const backups = await services.backups();
          const created = await backups.create({
            incremental,
            ...(typeof how === "string" ? { description: how } : {}),
            signal: run.signal,
          });
          const fields = backupFields(created);
          return new ScriptTable({
            text: fields.id,
            fields: {
              success: true,
              id: fields.id,
              backup_id: fields.id,
              incremental: fields.is_incremental,
              size_bytes: fields.size_bytes,
              entry_count: fields.entry_count,
              created_at: seconds(fields.created_at),
            },
          });
        },
        { success: false, incremental },
      );
    },
  }),
  list_backups: wait({
    when,
    doc: "The backups, newest first. Times are seconds since 1970.",
    params: [],
    returns: "{id, created_at, size_bytes, is_incremental, parent_id?, entry_count, description?}[]",
    handler: async ({ services }) =>
      (await (await services.backups()).list()).map((backup) => {
        const fields = backupFields(backup);
        return new ScriptTable({
          text: fields.id,
          fields: { ...fields, created_at: seconds(fields.created_at) },
        });
      }),
  }),
  restore_backup: wait({
    when,
    doc: "Puts the values of a backup in place of all stored ones, at once or not at all; before that it checks the backup and saves the present state as another backup.",
    params: [idParam],
    returns:
      "{success, backup_id, entries_restored, safety_backup_id} or {success = false, backup_id, error}",
    handler: ({ services, run }, id) =>
      orFailure(
        async () => {
          const restored = await (await services.backups()).restore(onlyId(id), { signal: run.signal });
          return {
            success: true,
            backup_id: restored.backupId,
            entries_restored: restored.entriesRestored,
            safety_backup_id: restored.safetyBackupId ?? null,
          };
        },
        { success: false, backup_id: id },
      ),
  }),
  validate_backup: wait({
    when,
    doc: "Whether a backup, and those on which it builds, are as they were written: one altered byte shows.",
    params: [idParam],
    returns: "{is_valid, backup_id, checksum_valid, integrity_valid, validated_at, errors, warnings, error?}",
    handler: ({ services }, id) =>
      orFailure(
        async () => {
          const fields = validationFields(await (await services.backups()).validate(onlyId(id)));
          const [first] = fields.errors;
          return {
            ...fields,
            validated_at: seconds(fields.validated_at),
            ...(first === undefined ? {} : { error: first }),
          };
        },
        { is_valid: false, backup_id: id },
      ),
  }),
  get_storage_usage: wait({
    when,
    doc: "How much room the backups take, in bytes, and how much state there is now (`bytes_used`, `entries_count`).",
    params: [],
    returns:
      "{total_backups, total_size, full_backups, incremental_backups, oldest_backup?, newest_backup?, bytes_used, entries_count}",
    handler: async ({ services }) => {
      const usage = await (await services.backups()).usage();
      const time = (text: string | undefined) => (text === undefined ? null : seconds(text));
      return {
        total_backups: usage.totalBackups,
        total_size: usage.totalSize,
        full_backups: usage.fullBackups,
        incremental_backups: usage.incrementalBackups,
        oldest_backup: time(usage.oldestBackup),
        newest_backup: time(usage.newestBackup),
        bytes_used: usage.stateBytes,
        entries_count: usage.stateEntries,
      };
    },
  }),
  cleanup_backups: wait({
    when,
    doc: "Deletes the backups that the configuration no longer keeps (max_backups, max_backup_age), never one on which another builds.",
    params: [
      optional(
        "dry_run",
        Type.Union([Type.Boolean(), Type.Integer({ minimum: 1 })]),
        "Only tell what would be deleted; or how many backups to keep",
      ),
    ],
    returns:
      "{success, dry_run, deleted_count, retained_count, space_freed, deleted} or {success = false, dry_run, error}",
    handler: ({ services }, how) => {
      const dryRun = how === true;
      return orFailure(
        async () => {
          const options = typeof how === "number" ? { keepCount: how } : { dryRun };
          return { success: true, ...cleanupFields(await (await services.backups()).cleanup(options)) };
        },
        { success: false, dry_run: dryRun, deleted_count: 0, retained_count: 0, space_freed: 0 },
      );
    },
  }),
};
