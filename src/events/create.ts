/** Makes the event bus of one kernel, with all that the configuration connects it to. */
import { resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import type { Log } from "../core/log.ts";
import type { Storage } from "../storage/storage.ts";
import { EventBus } from "./bus.ts";
import type { BatchSettings } from "./outlet.ts";
import type { EventService } from "./service.ts";
import { busSettings } from "./settings.ts";

export interface EventServiceOptions {
  config: { readonly current: Config };
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** Asked only where events are stored. */
  storage: () => Promise<Storage>;
  /** Events of a dry run leave the process by its own output only. */
  isDryRun?: boolean;
}

/** @throws SpellError io, config where events are to be stored and the database cannot be opened */
export async function createEventService(options: EventServiceOptions): Promise<EventService> {
  const { config, log } = options;
  const bus = new EventBus(busSettings(config.current), log);
  const { persistence, redis } = config.current.events;
  if (persistence.enabled) {
    const { EventStore } = await import("./store.ts");
    const settings = batches("store", options, { maxBatch: 2000, intervalMs: persistence.flush_interval_ms });
    const retention = { days: persistence.retention_days, maxEvents: persistence.max_events };
    bus.addStore(new EventStore({ ...settings, takesRemote: true }, await options.storage(), retention));
  }
  await addExports(bus, options);
  if (redis.url !== undefined && !options.isDryRun) {
    const { RedisLink } = await import("./redis.ts");
    const link = new RedisLink({
      ...batches("redis", options, { maxBatch: 500, intervalMs: 1 }),
      url: redis.url,
      channel: redis.channel,
      onEvent: (input, provenance) => bus.receiveRemote(input, provenance),
    });
    bus.addOutlet(link);
    await link.start();
  }
  return bus;
}

async function addExports(bus: EventBus, options: EventServiceOptions): Promise<void> {
  const { config, cwd, env } = options;
  const to = config.current.events.export;
  if (to.stdout) {
    const { StdoutExport } = await import("./export/stdout.ts");
    bus.addOutlet(
      new StdoutExport(batches("stdout", options, { maxBatch: 500, intervalMs: 10 }), to.pretty_json),
    );
  }
  if (options.isDryRun) return;
  if (to.file !== undefined) {
    const { FileExport } = await import("./export/file.ts");
    bus.addOutlet(
      new FileExport(batches("file", options, { maxBatch: 1000, intervalMs: 50 }), resolve(cwd, to.file)),
    );
  }
  if (to.webhook !== undefined) {
    const { WebhookExport } = await import("./export/webhook.ts");
    const { networkRules } = await import("../security/network/rules.ts");
    const url = to.webhook;
    bus.addOutlet(
      new WebhookExport({
        ...batches("webhook", options, { maxBatch: 200, intervalMs: 200 }),
        url,
        rules: () => networkRules(config.current, [url]),
        env,
        pretty: to.pretty_json,
      }),
    );
  }
}

function batches(
  name: string,
  { log, config }: EventServiceOptions,
  sizes: Pick<BatchSettings, "maxBatch" | "intervalMs">,
): BatchSettings {
  return { name, log, maxWaiting: Math.max(config.current.events.buffer_size, sizes.maxBatch), ...sizes };
}
