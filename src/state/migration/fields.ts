/** Migrations in the field names that scripts and front ends see (spec/lua-api.md section 4). */
import type { Migrated, MigrationStatus } from "./service.ts";

export function migratedFields(done: Migrated): Record<string, unknown> {
  if (done.status === "already_current")
    return { status: done.status, current_version: done.fromVersion, target_version: done.toVersion };
  return {
    status: done.status,
    from_version: done.fromVersion,
    to_version: done.toVersion,
    items_migrated: done.itemsMigrated,
    items_changed: done.itemsChanged,
    duration_ms: done.durationMs,
    ...(done.warnings.length === 0 ? {} : { warnings: done.warnings }),
    ...(done.backupId === undefined ? {} : { backup_id: done.backupId }),
    ...(done.dryRun ? { dry_run: true } : {}),
  };
}

export function statusFields({
  currentVersion,
  totalSchemas,
  latestVersion,
  targets,
  directory,
}: MigrationStatus): Record<string, unknown> {
  if (currentVersion === undefined || latestVersion === undefined)
    return {
      current_version: "unknown",
      migration_available: false,
      error: `No schema is registered: there is no schema file in ${directory}`,
    };
  return {
    current_version: currentVersion,
    migration_available: targets.length > 0,
    total_schemas: totalSchemas,
    latest_version: latestVersion,
    is_latest: currentVersion === latestVersion,
    migration_targets: targets,
  };
}
