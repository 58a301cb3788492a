/** Backups in the field names that scripts and front ends see (spec/agents-workflows-rag.md section 9.5, cli.md 14). */
import type { BackupInfo, CleanedUp, Validation } from "./service.ts";

export function backupFields({ metadata }: BackupInfo) {
  const { stats } = metadata;
  return {
    id: metadata.id,
    created_at: metadata.created_at,
    size_bytes: stats.total_size,
    is_incremental: metadata.backup_type === "Incremental",
    parent_id: metadata.parent_id,
    state_version: metadata.schema_version,
    entry_count: stats.total_entries,
    description: metadata.description,
  };
}

export function validationFields(validation: Validation) {
  return {
    backup_id: validation.backupId,
    is_valid: validation.isValid,
    validated_at: validation.validatedAt,
    checksum_valid: validation.checksumValid,
    integrity_valid: validation.integrityValid,
    errors: validation.errors,
    warnings: validation.warnings,
  };
}

export function cleanupFields({ deletedIds, retainedCount, spaceFreed, dryRun }: CleanedUp) {
  return {
    dry_run: dryRun,
    deleted_count: deletedIds.length,
    retained_count: retainedCount,
    space_freed: spaceFreed,
    deleted: deletedIds,
  };
}
