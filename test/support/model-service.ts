/** A models service over a configuration given as TOML, in a temporary home. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { createConfigService } from "../../src/config/service.ts";
import { SpellError } from "../../src/core/errors.ts";
import { silentLog } from "../../src/core/log.ts";
import type { ConfigService, RunContext, Services } from "../../src/kernel/services.ts";
import { createModelService } from "../../src/models/create.ts";
import type { ModelService } from "../../src/models/service.ts";
import { openKeyStore } from "../../src/security/keys/store.ts";
import { onlyServices } from "./services.ts";

export interface TestHome {
  directory: string;
  /** The data directory (`LLMSPELL_HOME`). */
  data: string;
  env: Record<string, string | undefined>;
  [Symbol.dispose](): void;
}

export function temporaryHome(env: Record<string, string> = {}): TestHome {
  const directory = mkdtempSync(join(tmpdir(), "llmspell-test-"));
  const data = join(directory, "data");
  mkdirSync(data);
  return {
    directory,
    data,
    // No Ollama of the developer's machine has a part in tests.
    env: { HOME: directory, LLMSPELL_HOME: data, OLLAMA_HOST: "127.0.0.1:9", ...env },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

async function configService(home: TestHome, toml = ""): Promise<ConfigService> {
  const configPath = join(home.directory, "test.toml");
  writeFileSync(configPath, toml);
  return createConfigService(
    await loadConfig({ configPath, env: home.env, cwd: home.directory, home: home.directory }),
  );
}

export async function modelService(
  home: TestHome,
  toml = "",
): Promise<{ models: ModelService; config: ConfigService; services: Services }> {
  const config = await configService(home, toml);
  const models = createModelService({
    config,
    log: silentLog,
    env: home.env,
    dataDirectory: home.data,
    keys: openKeyStore({ dataDirectory: home.data, env: home.env, log: silentLog }),
  });
  const services = onlyServices(config, { models: async () => models });
  return { models, config, services };
}

export const noRun = {} as RunContext;

/** The SpellError that a call ends with. */
export async function failure(body: () => unknown): Promise<SpellError> {
  try {
    await body();
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
