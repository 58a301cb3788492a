import { dirname, join } from "node:path";
import { type LoadedConfig, loadConfig } from "../../config/load.ts";
import { isSet } from "../../config/report.ts";
import { errorToJson } from "../../core/errors.ts";
import { homeDirectory } from "../../core/paths.ts";
import { reportToParent, startDetached } from "../../kernel/daemon/detach.ts";
import { refuseTakenPorts } from "../../kernel/port-check.ts";
import { KernelServer } from "../../kernel/server.ts";
import { type ServerFlags, type ServerSettings, serverSettings } from "../../kernel/server-settings.ts";
import type { StartedDocument } from "../../kernel/started.ts";
import type { CommandDecl, CommandIo, OptionValues } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { chosenLevel, stderrSink } from "../log-sink.ts";
import { wholeNumber } from "../whole-number.ts";

/** Where a daemon works unless the configuration says otherwise (spec/cli.md section 9.1). */
const DAEMON_DIRECTORY = "/tmp";

export const startCommand: CommandDecl = {
  name: "start",
  summary: "Start a kernel",
  details:
    "Runs until SIGTERM, SIGINT while nothing runs, a client's shutdown or the idle timeout; a second signal ends it at once. SIGINT interrupts what runs, SIGHUP and SIGUSR1 read the configuration again, SIGUSR2 writes the state to a file. The exit code is 0 after an orderly end, 1 after a forced one.",
  options: [
    {
      flag: "--port",
      short: "-p",
      value: "N",
      doc: "First port; the channels take it and those after it (default 9555 or kernel.port; 0: any that are free)",
    },
    { flag: "--daemon", doc: "Leave the terminal and run in the background" },
    { flag: "--id", short: "-i", value: "ID", doc: "Name of the kernel (default port-PORT)" },
    {
      flag: "--connection-file",
      short: "-f",
      value: "FILE",
      doc: "Where the connection file is written; one that Jupyter wrote is used",
    },
    {
      flag: "--log-file",
      value: "PATH",
      doc: "Log file, or a directory for it (default: standard error; a daemon's logs/kernel-ID.log of the data directory)",
    },
    {
      flag: "--pid-file",
      value: "FILE",
      doc: "File for the process id (a daemon's default: llmspell-kernel-ID.pid of the runtime directory, or /tmp)",
    },
    {
      flag: "--idle-timeout",
      value: "SECONDS",
      doc: "End after so long without a request (default 3600 or kernel.idle_timeout; 0: never)",
    },
    { flag: "--max-clients", value: "N", doc: "Clients at once (default 10 or kernel.max_clients)" },
    {
      flag: "--log-rotate-size",
      value: "BYTES",
      doc: "Size at which a new log file is begun (default log_rotation.max_size_bytes)",
    },
    {
      flag: "--log-rotate-count",
      value: "N",
      doc: "Old log files kept (default log_rotation.max_files); they are compressed unless log_rotation.compress says no",
    },
    { flag: "--dry-run", doc: "Check the configuration and the ports, and start nothing" },
    { flag: "--detached", doc: "The daemon itself, as its starter calls it", hidden: true },
  ],
  run: start,
};

async function start(io: CommandIo, _args: unknown, options: OptionValues): Promise<number> {
  if (options.detached === true) return runDetached(io, options);
  const loaded = await io.loadConfig();
  const settings = settingsOf(io, loaded, options);
  if (options["dry-run"] === true) {
    await refuseTakenPorts(settings.ip, Object.values(settings.ports));
    const { id, ip, ports } = settings;
    if (io.mode === "json") io.json({ status: "ok", id, ip, ports });
    else io.out(`Kernel ${id} can start on ${ip}:${ports.shell}`);
    return EXIT.ok;
  }
  if (settings.daemon) return startDaemon(io, loaded, settings);
  const { server, document } = await serve(io, loaded, settings, options);
  show(io, settings, document);
  return server.ended;
}

function show(io: CommandIo, { ip }: ServerSettings, document: Record<string, unknown>): void {
  if (io.mode === "json") io.json(document);
  else {
    const { id, port, pid, connection_file } = document;
    io.out(`Kernel ${id} started on ${ip}:${port} (PID ${pid})`);
    io.err(`Connection file: ${connection_file}`);
  }
}

