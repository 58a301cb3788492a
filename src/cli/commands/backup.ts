/** `backup`: spec/cli.md section 14. */
import { resolve } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { ask, type ReplyFields } from "../ask.ts";
import type { ArgValues, CommandDecl, CommandIo, OptionDecl, OptionValues } from "../command.ts";
import { connectable } from "../connect-options.ts";
import { EXIT } from "../exit-codes.ts";
import { usageError } from "../usage.ts";
import { wholeNumber } from "../whole-number.ts";

const backup = { name: "backup", doc: "Id of the backup, or path of its .backup file" };
const id = { name: "id", doc: "Id of the backup" };
const verbose: OptionDecl = { flag: "--verbose", short: "-v", doc: "Show more of each backup" };

export const command: CommandDecl = {
  name: "backup",
  summary: "Save state to files, and restore it",
  details:
    "Backups lie in runtime.state_persistence.backup.backup_dir, each as ID.backup and ID.meta. Old ones are deleted after each new one, as max_backups and max_backup_age say.",
  options: [],
  subcommands: connectable([
    {
      name: "create",
      summary: "Save all stored values",
      options: [
        {
          flag: "--output",
          short: "-o",
          value: "FILE",
          doc: "Write a full backup there and not into the directory of backups (and FILE's .meta beside it)",
        },
        {
          flag: "--incremental",
          short: "-i",
          doc: "Only what changed since the newest backup; full where there is none to build on",
        },
        { flag: "--description", short: "-d", value: "TEXT", doc: "What the backup is for" },
      ],
      run: create,
    },
    {
      name: "restore",
      summary: "Put the values of a backup in place of all stored ones, at once or not at all",
      details: "The present values are saved as another backup first.",
      options: [
        { flag: "--dry-run", doc: "Check the backup and change nothing" },
        { flag: "--skip-verify", doc: "Do not compare checksums first" },
        { flag: "--no-backup", doc: "Do not save the present values" },
        {
          flag: "--target-version",
          value: "VERSION",
          doc: "Migrate what is restored to this schema version",
        },
      ],
      args: [backup],
      run: restore,
    },
    {
      name: "list",
      summary: "List the backups, newest first",
      options: [{ flag: "--limit", value: "N", default: "20", doc: "Backups shown at most" }, verbose],
      run: list,
    },
    {
      name: "delete",
      summary: "Delete a backup on which no other builds",
      options: [],
      args: [id],
      run: remove,
    },
    {
      name: "validate",
      summary: "Check a backup and those on which it builds",
      details: "The exit code is 1 when one byte of them is altered.",
      options: [],
      args: [backup],
      run: validate,
    },
    { name: "info", summary: "Show what is known of a backup", options: [], args: [backup], run: info },
    {
      name: "cleanup",
      summary: "Delete the backups that the configuration no longer keeps",
      options: [{ flag: "--dry-run", doc: "Only tell which" }, verbose],
      run: cleanup,
    },
  ]),
};

/** State of a process that ends with the command is nothing to save. */
async function refuseForgetful(io: CommandIo): Promise<void> {
  if ((await io.kernel()).mode === "connected") return;
  const { config } = await io.loadConfig();
  if (config.runtime.state_persistence.backend_type !== "memory") return;
  throw new SpellError(
    "config",
    "Cannot back up state: it is kept in memory only, by each process for itself",
    {
      data: { path: "runtime.state_persistence.backend_type" },
      hint: 'Set backend_type = "sqlite", or name a running kernel with --connect',
    },
  );
}

const isPath = (name: string): boolean => /[/\\]/.test(name) || name.endsWith(".backup");
const named = (io: CommandIo, name: string): string => (isPath(name) ? resolve(io.cwd, name) : name);

async function create(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const { output, description } = options;
  if (["text", "json", "pretty"].includes(output as string))
    throw usageError(
      `Cannot use --output: here it names a file: ${output}`,
      `\`llmspell --output ${output} backup create\` is about the result; a file may be ./${output}`,
    );
  await refuseForgetful(io);
  const reply = await ask(io, "Backup error", {
    type: "backup",
    command: "create",
    incremental: options.incremental === true,
    ...(typeof description === "string" ? { description } : {}),
    ...(typeof output === "string" ? { output: resolve(io.cwd, output) } : {}),
  });
  const kind = reply.incremental === true ? "incremental" : "full";
  const message = `Created ${kind} backup ${reply.backup_id}: ${reply.entries} entries, ${reply.size_bytes} bytes`;
  return done(io, "create", reply, message);
}

