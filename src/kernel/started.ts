/** What a kernel that listens says of itself: to whoever started it, and in its connection file. */
import type { Connection } from "./connection-file.ts";
import type { Endpoint } from "./hub.ts";
import type { ServerSettings } from "./server-settings.ts";

/** spec/cli.md section 9.1. */
export interface StartedDocument extends Record<string, unknown> {
  status: "started";
  id: string;
  pid: number;
  /** The first channel's. */
  port: number;
  connection_file: string;
  log_file: string | null;
  pid_file: string | null;
  daemon: boolean;
  /** Where figures are given, where the configuration asks for them. */
  monitoring_port?: number;
}

export function startedDocument(settings: ServerSettings, endpoints: readonly Endpoint[]): StartedDocument {
  const monitoring = endpoints.find(({ channel }) => channel === "monitoring")?.port;
  return {
    status: "started",
    id: settings.id,
    pid: process.pid,
    port: endpoints[0]!.port,
    connection_file: settings.connectionFile,
    log_file: settings.logFile ?? null,
    pid_file: settings.pidFile ?? null,
    daemon: settings.daemon,
    ...(monitoring === undefined ? {} : { monitoring_port: monitoring }),
  };
}

/** Channels that are not open have port 0. */
export function connectionOf(
  { ip, key, id, logFile, pidFile }: ServerSettings,
  endpoints: readonly Endpoint[],
  token: string,
): Connection {
  const port = (channel: string) => endpoints.find((e) => e.channel === channel)?.port ?? 0;
  return {
    transport: "tcp",
    ip,
    shell_port: port("shell"),
    iopub_port: port("iopub"),
    stdin_port: port("stdin"),
    control_port: port("control"),
    hb_port: port("hb"),
    key,
    signature_scheme: "hmac-sha256",
    kernel_name: "llmspell",
    kernel_id: id,
    pid: process.pid,
    started_at: new Date().toISOString(),
    engine: "lua",
    ...(logFile === undefined ? {} : { log_file: logFile }),
    ...(pidFile === undefined ? {} : { pid_file: pidFile }),
    websocket_port: port("websocket"),
    token,
  };
}
