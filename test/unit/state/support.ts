/** A state service over the memory backend or a database, with hooks and events that a test sees. */
import type { Config } from "../../../src/config/schema.ts";
import { silentLog } from "../../../src/core/log.ts";
import type { EventService } from "../../../src/events/service.ts";
import type { HookedOperation, HookInput, HookRunner } from "../../../src/hooks/service.ts";
import { createStateService } from "../../../src/state/create.ts";
import type { StateService } from "../../../src/state/service.ts";
import { openStorage, type Storage } from "../../../src/storage/storage.ts";
import { configWith } from "../../support/config.ts";
import { testBus } from "../events/support.ts";

type Settings = Config["runtime"]["state_persistence"];

/** Hooks of a test: `around` is what a hook at these points does with the operation. */
export class TestHooks implements HookRunner {
  readonly ran: HookInput[] = [];
  constructor(
    private readonly points: readonly string[] = [],
    private readonly change: <T>(operation: HookedOperation<T>) => Record<string, unknown> = ({ data }) =>
      data,
  ) {}

  has(point: string): boolean {
    return this.points.includes(point);
  }

  async run(input: HookInput) {
    this.ran.push(input);
    return { type: "continue" } as const;
  }

  async around<T>(
    operation: HookedOperation<T>,
    work: (data: Record<string, unknown>) => Promise<T> | T,
  ): Promise<T> {
    const { before = "", component, data } = operation;
    this.ran.push({ point: before, component, data });
    return work(this.change(operation));
  }
}

export async function stateWith(
  options: {
    settings?: Partial<Settings>;
    events?: EventService;
    emitEvents?: boolean;
    hooks?: HookRunner;
    env?: Record<string, string>;
    storage?: Storage;
  } = {},
): Promise<StateService> {
  const { settings = {}, hooks = new TestHooks(), env = {}, events = testBus().bus } = options;
  const config = configWith((c) => {
    Object.assign(c.runtime.state_persistence, settings);
    c.events.emit_state_events = options.emitEvents ?? false;
  });
  return createStateService({
    config,
    log: silentLog,
    env,
    storage: async () => options.storage ?? openStorage(":memory:"),
    hooks: async () => hooks,
    events: async () => events,
  });
}
