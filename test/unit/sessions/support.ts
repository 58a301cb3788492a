/** Sessions of a temporary data directory, over the real database. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../../src/config/schema.ts";
import { SpellError } from "../../../src/core/errors.ts";
import { silentLog } from "../../../src/core/log.ts";
import type { SpellEvent } from "../../../src/events/service.ts";
import type { HookInput, HookReruns, HookResult, HookRunner } from "../../../src/hooks/service.ts";
import { createSessionService } from "../../../src/sessions/create.ts";
import type { SessionService } from "../../../src/sessions/service.ts";
import { openStorage, type Storage } from "../../../src/storage/storage.ts";
import { createToolService } from "../../../src/tools/create.ts";
import type { ToolDefinition } from "../../../src/tools/service.ts";
import { configWith } from "../../support/config.ts";
import { DEFAULTS, testBus } from "../events/support.ts";

export interface World extends AsyncDisposable {
  sessions: SessionService;
  storage: Storage;
  directory: string;
  events: SpellEvent[];
  /** Points that ran, and what the test's hook answers. */
  ran: HookInput[];
  answer: { result: HookResult };
  /** Ends the service as a process's end does, and starts another on the same data. */
  restart(): Promise<void>;
}

export interface WorldOptions {
  change?: (settings: Config["runtime"]["sessions"]) => void;
  tools?: ToolDefinition[];
  ownSession?: string;
  directory?: string;
}

export async function world({
  change,
  tools,
  ownSession,
  directory: given,
}: WorldOptions = {}): Promise<World> {
  const directory = given ?? mkdtempSync(join(tmpdir(), "llmspell-test-"));
  const config = configWith((draft) => {
    draft.runtime.sessions.enabled = true;
    draft.runtime.sessions.storage_backend = "sqlite";
    draft.tools.file_operations.allowed_paths = [directory];
    change?.(draft.runtime.sessions);
  });
  const { bus } = testBus({ filter: { ...DEFAULTS.filter, emitStateEvents: true } });
  const events: SpellEvent[] = [];
  bus.listen("*", (event) => events.push(event));
  const ran: HookInput[] = [];
  const answer: World["answer"] = { result: { type: "continue" } };
  const hooks: HookRunner & HookReruns = {
    has: () => true,
    run: async (input) => {
      ran.push(input);
      return answer.result;
    },
    standsAt: () => false,
    runAgain: async () => answer.result,
    around: async (operation, work) => work(operation.data),
  };
  const service = async (storage: Storage) => {
    const sessions: SessionService = await createSessionService({
      config,
      log: silentLog,
      dataDirectory: directory,
      env: {},
      cwd: directory,
      storage: async () => storage,
      tools: async () => toolService,
      models: async () => {
        throw new Error("This test has no models");
      },
      events: async () => bus,
      hooks: async () => hooks,
      ...(ownSession === undefined ? {} : { ownSession }),
    });
    const toolService = createToolService({
      config,
      log: silentLog,
      env: {},
      cwd: directory,
      ...(tools === undefined ? {} : { tools }),
      recorder: () => Promise.resolve(sessions.recorder),
    });
    return { sessions, toolService };
  };
  const made: { storage: Storage; sessions: SessionService } = await (async () => {
    const storage = await openStorage(directory);
    return { storage, ...(await service(storage)) };
  })();
  const end = async () => {
    await made.sessions.dispose();
    made.storage.close();
  };
  return {
    get sessions() {
      return made.sessions;
    },
    get storage() {
      return made.storage;
    },
    directory,
    events,
    ran,
    answer,
    async restart() {
      await end();
      made.storage = await openStorage(directory);
      made.sessions = (await service(made.storage)).sessions;
    },
    async [Symbol.asyncDispose]() {
      await end();
      if (given === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

export async function failure(work: Promise<unknown> | (() => unknown)): Promise<SpellError> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error("Nothing failed");
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
