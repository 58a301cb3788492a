/** `state migrate`: brings stored values to another schema version. */
import { ask } from "../ask.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { EXIT } from "../exit-codes.ts";

const LEVELS = { none: "None", basic: "Basic", strict: "Strict", paranoid: "Paranoid" } as const;

export const migrateCommand: CommandDecl = {
  name: "migrate",
  summary: "Bring stored values to another schema version, or show where they stand",
  details:
    "Schemas are JSON and TOML files in runtime.state_persistence.schema_directory, else in `schemas` of the data directory. All values change, or none. Without a version: which one the values have, and to which they can go.",
  options: [
    { flag: "--dry-run", doc: "Do everything but the change, and show the plan" },
    { flag: "--no-backup", doc: "Do not save the values first" },
    {
      flag: "--validation",
      value: "LEVEL",
      choices: Object.keys(LEVELS),
      default: "strict",
      doc: "How migrated values are checked",
    },
  ],
  args: [{ name: "version", doc: "The version to migrate to", optional: true }],
  run: migrate,
};

async function migrate(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  if (args.version === undefined) return showStatus(io);
  const dryRun = options["dry-run"] === true;
  const reply = await ask(io, "Migration failed", {
    type: "migrate",
    command: "run",
    version: args.version as string,
    dryRun,
    level: LEVELS[options.validation as keyof typeof LEVELS],
    ...(options["no-backup"] === true ? { backup: false } : {}),
  });
  const { migration, ...fields } = reply;
  if (io.mode === "json") {
    io.json({ ...fields, status: migration }, true);
    return EXIT.ok;
  }
  if (migration === "already_current") io.out(`State is at schema version ${fields.current_version} already`);
  else {
    const verb = dryRun ? "Would migrate" : "Migrated";
    io.out(
      `✓ ${verb} ${fields.items_migrated} values from ${fields.from_version} to ${fields.to_version}, ${fields.items_changed} of them changed`,
    );
    for (const warning of (fields.warnings ?? []) as string[]) io.out(`  Warning: ${warning}`);
    if (dryRun) showPlan(io, fields.plan as Plan);
    if (typeof fields.backup_id === "string") io.out(`  The state before is backup ${fields.backup_id}`);
  }
  return EXIT.ok;
}

interface Plan {
  risk: string;
  steps: { from_version: string; to_version: string; transforms: { type: string }[] }[];
}

function showPlan(io: CommandIo, { risk, steps }: Plan): void {
  io.out(`  Risk: ${risk}`);
  for (const { from_version, to_version, transforms } of steps) {
    io.out(`  ${from_version} to ${to_version}:`);
    for (const { type, ...rest } of transforms) io.out(`    ${type} ${JSON.stringify(rest)}`);
  }
}

async function showStatus(io: CommandIo): Promise<number> {
  const reply = await ask(io, "Migration status error", { type: "migrate", command: "status" });
  if (io.mode === "json") io.json(reply, true);
  else if (typeof reply.error === "string") io.out(reply.error);
  else {
    io.out(`Schema version: ${reply.current_version}${reply.is_latest === true ? " (latest)" : ""}`);
    io.out(`Schemas: ${(reply.schemas as string[]).join(", ")}`);
    const targets = reply.migration_targets as string[];
    if (targets.length > 0) io.out(`Can be migrated to: ${targets.join(", ")}`);
  }
  return EXIT.ok;
}
