/** Puts the session service together as the configuration says. */

import { join } from "node:path";
import type { Log } from "../core/log.ts";
import type { ConfigService } from "../kernel/services.ts";
import { openStorage, type Storage } from "../storage/storage.ts";
import type { ToolService } from "../tools/service.ts";
import type { Announcing } from "./announce.ts";
import type { SessionService } from "./service.ts";
import { Sessions } from "./sessions.ts";

export interface SessionDependencies extends Announcing {
  config: ConfigService;
  log: Log;
  dataDirectory: string;
  /** The database of the data directory. */
  storage: () => Promise<Storage>;
  tools: () => Promise<ToolService>;
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
