/** Requests about backups; replies have the fields of spec/cli.md section 14. */
import { backupFields, cleanupFields, validationFields } from "../../state/backup/fields.ts";
import type { BackupInfo, BackupService } from "../../state/backup/service.ts";
import type { BackupRequest, KernelReply, RequestOptions } from "../api.ts";

type Fields = Record<string, unknown>;

/** @throws SpellError */
export async function answerBackupRequest(
  request: BackupRequest,
  backups: BackupService,
  options: RequestOptions,
): Promise<KernelReply> {
  return { status: "ok", ...(await reply(request, backups, options)) };
}

async function reply(
  request: BackupRequest,
  backups: BackupService,
  { signal }: RequestOptions,
): Promise<Fields> {
  const stop = signal === undefined ? {} : { signal };
  switch (request.command) {
    case "create": {
      const { incremental, description, output } = request;
      const created = await backups.create({
        incremental,
        ...(description === undefined ? {} : { description }),
        ...(output === undefined ? {} : { output }),
        ...stop,
      });
      const { id, size_bytes, entry_count, is_incremental, created_at } = backupFields(created);
      return {
        backup_id: id,
        path: created.path,
        size_bytes,
        entries: entry_count,
        incremental: is_incremental,
        created_at,
      };
    }
    case "restore": {
      const { backup, dryRun, verify, safety, targetVersion } = request;
      const restored = await backups.restore(backup, {
        dryRun,
        verifyChecksums: verify,
        backupCurrent: safety,
        ...(targetVersion === undefined ? {} : { targetVersion }),
        ...stop,
      });
      return {
        backup_id: restored.backupId,
        entries_restored: restored.entriesRestored,
        dry_run: restored.dryRun,
        safety_backup_id: restored.safetyBackupId ?? null,
      };
    }
    case "list": {
      const all = await backups.list();
      return { backups: all.slice(0, request.limit).map(listed), count: all.length };
    }
    case "info": {
      const { metadata, path } = await backups.info(request.backup);
      return { ...metadata, path };
    }
    case "validate":
      return validationFields(await backups.validate(request.backup));
    case "delete":
      await backups.delete(request.backup);
      return { backup_id: request.backup };
    case "cleanup":
      return cleanupFields(await backups.cleanup({ dryRun: request.dryRun }));
  }
}

function listed(backup: BackupInfo): Fields {
  const { id, created_at, size_bytes, entry_count, description, parent_id, is_incremental } =
    backupFields(backup);
  return {
    id,
    created_at,
    type: is_incremental ? "incremental" : "full",
    size_bytes,
    entry_count,
    compression: backup.metadata.compression.algorithm,
    description,
    parent_id,
    encrypted: backup.metadata.encryption !== null,
  };
}
