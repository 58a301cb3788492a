/** Where a kernel listens and what it writes: its command line over its configuration. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import { SpellError } from "../core/errors.ts";
import { dataDirectory } from "../core/paths.ts";
import { type Connection, connectionPath, readConnection } from "./connection-file.ts";

export interface ServerFlags {
  daemon: boolean;
  port?: number;
  id?: string;
  connectionFile?: string;
  logFile?: string;
  pidFile?: string;
}

export interface ServerSettings {
  id: string;
  daemon: boolean;
  ip: string;
  /** By channel; 0: any that is free. */
  ports: Record<(typeof CHANNELS)[number], number>;
  key: string;
  /** The connection file that was asked for. */
  connectionFile: string;
  /** Those to write: not the one that Jupyter wrote, always one where clients look. */
  writtenFiles: string[];
  /** Undefined: the kernel was not asked to keep one. */
  pidFile: string | undefined;
  /** Undefined: standard error. */
  logFile: string | undefined;
}

export const CHANNELS = ["shell", "iopub", "stdin", "control", "hb", "websocket"] as const;

interface Place {
  config: Config;
  isExplicit: (path: string) => boolean;
  env: Record<string, string | undefined>;
  cwd: string;
}

/** @throws SpellError usage, invalid_argument */
export function serverSettings(flags: ServerFlags, { config, isExplicit, env, cwd }: Place): ServerSettings {
  const path = (given: string | undefined) => (given === undefined ? undefined : resolve(cwd, given));
  const { kernel, daemon, logging } = config;
  const connectionFile = path(flags.connectionFile ?? kernel.connection_file);
  const given =
    connectionFile !== undefined && existsSync(connectionFile) ? launched(connectionFile) : undefined;
  const base = flags.port ?? kernel.port;
  const id = idOf(
    flags.id ?? (kernel.kernel_id === "auto" ? undefined : kernel.kernel_id),
    connectionFile,
    base,
  );
  const own = connectionPath(env, id);
  return {
    id,
    daemon: flags.daemon,
    ip: given?.ip ?? kernel.ip,
    ports:
      given === undefined ? portsFrom(base, kernel.transport.zeromq) : { ...portsOf(given), websocket: 0 },
    key: given?.key ?? kernel.hmac_key ?? randomBytes(32).toString("hex"),
    connectionFile: connectionFile ?? own,
    writtenFiles: [
      ...new Set(connectionFile === undefined || given !== undefined ? [own] : [connectionFile, own]),
    ],
    pidFile: path(flags.pidFile ?? daemon.pid_file) ?? (flags.daemon ? defaultPidFile(env, id) : undefined),
    logFile:
      path(flags.logFile === undefined ? logging.log_file : logFileOf(flags.logFile, id)) ??
      (flags.daemon ? join(dataDirectory(env), "logs", `kernel-${id}.log`) : undefined),
  };

  function portsFrom(first: number, set: Config["kernel"]["transport"]["zeromq"]): ServerSettings["ports"] {
    if (first > 0 && first + CHANNELS.length - 1 > 65_535)
      throw new SpellError(
        "usage",
        `Cannot start kernel: the port must leave room for ${CHANNELS.length}: ${first}`,
        {
          hint: `Give one below ${65_536 - CHANNELS.length + 1}, or 0 for any that are free`,
        },
      );
    const ports = CHANNELS.map((channel, i) => {
      const own = channel === "websocket" ? undefined : set[`${channel}_port`];
      const explicit = channel !== "websocket" && isExplicit(`kernel.transport.zeromq.${channel}_port`);
      return [channel, explicit && own !== undefined ? own : first === 0 ? 0 : first + i];
    });
    return Object.fromEntries(ports);
  }
}

/** Words of ids go into file names. */
const ID = /^[\w.-]{1,64}$/;

function idOf(given: string | undefined, connectionFile: string | undefined, port: number): string {
  if (given !== undefined && (!ID.test(given) || /^\.+$/.test(given)))
    throw new SpellError(
      "usage",
      `Cannot start kernel: its id must be letters, digits, "-", "_" and ".": ${given}`,
      {
        hint: "Choose another one with --id, of 64 characters at most",
      },
    );
  if (given !== undefined) return given;
  const stem = connectionFile && basename(connectionFile, ".json").replace(/^kernel-/, "");
  if (stem && ID.test(stem)) return stem;
  return port === 0 ? randomBytes(4).toString("hex") : `port-${port}`;
}

/** A file that Jupyter wrote says where to listen; one that a kernel of ours left is written anew. */
function launched(path: string): Connection | undefined {
  const connection = readConnection(path);
  return connection.pid === undefined && connection.shell_port > 0 ? connection : undefined;
}

function portsOf(connection: Connection): Omit<ServerSettings["ports"], "websocket"> {
  return {
    shell: connection.shell_port,
    iopub: connection.iopub_port,
    stdin: connection.stdin_port,
    control: connection.control_port,
    hb: connection.hb_port,
  };
}

function defaultPidFile(env: Place["env"], id: string): string {
  return join(env.XDG_RUNTIME_DIR || tmpdir(), `llmspell-kernel-${id}.pid`);
}

/** A name that does not end in `.log` is a directory. */
function logFileOf(given: string, id: string): string {
  return given.endsWith(".log") ? given : join(given, `kernel-${id}.log`);
}
