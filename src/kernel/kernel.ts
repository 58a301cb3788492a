/** The composition root: owns the services and answers requests. Every front end reaches scripts, tools and models here. */

import type { LoadedConfig } from "../config/load.ts";
import { createConfigService } from "../config/service.ts";
import { type ErrorJson, errorToJson, SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { dataDirectory } from "../core/paths.ts";
import type { BackupService } from "../state/backup/service.ts";
import type { MigrationService } from "../state/migration/service.ts";
import { NO_STATE_FIGURES, type StateFigures } from "../state/service.ts";
import type {
  ExecuteReply,
  ExecuteRequest,
  KernelClient,
  KernelReply,
  KernelRequest,
  RequestOptions,
} from "./api.ts";
import { ScriptSession } from "./execution.ts";
import type { ConfigService, Services } from "./services.ts";

export interface KernelOptions {
  loaded: LoadedConfig;
  log: Log;
  env: Record<string, string | undefined>;
  cwd: string;
}

type Failure = { status: "error"; error: ErrorJson };

/** A kernel of this process. */
export interface LocalKernel extends KernelClient {
  readonly config: ConfigService;
  /** What was done with state until now. */
  stateFigures(): StateFigures;
}

export function createKernel(options: KernelOptions): LocalKernel {
  return new Kernel(options);
}

/**
 * Remembers the promise of the first call, so that a service is made once. One that could not be made is tried again.
 * `made`: the service where there is one.
 */
function once<T>(make: () => Promise<T>): { get: () => Promise<T>; made: () => Promise<T | undefined> } {
  let made: Promise<T> | undefined;
  return {
    get: () => {
      made ??= make().catch((error: unknown) => {
        made = undefined;
        throw error;
      });
      return made;
    },
    made: async () => made?.catch(() => undefined), // told to those who asked for it
  };
}

class Kernel implements LocalKernel, Services {
  readonly mode = "embedded";
  readonly config: ConfigService;
  readonly log: Log;

  private readonly env: Record<string, string | undefined>;
  private readonly toolService;
  private readonly modelService;
  private readonly agentService;
  private readonly debugService;
  private readonly storageService;
  private readonly stateService;
  private readonly backupService;
  private readonly migrationService;
  private readonly eventService;
  private readonly hookService;
  private readonly keyService;
  stateFigures = (): StateFigures => NO_STATE_FIGURES;
  private session: ScriptSession | undefined;
  private ended: Promise<void> | undefined;

  constructor(options: KernelOptions) {
    const { log, env, cwd } = options;
    this.log = log;
    this.env = env;
    this.config = createConfigService(options.loaded);
    this.toolService = once(async () => {
      const { createToolService } = await import("../tools/create.ts");
      return createToolService({ config: this.config, log, env, cwd });
    });
    this.modelService = once(async () => {
      const { createModelService } = await import("../models/create.ts");
      return createModelService({
        config: this.config,
        log,
        env,
        dataDirectory: dataDirectory(env),
        keys: await this.keys(),
      });
    });
    this.agentService = once(async () => {
      const { createAgentService } = await import("../agents/create.ts");
      return createAgentService({
        models: () => this.models(),
        tools: () => this.tools(),
        log,
      });
    });
    this.debugService = once(async () => {
      const { createDebugService } = await import("../debug/create.ts");
      return createDebugService({ config: this.config, log, env });
    });
    this.storageService = once(async () => {
      const { openStorage } = await import("../storage/storage.ts");
      return openStorage(dataDirectory(env));
    });
    this.stateService = once(async () => {
      const { createStateService } = await import("../state/create.ts");
      const state = await createStateService({
        config: this.config,
        log,
        env,
        storage: () => this.storage(),
        hooks: () => this.hooks(),
        events: () => this.events(),
      });
      this.stateFigures = () => state.figures();
      return state;
    });
    this.backupService = once(async () => {
      const { createBackupService } = await import("../state/backup/backups.ts");
      return createBackupService({
        config: this.config,
        log,
        env,
        cwd,
        state: () => this.state(),
        events: () => this.events(),
        migrations: () => this.migrations(),
      });
    });
    this.migrationService = once(async () => {
      const { createMigrationService } = await import("../state/migration/migrations.ts");
      return createMigrationService({
        config: this.config,
        dataDirectory: dataDirectory(env),
        state: () => this.state(),
        backups: () => this.backups(),
        events: () => this.events(),
        hooks: () => this.hooks(),
      });
    });
    this.eventService = once(async () => {
      const { createEventService } = await import("../events/create.ts");
      return createEventService();
    });
    this.hookService = once(async () => {
      const { createHookService } = await import("../hooks/create.ts");
      return createHookService();
    });
    this.keyService = once(async () => {
      const { openKeyStore } = await import("../security/keys/store.ts");
      return openKeyStore({ dataDirectory: dataDirectory(env), env, log });
    });
  }

  tools() {
    return this.toolService.get();
  }

  models() {
    return this.modelService.get();
  }

  agents() {
    return this.agentService.get();
  }

  debug() {
    return this.debugService.get();
  }

  storage() {
    return this.storageService.get();
  }

  state() {
    return this.stateService.get();
  }

  // These two know each other: the compiler needs to be told.
  backups(): Promise<BackupService> {
    return this.backupService.get();
  }

  migrations(): Promise<MigrationService> {
    return this.migrationService.get();
  }

  events() {
    return this.eventService.get();
  }

  hooks() {
    return this.hookService.get();
  }

  keys() {
    return this.keyService.get();
  }

  request(request: ExecuteRequest, options?: RequestOptions): Promise<ExecuteReply | Failure>;
  request(request: KernelRequest, options?: RequestOptions): Promise<KernelReply>;
  async request(request: KernelRequest, options: RequestOptions = {}): Promise<KernelReply> {
    try {
      if (this.ended !== undefined)
        throw new SpellError("internal", "Cannot take a request: the kernel has shut down");
      return await this.answer(request, options);
    } catch (error) {
      if (!(error instanceof SpellError))
        this.log.debug("kernel", "request failed", {
          stack: error instanceof Error ? error.stack : undefined,
        });
      return { status: "error", error: errorToJson(error) };
    }
  }

  private async answer(request: KernelRequest, options: RequestOptions): Promise<KernelReply> {
    switch (request.type) {
      case "execute": {
        this.session ??= new ScriptSession(this, this.env);
        return this.session.execute(request, options);
      }
      case "reset":
        await this.session?.reset();
        return { status: "ok" };
      case "variables": {
        if (this.session === undefined) return { status: "ok", variables: [] };
        const { scriptVariables } = await import("./introspection/variables.ts");
        return { status: "ok", variables: await scriptVariables(this.session) };
      }
      case "is_complete": {
        const { completeness } = await import("./introspection/complete-input.ts");
        return { status: "ok", ...completeness(request.code) };
      }
      case "complete":
      case "inspect": {
        const introspection = await import("./introspection/introspection.ts");
        const peek = (chunk: string) => this.session?.peek(chunk) ?? Promise.resolve(undefined);
        const found = await introspection[request.type](request.code, request.cursor, peek);
        return { status: "ok", ...found };
      }
      case "tool": {
        const { answerToolRequest } = await import("./requests/tool.ts");
        return answerToolRequest(request, this, options);
      }
      case "model": {
        const { answerModelRequest } = await import("./requests/model.ts");
        return answerModelRequest(request, this, options);
      }
      case "state": {
        const { answerStateRequest } = await import("./requests/state.ts");
        return answerStateRequest(request, this, dataDirectory(this.env));
      }
      case "doctor": {
        const { answerDoctorRequest } = await import("./requests/doctor.ts");
        return answerDoctorRequest(this, options);
      }
      case "providers": {
        const { answerProvidersRequest } = await import("./requests/model.ts");
        return answerProvidersRequest(request, this, options);
      }
      case "backup": {
        const { answerBackupRequest } = await import("./requests/backup.ts");
        return answerBackupRequest(request, await this.backups(), options);
      }
      case "migrate": {
        const { answerMigrateRequest } = await import("./requests/migrate.ts");
        return answerMigrateRequest(request, await this.migrations(), options);
      }
      case "keys": {
        const { answerKeysRequest } = await import("./requests/keys.ts");
        return answerKeysRequest(request, await this.keys(), this.env);
      }
      case "serve": {
        const { answerServeRequest } = await import("./serve/serve.ts");
        return answerServeRequest(request, this, options);
      }
      case "kernel_status":
        throw new SpellError("not_found", "Cannot tell a kernel's status: this command runs its own", {
          hint: "`llmspell kernel list` shows the kernels that run",
        });
    }
  }

  shutdown(): Promise<void> {
    this.ended ??= this.end();
    return this.ended;
  }

  private async end(): Promise<void> {
    await this.session?.dispose();
    const tools = await this.toolService.made();
    await tools?.dispose();
    const models = await this.modelService.made();
    await models?.dispose();
    const debug = await this.debugService.made();
    debug?.dispose();
    const state = await this.stateService.made();
    await state?.dispose();
    const storage = await this.storageService.made();
    storage?.close();
  }
}
