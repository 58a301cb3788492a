/** Requests to migrate state: spec/agents-workflows-rag.md section 9.4. */
import { migratedFields, statusFields } from "../../state/migration/fields.ts";
import type { MigrationPlan } from "../../state/migration/plan.ts";
import type { MigrationService } from "../../state/migration/service.ts";
import type { KernelReply, MigrateRequest, RequestOptions } from "../api.ts";

/** @throws SpellError */
export async function answerMigrateRequest(
  request: MigrateRequest,
  migrations: MigrationService,
  { signal }: RequestOptions,
): Promise<KernelReply> {
  if (request.command === "status")
    return { status: "ok", ...statusFields(await migrations.status()), schemas: migrations.versions() };
  const { version, dryRun, backup, level } = request;
  const done = await migrations.migrate(version, {
    dryRun,
    ...(backup === undefined ? {} : { createBackup: backup }),
    ...(level === undefined ? {} : { validationLevel: level }),
    ...(signal === undefined ? {} : { signal }),
  });
  const { status, ...fields } = migratedFields(done);
  return {
    ...fields,
    migration: status,
    ...(done.plan === undefined ? {} : { plan: planFields(done.plan) }),
    status: "ok",
  };
}

function planFields(plan: MigrationPlan): Record<string, unknown> {
  return {
    risk: plan.risk,
    backup_required: plan.backupRequired,
    estimated_seconds: plan.estimatedSeconds,
    complexity_score: plan.complexityScore,
    steps: plan.steps.map(({ from, to, transforms, warnings, compatibility }) => ({
      from_version: from.version,
      to_version: to.version,
      transforms,
      breaking_changes: compatibility.breakingChanges,
      warnings,
      risk: compatibility.risk,
    })),
  };
}