function done(io: CommandIo, action: string, fields: ReplyFields, message: string): number {
  if (io.mode === "json") io.json({ status: "success", action, ...fields, message });
  else io.out(`✓ ${message}`);
  return EXIT.ok;
}

async function restore(io: CommandIo, args: ArgValues, options: OptionValues): Promise<number> {
  await refuseForgetful(io);
  const target = options["target-version"];
  const reply = await ask(io, "Restore error", {
    type: "backup",
    command: "restore",
    backup: named(io, args.backup as string),
    dryRun: options["dry-run"] === true,
    verify: options["skip-verify"] !== true,
    safety: options["no-backup"] !== true,
    ...(typeof target === "string" ? { targetVersion: target } : {}),
  });
  const { backup_id, entries_restored, dry_run, safety_backup_id } = reply;
  const message = dry_run
    ? `Backup ${backup_id} can be restored: ${entries_restored} entries`
    : `Restored ${entries_restored} entries of backup ${backup_id}`;
  const code = done(io, "restore", reply, message);
  if (io.mode !== "json" && safety_backup_id !== null)
    io.out(`  The state before is backup ${safety_backup_id}`);
  return code;
}

interface Listed {
  id: string;
  created_at: string;
  type: string;
  size_bytes: number;
  entry_count: number;
  compression: string;
  description: string | null;
  parent_id: string | null;
  encrypted: boolean;
}

async function list(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const limit = wholeNumber("--limit", options.limit as string, 1);
  const reply = await ask(io, "Backup list error", { type: "backup", command: "list", limit });
  const backups = reply.backups as Listed[];
  if (io.mode === "json") io.json({ backups, count: reply.count });
  else if (backups.length === 0) io.out("No backups");
  else {
    for (const entry of backups) io.out(describe(entry, options.verbose === true));
    if (backups.length < Number(reply.count)) io.out(`(${reply.count} in all; --limit shows more)`);
  }
  return EXIT.ok;
}

function describe(entry: Listed, isVerbose: boolean): string {
  const description = entry.description === null ? "" : `  ${entry.description}`;
  const line = `${entry.id}  ${entry.created_at}  ${entry.type}  ${entry.entry_count} entries  ${entry.size_bytes} bytes${description}`;
  if (!isVerbose) return line;
  const parent = entry.parent_id === null ? [] : [`builds on ${entry.parent_id}`];
  const facts = [
    ...parent,
    `compression ${entry.compression}`,
    entry.encrypted ? "encrypted" : "not encrypted",
  ];
  return [line, `  ${facts.join(", ")}`].join("\n");
}

async function remove(io: CommandIo, args: ArgValues): Promise<number> {
  const request = { type: "backup", command: "delete", backup: args.id as string } as const;
  const reply = await ask(io, "Backup delete error", request);
  return done(io, "delete", reply, `Deleted backup ${reply.backup_id}`);
}

async function validate(io: CommandIo, args: ArgValues): Promise<number> {
  const request = { type: "backup", command: "validate", backup: named(io, args.backup as string) } as const;
  const reply = await ask(io, "Backup validation error", request);
  const isValid = reply.is_valid === true;
  if (io.mode === "json") io.json({ status: isValid ? "success" : "error", action: "validate", ...reply });
  else {
    io.out(isValid ? `✓ Backup ${reply.backup_id} is valid` : `✗ Backup ${reply.backup_id} is not valid`);
    for (const problem of reply.errors as string[]) io.out(`  ${problem}`);
    for (const warning of reply.warnings as string[]) io.out(`  Warning: ${warning}`);
  }
  return isValid ? EXIT.ok : EXIT.failure;
}

async function info(io: CommandIo, args: ArgValues): Promise<number> {
  const request = { type: "backup", command: "info", backup: named(io, args.backup as string) } as const;
  const reply = await ask(io, "Backup info error", request);
  if (io.mode === "json") io.json({ status: "success", action: "info", ...reply });
  else io.out(JSON.stringify(reply, null, 2));
  return EXIT.ok;
}

async function cleanup(io: CommandIo, _args: ArgValues, options: OptionValues): Promise<number> {
  const dryRun = options["dry-run"] === true;
  const reply = await ask(io, "Backup cleanup error", { type: "backup", command: "cleanup", dryRun });
  const verb = dryRun ? "Would delete" : "Deleted";
  const message = `${verb} ${reply.deleted_count} backups (${reply.space_freed} bytes), ${reply.retained_count} stay`;
  const code = done(io, "cleanup", reply, message);
  if (io.mode !== "json" && options.verbose === true)
    for (const name of reply.deleted as string[]) io.out(`  ${name}`);
  return code;
}
