import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { ConfigService } from "../kernel/services.ts";
import { LogFile } from "./log-file.ts";
import type { DebugService } from "./service.ts";
import { debugSettings, logFileOptions } from "./settings.ts";

export interface DebugServiceOptions {
  config: ConfigService;
  log: Log;
  env?: Record<string, string | undefined>;
  /** Standard output is a terminal. */
  terminal?: boolean;
}

export function createDebugService(options: DebugServiceOptions): DebugService {
  const { config, log, env = process.env, terminal = process.stdout.isTTY === true } = options;
  let file: LogFile | undefined;
  let failed = false;
  return {
    settings: () => debugSettings(config, terminal && !env.NO_COLOR),
    append(text) {
      const fileOptions = logFileOptions(config.current);
      if (failed || fileOptions === undefined) return;
      file ??= new LogFile(fileOptions);
      try {
        file.write(text);
      } catch (error) {
        failed = true;
        log.warn("script", `Cannot write debug log: ${messageOf(error)}`, { path: fileOptions.path });
      }
    },
    dispose: () => file?.close(),
  };
}
