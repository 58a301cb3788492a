/** The log of a kernel that listens: a rotating file, or whatever its front end shows. */
import type { Config } from "../../config/schema.ts";
import { Log, type LogLevel, type LogSink } from "../../core/log.ts";
import { jsonLine, textLine } from "./line.ts";
import { RotatingFile } from "./rotating-file.ts";

export interface KernelLog {
  readonly log: Log;
  /** Changes what is written from now on. */
  setLevel(level: LogLevel | "off"): void;
  level(): LogLevel;
  close(): Promise<void>;
}

/**
 * @param path undefined: records go to `sink`
 * @param config as it stands now
 * @throws SpellError io
 */
export function kernelLog(
  path: string | undefined,
  sink: LogSink,
  config: () => Pick<Config, "log_rotation" | "logging">,
  level: LogLevel,
): KernelLog {
  const threshold = { level };
  const common = {
    level: () => threshold.level,
    setLevel: (next: LogLevel | "off") => {
      threshold.level = next === "off" ? "error" : next;
    },
  };
  if (path === undefined) return { log: new Log(sink, threshold), ...common, close: async () => {} };
  const limits = () => {
    const { max_size_bytes, max_files, compress } = config().log_rotation;
    return { maxSizeBytes: max_size_bytes, maxFiles: max_files, compress };
  };
  const file = RotatingFile.open(path, limits, (error) =>
    log.warn("kernel", "old log file not compressed", { error: String(error) }),
  );
  const write: LogSink = (record) => {
    try {
      file.write(config().logging.json_format ? jsonLine(record) : textLine(record));
    } catch {
      sink(record); // a full disk or a directory that is gone must not stop the kernel
    }
  };
  const log = new Log(write, threshold);
  return { log, ...common, close: () => file.close() };
}
