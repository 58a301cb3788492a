/** Reads the configuration again when a signal says so; an invalid file changes nothing. */
import type { LoadedConfig } from "../config/load.ts";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { applyChanges, applyKernelFile, type ConfigChange } from "./reload.ts";
import type { ConfigService } from "./services.ts";

export class Reloader {
  attempts = 0;
  successes = 0;
  lastAt: string | null = null;
  private running = false;

  constructor(
    private loaded: LoadedConfig,
    private readonly options: {
      config: ConfigService;
      load: () => Promise<LoadedConfig>;
      dataDirectory: string;
      log: Log;
      onReloaded: (changes: readonly ConfigChange[]) => void;
    },
  ) {}

  /** A reload while one runs is ignored. */
  async reload(): Promise<void> {
    if (this.running) return;
    this.running = true;
    this.attempts++;
    const { config, load, dataDirectory, log, onReloaded } = this.options;
    try {
      const after = await load();
      const changes = applyChanges(config, this.loaded, after);
      applyKernelFile(config, dataDirectory);
      this.loaded = after;
      this.successes++;
      this.lastAt = new Date().toISOString();
      onReloaded(changes);
      for (const { key, old, new: value, live } of changes)
        log.info("config", live ? "setting changed" : "setting changed, counts after a restart", {
          key,
          old,
          new: value,
        });
      log.info("config", "configuration reloaded", { changes: changes.length });
    } catch (error) {
      log.write("error", "config", "configuration not reloaded, the old one stays", {
        error: messageOf(error),
      });
    } finally {
      this.running = false;
    }
  }
}
