/** Puts the state of a backup in place of the present one. */
import { messageOf } from "../../core/errors.ts";
import type { StateChange } from "../backend.ts";
import type { StateCipher } from "../cipher.ts";
import { SCHEMA_VERSION_NOTE } from "../create.ts";
import type { MigrationService } from "../migration/service.ts";
import type { RawState } from "../service.ts";
import { assertChecksum, chainOf, stateOf } from "./chain.ts";
import type { BackupInfo, Restored, RestoreOptions } from "./service.ts";
import type { SnapshotEntry } from "./snapshot-file.ts";

export interface RestoreSurroundings {
  cipher: StateCipher;
  raw: RawState;
  migrations: () => Promise<MigrationService>;
  saveCurrent(description: string): Promise<BackupInfo>;
  /** @throws SpellError timeout, interrupted */
  check(): void;
  publish(type: string, data: Record<string, unknown>): Promise<void>;
}

/** So many values are looked at before other work of this process gets its turn. */
const YIELD_EVERY = 1000;

/** Everything that can be wrong is found before anything changes. @throws SpellError io, config, as `migrate` */
export async function restoreState(
  backup: BackupInfo,
  options: RestoreOptions,
  surroundings: RestoreSurroundings,
): Promise<Restored> {
  const { verifyChecksums = true, backupCurrent = true, dryRun = false, targetVersion } = options;
  const { raw, cipher, publish, check } = surroundings;
  const { id, schema_version } = backup.metadata;
  const phase = (name: string) => publish("restore.progress", { phase: name });

  await phase("ValidatingBackups");
  const chain = chainOf(backup);
  for (const member of verifyChecksums ? chain : []) {
    check();
    await assertChecksum(member);
  }
  const state = await stateOf(chain, cipher, (entry) => {
    check();
    return entry;
  });
  let looked = 0;
  for (const { key, data } of state.values()) {
    if (++looked % YIELD_EVERY === 0) await Bun.sleep(0);
    check();
    raw.decode({ key, value: data }); // values under another key would be lost to their owner
  }
  const schemaVersion = targetVersion ?? schema_version;
  let entries = [...state.values()];
  if (schemaVersion !== schema_version)
    entries = await (await surroundings.migrations()).transformed(entries, schema_version, schemaVersion);
  check();

  let safety: BackupInfo | undefined;
  if (!dryRun) {
    if (backupCurrent) {
      await phase("CreatingRollbackPoint");
      safety = await surroundings.saveCurrent(`Before the restore of ${id}`);
      check();
    }
    await phase("RestoringData");
    await replace(raw, entries, schemaVersion, publish);
    await phase("Completed");
  }
  return { backupId: id, entriesRestored: state.size, safetyBackupId: safety?.metadata.id, dryRun };
}

/** In one transaction all that is there goes and all that was there comes, with the note of its schema version. */
async function replace(
  raw: RawState,
  entries: readonly SnapshotEntry[],
  schemaVersion: string,
  publish: RestoreSurroundings["publish"],
): Promise<void> {
  const changes: StateChange[] = [
    { type: "clear", prefix: "" },
    ...entries.map(
      (entry): StateChange => ({
        type: "set",
        key: entry.key,
        value: entry.data,
        timestampMs: entry.lastModified,
        schemaVersion: entry.schemaVersion,
      }),
    ),
    {
      type: "set",
      key: SCHEMA_VERSION_NOTE,
      value: raw.encode(SCHEMA_VERSION_NOTE, schemaVersion),
      schemaVersion,
    },
  ];
  try {
    await raw.backend.apply(changes);
  } catch (error) {
    // The database has undone the transaction.
    await publish("rollback.completed", { error: messageOf(error) });
    throw error;
  }
  raw.schemaVersion = schemaVersion;
}
