/** Puts the session service together as the configuration says. */

import { join } from "node:path";
import type { Log } from "../core/log.ts";
import type { HookReruns, HookRunner } from "../hooks/service.ts";
import type { ConfigService } from "../kernel/services.ts";
import { openStorage, type Storage } from "../storage/storage.ts";
import type { Announcing } from "./announce.ts";
import type { RerunServices } from "./replay/rerun.ts";
import type { SessionService } from "./service.ts";
import { Sessions } from "./sessions.ts";

export interface SessionDependencies extends Omit<Announcing, "hooks">, Omit<RerunServices, "hooks"> {
  hooks: () => Promise<HookRunner & HookReruns>;
  config: ConfigService;
  log: Log;
  dataDirectory: string;
  /** The database of the data directory. */
  storage: () => Promise<Storage>;
  env: Readonly<Record<string, string | undefined>>;
  /** Relative paths of files to store start here. */
  cwd: string;
  /** Files of artifacts are read and left as they are. */
  isDryRun?: boolean;
  /** Name of the session that this kernel records for where none is chosen; absent: it then records nothing. */
  ownSession?: string;
}

/**
 * With `storage_backend = "memory"` all of it stands in a database in memory: the same code, and nothing outlives the
 * process.
 */
export async function createSessionService(dependencies: SessionDependencies): Promise<SessionService> {
  const { config, dataDirectory } = dependencies;
  const settings = config.current.runtime.sessions;
  const inMemory = settings.storage_backend === "memory";
  const storage = inMemory ? await openStorage(":memory:") : await dependencies.storage();
  const directory = config.isExplicit("runtime.sessions.storage_path")
    ? settings.storage_path
    : join(dataDirectory, "artifacts");
  return new Sessions(dependencies, storage, inMemory ? undefined : directory);
}