/** What a crash leaves stands beside the log: the log itself is put away from time to time. */
async function startDaemon(io: CommandIo, loaded: LoadedConfig, settings: ServerSettings): Promise<number> {
  const { daemon } = loaded.config;
  const document = await startDetached({
    words: [...process.argv.slice(2), "--detached", "--id", settings.id],
    env: io.env,
    stdoutPath: daemon.stdout_path,
    stderrPath:
      daemon.stderr_path ??
      (settings.logFile && join(dirname(settings.logFile), `kernel-${settings.id}.stderr`)),
  });
  show(io, settings, document);
  return EXIT.ok;
}

/** Says on the pipe how the start went; nobody reads the standard streams. */
async function runDetached(io: CommandIo, options: OptionValues): Promise<number> {
  let server: KernelServer;
  try {
    const loaded = await io.loadConfig();
    const settings = settingsOf(io, loaded, options);
    process.umask(loaded.config.daemon.umask);
    const { working_dir } = loaded.config.daemon;
    process.chdir(isSet(loaded.explicit, "daemon.working_dir") ? working_dir : DAEMON_DIRECTORY);
    const started = await serve(io, loaded, settings, options);
    reportToParent({ status: "started", document: started.document });
    server = started.server;
  } catch (error) {
    reportToParent({ status: "error", error: errorToJson(error) });
    return EXIT.failure;
  }
  return server.ended;
}

function serve(
  io: CommandIo,
  loaded: LoadedConfig,
  settings: ServerSettings,
  options: OptionValues,
): Promise<{ server: KernelServer; document: StartedDocument }> {
  const { profile, config: configPath } = io.globals;
  const overrides = overridesOf(options, loaded);
  io.leaveSignals();
  return KernelServer.start({
    settings,
    loaded,
    load: () =>
      loadConfig({
        ...(profile === undefined ? {} : { profile }),
        ...(configPath === undefined ? {} : { configPath }),
        env: io.env,
        cwd: io.cwd,
        home: homeDirectory(io.env),
      }),
    overrides,
    level: chosenLevel(io.env, io.globals.trace),
    sink: stderrSink(io.env),
    env: io.env,
    cwd: process.cwd(),
  });
}

function settingsOf(io: CommandIo, loaded: LoadedConfig, options: OptionValues): ServerSettings {
  const text = (name: string) => options[name] as string | undefined;
  const flags: ServerFlags = { daemon: options.daemon === true || loaded.config.daemon.daemonize };
  const port = text("port");
  if (port !== undefined) flags.port = wholeNumber("--port", port, 0, 65_535);
  const id = text("id");
  if (id !== undefined) flags.id = id;
  const connectionFile = text("connection-file");
  if (connectionFile !== undefined) flags.connectionFile = connectionFile;
  const logFile = text("log-file");
  if (logFile !== undefined) flags.logFile = logFile;
  const pidFile = text("pid-file");
  if (pidFile !== undefined) flags.pidFile = pidFile;
  const isExplicit = (path: string) => isSet(loaded.explicit, path);
  return serverSettings(flags, { config: loaded.config, isExplicit, env: io.env, cwd: io.cwd });
}

/** What the command line says of the configuration. */
function overridesOf(options: OptionValues, loaded: LoadedConfig): (config: LoadedConfig["config"]) => void {
  const number = (name: string, least: number) => {
    const text = options[name];
    return typeof text === "string" ? wholeNumber(`--${name}`, text, least) : undefined;
  };
  const idleTimeout = number("idle-timeout", 0);
  const maxClients = number("max-clients", 1);
  const rotateSize = number("log-rotate-size", 1);
  const rotateCount = number("log-rotate-count", 0);
  const compress = !isSet(loaded.explicit, "log_rotation.compress");
  return ({ kernel, log_rotation }) => {
    kernel.idle_timeout = idleTimeout ?? kernel.idle_timeout;
    kernel.max_clients = maxClients ?? kernel.max_clients;
    log_rotation.max_size_bytes = rotateSize ?? log_rotation.max_size_bytes;
    log_rotation.max_files = rotateCount ?? log_rotation.max_files;
    if (compress) log_rotation.compress = true;
  };
}
