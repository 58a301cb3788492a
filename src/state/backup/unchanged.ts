import { SpellError } from "../../core/errors.ts";
import type { BackupService } from "./service.ts";

/** Backups that can be looked at and restored from (into the copy of a dry run), and that nobody makes or removes. */
export function unchangedBackups(backups: BackupService): BackupService {
  const refuse = (action: string) => async (): Promise<never> => {
    throw new SpellError("permission_denied", `Cannot ${action} a backup: this is a dry run`, {
      hint: "Run it without --dry-run",
    });
  };
  return {
    create: refuse("make"),
    createIf: async () => undefined,
    list: () => backups.list(),
    info: (name) => backups.info(name),
    validate: (name) => backups.validate(name),
    restore: (name, options) => backups.restore(name, { ...options, backupCurrent: false }),
    delete: refuse("delete"),
    cleanup: (options) => backups.cleanup({ ...options, dryRun: true }),
    usage: () => backups.usage(),
  };
}
