/** Sections of the long-running kernel: sockets, daemon, shutdown, health, logs, protocols. */
import {
  choice,
  flag,
  integer,
  NOT_LOWERED,
  NOT_RAISED,
  PATH,
  POSITIVE,
  SECRET,
  section,
  TRUSTED,
  text,
  unset,
} from "../fields.ts";
import { LOG_LEVEL_WORDS } from "./runtime.ts";

const PORT = { minimum: 0, maximum: 65_535 } as const;
const port = (doc: string) => unset.integer(doc, PORT);

export const Kernel = section("The kernel that other programs connect to.", {
  port: integer(9555, "First port it listens on", PORT),
  ip: text("127.0.0.1", "Address it listens on", TRUSTED),
  connection_file: unset.text("Where the connection file is written", PATH),
  kernel_id: text("auto", "Name of the kernel; auto: a new one"),
  hmac_key: unset.text("Key that signs messages; a new one when absent", SECRET),
  idle_timeout: integer(3600, "Seconds without a request after which it ends; 0: never"),
  max_clients: integer(10, "Clients at once", POSITIVE),
  max_message_size_mb: integer(10, "Largest message, in MB", POSITIVE),
  max_memory_mb: unset.integer("Memory of the process, in MB; no limit when absent", POSITIVE),
  max_execution_time_secs: integer(300, "Time for one request, in seconds", POSITIVE),
  enable_jupyter: flag(true, "Speak the Jupyter protocol"),
  enable_dap: flag(false, "Speak the Debug Adapter Protocol"),
  enable_lsp: flag(false, "Speak the Language Server Protocol"),
  enable_repl: flag(true, "Serve remote REPLs"),
  auto_connect: flag(false, "Run commands in a kernel that is already running", NOT_RAISED),
  execution: section("Execution of requests.", {
    max_history: integer(1000, "Inputs remembered"),
    execution_timeout_secs: integer(300, "Time for one input, in seconds", POSITIVE),
    monitor_agents: flag(true, "Count the calls of agents"),
    track_performance: flag(true, "Measure every execution"),
    enable_tracing: flag(false, "Log every execution step"),
  }),
  transport: section("How messages travel.", {
    scheme: choice(["tcp", "ipc"], "tcp", 'Kind of socket; `transport = "tcp"` means the same'),
    zeromq: section("ZeroMQ sockets.", {
      shell_port: port("Port of the shell channel; after `kernel.port` when absent"),
      iopub_port: port("Port of the iopub channel"),
      stdin_port: port("Port of the stdin channel"),
      control_port: port("Port of the control channel"),
      hb_port: port("Port of the heartbeat channel"),
      send_timeout_ms: integer(1000, "Time to hand over a message, in milliseconds"),
      recv_timeout_ms: integer(100, "Time one read waits, in milliseconds"),
      max_message_size: unset.integer("Largest message, in bytes; `kernel.max_message_size_mb` when absent"),
    }),
  }),
});

export const Daemon = section("Running in the background.", {
  daemonize: flag(false, "Leave the terminal"),
  pid_file: unset.text("Where the process id is written", PATH),
  working_dir: text("/", "Directory it runs in", PATH),
  umask: integer(0o027, "File mode creation mask", { maximum: 0o777, ...TRUSTED }),
  close_stdin: flag(true, "Close standard input"),
  stdout_path: unset.text("File for standard output", PATH),
  stderr_path: unset.text("File for standard error", PATH),
});

export const Shutdown = section("How the kernel ends.", {
  grace_period_secs: integer(5, "Time for the whole end, in seconds; 15 where it is not set"),
  operation_timeout_secs: integer(10, "Time running requests get before they are interrupted, in seconds"),
  poll_interval_ms: integer(100, "Time between two looks at what still runs, in milliseconds", POSITIVE),
  preserve_state: flag(true, "Write the kernel's state"),
  state_file: unset.text("Where it is written; `kernel_state.json` of the data directory when absent", PATH),
  notify_clients: flag(true, "Tell clients first"),
});

export const Signals = section("What signals do.", {
  handle_sigterm: flag(true, "SIGTERM shuts down"),
  handle_sigint: flag(true, "SIGINT interrupts, then shuts down"),
  handle_sighup: flag(true, "SIGHUP reads the configuration again"),
  handle_sigusr1: flag(true, "SIGUSR1 reads the configuration again"),
  handle_sigusr2: flag(true, "SIGUSR2 writes the state to a file"),
  force_shutdown_on_second_signal: flag(true, "A second signal ends at once"),
});

export const LogRotation = section("Rotation of the log file.", {
  max_size_bytes: integer(10_485_760, "Size at which a new file is begun, in bytes", POSITIVE),
  max_files: integer(5, "Old files kept"),
  compress: flag(false, "Compress old files"),
});

export const Logging = section("The kernel's log.", {
  log_file: unset.text(
    "File the log goes to; standard error when absent, a daemon's `logs/kernel-ID.log` of the data directory",
    PATH,
  ),
  log_level: unset.choice(LOG_LEVEL_WORDS, "Least severe level written"),
  json_format: flag(false, "One JSON document a line"),
});

export const Health = section("When the kernel calls itself unwell.", {
  max_memory_mb: integer(1024, "Memory, in MB"),
  max_cpu_percent: integer(80, "Processor time, in percent of all processors"),
  max_connections: integer(100, "Connections"),
  max_avg_latency_us: integer(5000, "Mean delay of the kernel's thread, in microseconds"),
  max_error_rate_per_minute: integer(10, "Errors a minute"),
  check_interval_secs: integer(30, "Time between checks, in seconds", POSITIVE),
});

export const Monitoring = section("Figures over HTTP: /health and /metrics (Prometheus).", {
  enabled: flag(false, "Serve them", NOT_RAISED),
  ip: text("127.0.0.1", "Address it listens on; whoever reaches it may read the figures", TRUSTED),
  port: integer(9590, "Port; 0 takes any that is free", PORT),
});

export const Protocols = section("Protocols of the kernel.", {
  jupyter: section("Jupyter.", {
    kernel_name: text("llmspell", "Name of the kernel specification"),
    display_name: text("LLMSpell", "Name shown to people"),
    language: text("lua", "Language of the cells"),
    codemirror_mode: text("lua", "Highlighting in notebooks"),
    validate_signatures: flag(true, "Refuse messages that are not signed", NOT_LOWERED),
  }),
  dap: section("Debug Adapter Protocol.", {
    enabled: flag(false, "Listen for debuggers"),
    port: integer(9556, "Port", PORT),
    wait_for_client: flag(false, "Start scripts only when a debugger is there"),
    break_on_entry: flag(false, "Stop at the first line"),
    break_on_error: flag(false, "Stop at errors"),
  }),
  lsp: section("Language Server Protocol.", {
    enabled: flag(false, "Listen for editors"),
    port: integer(9557, "Port", PORT),
  }),
  repl: section("The interactive prompt.", {
    history_file: unset.text(
      "Where inputs are remembered; `llmspell_history` of the user's cache directory when absent",
      PATH,
    ),
    history_size: integer(1000, "Inputs remembered"),
    prompt: text("llmspell> ", "Prompt of a first line"),
    continuation_prompt: text("      > ", "Prompt of a further line"),
  }),
});
