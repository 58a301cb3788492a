/** State, its backups and migrations over a configuration given as TOML, in a temporary home. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { createConfigService } from "../../src/config/service.ts";
import { silentLog } from "../../src/core/log.ts";
import { EventBus } from "../../src/events/bus.ts";
import type { SpellEvent } from "../../src/events/service.ts";
import { busSettings } from "../../src/events/settings.ts";
import { NO_HOOKS } from "../../src/hooks/none.ts";
import type { HookRunner } from "../../src/hooks/service.ts";
import { createBackupService } from "../../src/state/backup/backups.ts";
import type { BackupService } from "../../src/state/backup/service.ts";
import { createStateService } from "../../src/state/create.ts";
import { createMigrationService } from "../../src/state/migration/migrations.ts";
import type { MigrationService } from "../../src/state/migration/service.ts";
import type { StateService } from "../../src/state/service.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import type { TestHome } from "./model-service.ts";

export interface TestState {
  state: StateService;
  backups: BackupService;
  migrations: MigrationService;
  /** All that were published, in order. */
  events: SpellEvent[];
  backupDirectory: string;
  schemaDirectory: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Several on one home are several processes, as far as the database knows. */
export async function testState(home: TestHome, toml = "", hooks: HookRunner = NO_HOOKS): Promise<TestState> {
  const configPath = join(home.directory, "state.toml");
  writeFileSync(configPath, toml);
  const config = createConfigService(
    await loadConfig({ configPath, env: home.env, cwd: home.directory, home: home.directory }),
  );
  let storage: Promise<Storage> | undefined;
  const open = () => (storage ??= openStorage(home.data));
  const bus = new EventBus(busSettings(config.current), silentLog);
  const events: SpellEvent[] = [];
  const listening = bus.listen("**", (event) => void events.push(event));
  const common = { config, env: home.env, log: silentLog, cwd: home.directory, dataDirectory: home.data };
  const services = { hooks: async () => hooks, events: async () => bus };
  const state = await createStateService({ ...common, ...services, storage: open });
  const over = { ...common, ...services, state: async () => state };
  const migrations: MigrationService = createMigrationService({ ...over, backups: async () => backups });
  const backups: BackupService = createBackupService({ ...over, migrations: async () => migrations });
  const schemaDirectory = join(home.data, "schemas");
  mkdirSync(schemaDirectory, { recursive: true });
  return {
    state,
    backups,
    migrations,
    events,
    backupDirectory: join(home.directory, "backups"),
    schemaDirectory,
    async [Symbol.asyncDispose]() {
      listening[Symbol.dispose]();
      await state.dispose();
      (await storage)?.close();
    },
  };
}

/** Everything that is stored, by storage key. */
export async function contentOf(state: StateService): Promise<Record<string, unknown>> {
  return Object.fromEntries((await state.entries()).map(({ storageKey, value }) => [storageKey, value]));
}
