/** The composition root: owns the services and answers requests. Every front end reaches scripts, tools and models here. */

import type { LoadedConfig } from "../config/load.ts";
import { createConfigService } from "../config/service.ts";
import { type ErrorJson, errorToJson, SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { dataDirectory } from "../core/paths.ts";
import type { EventService } from "../events/service.ts";
import type { HookService } from "../hooks/service.ts";
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
  activeHooks(): HookService | undefined;
}

export function createKernel(options: KernelOptions): LocalKernel {
  return new Kernel(options);
}

/** Remembers the promise of the first call, so that a service is made once. */
function once<T>(make: () => Promise<T>): { get: () => Promise<T>; made: () => Promise<T> | undefined } {
  let made: Promise<T> | undefined;
  return {
    get: () => {
      made ??= make();
      return made;
    },
    made: () => made,
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
  private readonly eventService;
  private readonly hookService;
  private eventsNow: EventService | undefined;
  private hooksNow: HookService | undefined;
  private session: ScriptSession | undefined;
  private ended: Promise<void> | undefined;

  constructor(options: KernelOptions) {
    const { log, env, cwd } = options;
    this.log = log;
    this.env = env;
    this.config = createConfigService(options.loaded);
    this.toolService = once(async () => {
      const { createToolService } = await import("../tools/create.ts");
      return createToolService({ config: this.config, log, env, cwd, hooks: () => this.hooksNow });
    });
    this.modelService = once(async () => {
      const { createModelService } = await import("../models/create.ts");
      return createModelService({ config: this.config, log, env, dataDirectory: dataDirectory(env) });
    });
    this.agentService = once(async () => {
      const { createAgentService } = await import("../agents/create.ts");
      return createAgentService({
        models: () => this.models(),
        tools: () => this.tools(),
        log,
        hooks: () => this.hooksNow,
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
    this.eventService = once(async () => {
      const { createEventService } = await import("../events/create.ts");
      const { withEventHooks } = await import("../hooks/event-points.ts");
      this.eventsNow = withEventHooks(createEventService(), () => this.hooksNow);
      return this.eventsNow;
    });
    this.hookService = once(async () => {
      const { createKernelHooks } = await import("./hooks.ts");
      this.hooksNow = await createKernelHooks(this, () => this.eventsNow);
      return this.hooksNow;
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

  events() {
    return this.eventService.get();
  }

  hooks() {
    return this.hookService.get();
  }

  activeHooks() {
    return this.hooksNow;
  }

  request(request: ExecuteRequest, options?: RequestOptions): Promise<ExecuteReply | Failure>;
  request(request: KernelRequest, options?: RequestOptions): Promise<KernelReply>;
  async request(request: KernelRequest, options: RequestOptions = {}): Promise<KernelReply> {
    try {
      if (this.ended !== undefined)
        throw new SpellError("internal", "Cannot take a request: the kernel has shut down");
      if (this.wantsHooks()) await this.hooks();
      const answer = () => this.answer(request, options);
      if (this.hooksNow === undefined) return await answer();
      const { aroundMessage } = await import("./hooks.ts");
      return await aroundMessage(this.hooksNow, request, answer);
    } catch (error) {
      if (!(error instanceof SpellError))
        this.log.debug("kernel", "request failed", {
          stack: error instanceof Error ? error.stack : undefined,
        });
      return { status: "error", error: errorToJson(error) };
    }
  }

  /** The configuration switches hooks on that nobody has asked for yet. */
  private wantsHooks(): boolean {
    if (this.hookService.made() !== undefined) return false;
    const { enabled, builtin } = this.config.current.hooks;
    return enabled && Object.values(builtin).some((section) => section?.enabled);
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
      case "doctor": {
        const { answerDoctorRequest } = await import("./requests/doctor.ts");
        return answerDoctorRequest(this, options);
      }
      case "providers": {
        const { answerProvidersRequest } = await import("./requests/model.ts");
        return answerProvidersRequest(request, this, options);
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
    if (this.hooksNow !== undefined) {
      const { endWithHooks } = await import("./hooks.ts");
      await endWithHooks(this, this.hooksNow, this.agentService.made() !== undefined);
    }
    await this.session?.dispose();
    const tools = await this.toolService.made();
    await tools?.dispose();
    const models = await this.modelService.made();
    await models?.dispose();
    const debug = await this.debugService.made();
    debug?.dispose();
    const storage = await this.storageService.made();
    storage?.close();
  }
}
