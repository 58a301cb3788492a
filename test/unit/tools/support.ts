/** A tools service over a temporary directory, with the default configuration. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../../src/config/schema.ts";
import { SpellError } from "../../../src/core/errors.ts";
import { silentLog } from "../../../src/core/log.ts";
import type { ConfigService } from "../../../src/kernel/services.ts";
import { createToolService, type ToolServiceOptions } from "../../../src/tools/create.ts";
import type { ToolService } from "../../../src/tools/service.ts";
import { configWith } from "../../support/config.ts";

const made: string[] = [];

/** For `afterAll` of every test file that makes directories: hooks belong to files, this module is shared by them. */
export function removeDirectories(): void {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
}

/** A fresh directory, links resolved. */
export function temporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "llmspell-tools-")));
  made.push(directory);
  return directory;
}

export interface Bench {
  /** The only directory tools may use; relative paths start here. */
  home: string;
  config: ConfigService;
  tools: ToolService;
}

export function bench(
  change: (config: Config) => void = () => {},
  options: Partial<ToolServiceOptions> = {},
): Bench {
  const home = temporaryDirectory();
  const config = configWith((draft) => {
    draft.tools.file_operations.allowed_paths = [home];
    change(draft);
  });
  const tools = createToolService({ config, log: silentLog, env: {}, cwd: home, ...options });
  return { home, config, tools };
}

/** What `body` throws. */
export async function failure(body: Promise<unknown> | (() => unknown)): Promise<SpellError> {
  try {
    await (typeof body === "function" ? body() : body);
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
