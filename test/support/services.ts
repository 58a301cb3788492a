/** The services of a kernel in which only those exist that a test gives. */
import { silentLog } from "../../src/core/log.ts";
import type { ConfigService, Services } from "../../src/kernel/services.ts";

export function onlyServices(config: ConfigService, given: Partial<Services> = {}): Services {
  const absent = (name: string) => async (): Promise<never> => {
    throw new Error(`This test has no ${name}`);
  };
  return {
    config,
    log: silentLog,
    tools: absent("tools"),
    models: absent("models"),
    agents: absent("agents"),
    workflows: absent("workflows"),
    debug: absent("debug"),
    storage: absent("storage"),
    state: absent("state"),
    backups: absent("backups"),
    migrations: absent("migrations"),
    events: absent("events"),
    activeEvents: () => undefined,
    hooks: absent("hooks"),
    keys: absent("keys"),
    metrics: absent("metrics"),
    sessions: absent("sessions"),
    activeHooks: () => undefined,
    kernelState: () => ({ execution: "idle", debug: false }),
    ...given,
  };
}
