/** Every environment variable that sets one configuration key. Providers' variables are in `env-providers.ts`. */
export interface EnvVariable {
  name: string;
  /** Keys it sets, dotted. */
  paths: readonly string[];
  /** The only words accepted, where the schema accepts more. */
  choices?: readonly string[];
}

const ENGINES = ["lua", "javascript"];
const STATE_BACKENDS = ["memory", "file", "sqlite", "postgres", "sled", "rocksdb", "redis"];
const SESSION_BACKENDS = ["memory", "sqlite", "sled"];
const SEARCH_ENGINES = ["google", "bing", "duckduckgo"];

/** Variables below one prefix: `SUFFIX path [path]`, paths below `base` unless they begin with `/`. */
function group(prefix: string, base: string, lines: string): EnvVariable[] {
  return lines
    .trim()
    .split("\n")
    .map((line) => {
      const [suffix, ...paths] = line.trim().split(/\s+/);
      return {
        name: prefix + suffix!,
        paths: paths.map((path) => (path.startsWith("/") ? path.slice(1) : `${base}${path}`)),
      };
    });
}

function withChoices(variables: EnvVariable[], choices: Record<string, readonly string[]>): EnvVariable[] {
  return variables.map((variable) => {
    const words = choices[variable.name];
    return words === undefined ? variable : { ...variable, choices: words };
  });
}

const runtime = group(
  "LLMSPELL_",
  "runtime.",
  `
  DEFAULT_ENGINE /default_engine
  MAX_CONCURRENT_SCRIPTS max_concurrent_scripts
  SCRIPT_TIMEOUT_SECONDS script_timeout_seconds
  ALLOW_FILE_ACCESS security.allow_file_access
  ALLOW_NETWORK_ACCESS security.allow_network_access
  ALLOW_PROCESS_SPAWN security.allow_process_spawn
  MAX_MEMORY_BYTES security.max_memory_bytes
  MAX_EXECUTION_TIME_MS security.max_execution_time_ms
  STATE_ENABLED state_persistence.enabled
  STATE_BACKEND state_persistence.backend_type
  STATE_PATH state_persistence.schema_directory
  STATE_MIGRATION_ENABLED state_persistence.migration_enabled
  STATE_BACKUP_ENABLED state_persistence.backup_enabled
  STATE_BACKUP_ON_MIGRATION state_persistence.backup_on_migration
  STATE_BACKUP_DIR state_persistence.backup.backup_dir
  STATE_MAX_SIZE_BYTES state_persistence.max_state_size_bytes
  STATE_DATABASE_URL state_persistence.database_url
  STATE_AUTO_SAVE state_persistence.auto_save
  STATE_AUTO_LOAD state_persistence.auto_load
  SESSIONS_ENABLED sessions.enabled
  SESSIONS_MAX sessions.max_sessions
  SESSIONS_TIMEOUT_SECONDS sessions.session_timeout_seconds
  SESSIONS_BACKEND sessions.storage_backend
  SESSIONS_MAX_ARTIFACTS sessions.max_artifacts_per_session
  HOOKS_ENABLED /hooks.enabled
  HOOKS_RATE_LIMIT /hooks.rate_limit_per_minute
  LOG_LEVEL log_level /logging.log_level`,
);

const tools = group(
  "LLMSPELL_TOOLS_",
  "tools.",
  `
  ENABLED enabled
  RATE_LIMIT rate_limit_per_minute
  FILE_OPS_ENABLED file_operations.enabled
  FILE_ENABLED file_operations.enabled
  MAX_FILE_SIZE file_operations.max_file_size
  ALLOWED_PATHS file_operations.allowed_paths
  BLOCKED_EXTENSIONS file_operations.blocked_extensions
  MAX_DEPTH file_operations.max_depth
  FOLLOW_SYMLINKS file_operations.follow_symlinks
  CHECK_MIME file_operations.validate_file_types
  NETWORK_TIMEOUT network.timeout_seconds
  NETWORK_MAX_RETRIES network.max_retries
  NETWORK_RETRIES network.max_retries
  NETWORK_VERIFY_SSL network.verify_ssl
  WEB_USER_AGENT web_tools.user_agent
  WEB_ALLOWED_DOMAINS web_tools.allowed_domains web_search.allowed_domains
  WEB_BLOCKED_DOMAINS web_tools.blocked_domains web_search.blocked_domains
  WEB_MAX_REDIRECTS web_tools.max_redirects
  WEB_SCRAPING_DELAY web_tools.scraping_delay_ms
  WEB_RATE_LIMIT web_search.rate_limit_per_minute
  WEB_ENABLED web_search.enabled
  WEB_MAX_RESULTS web_search.max_results
  HTTP_ALLOWED_HOSTS http_request.allowed_hosts
  HTTP_BLOCKED_HOSTS http_request.blocked_hosts
  HTTP_TIMEOUT http_request.timeout_seconds
  HTTP_MAX_REDIRECTS http_request.max_redirects
  HTTP_MAX_SIZE http_request.max_request_size
  HTTP_VERIFY_SSL http_request.verify_ssl
  HTTP_USER_AGENT http_request.default_headers.User-Agent
  HTTP_ENABLED http_request.enabled
  MEDIA_MAX_SIZE media.max_file_size
  MEDIA_PROCESSING_TIMEOUT media.processing_timeout_seconds
  MEDIA_IMAGE_MAX_DIMENSIONS media.image_max_dimensions
  DB_CONNECTION_TIMEOUT database.connection_timeout_seconds
  DB_MAX_CONNECTIONS database.max_connections
  DB_ALLOWED_HOSTS database.allowed_hosts
  EMAIL_SMTP_HOST email.smtp_host
  EMAIL_SMTP_PORT email.smtp_port
  EMAIL_FROM_ADDRESS email.from_address
  EMAIL_RATE_LIMIT email.rate_limit_per_minute
  SYSTEM_ALLOW_PROCESS_EXEC system.allow_process_execution
  SYSTEM_ALLOWED_COMMANDS system.allowed_commands
  SYSTEM_BLOCKED_COMMANDS system.blocked_commands
  SYSTEM_TIMEOUT system.command_timeout_seconds
  SYSTEM_MAX_OUTPUT_SIZE system.max_output_size
  SYSTEM_MAX_OUTPUT system.max_output_size
  SYSTEM_ALLOWED_ENV system.allowed_env_vars
  SYSTEM_WORKING_DIR system.working_directory
  SYSTEM_ENABLED system.enabled
  DATA_MAX_CSV_SIZE data.max_csv_size
  DATA_MAX_JSON_DEPTH data.max_json_depth
  ACADEMIC_CITATION_API_KEY academic.citation_api_key
  ACADEMIC_MAX_REFERENCES academic.max_references
  DOC_MAX_PDF_SIZE document.max_pdf_size
  DOC_EXTRACT_IMAGES document.extract_images
  SEARCH_ENGINE search.default_engine
  SEARCH_MAX_RESULTS search.max_results
  SEARCH_API_KEY search.api_key`,
);

const events = group(
  "LLMSPELL_EVENTS_",
  "events.",
  `
  ENABLED enabled
  BUFFER_SIZE buffer_size
  EMIT_TIMING_EVENTS emit_timing_events
  EMIT_STATE_EVENTS emit_state_events
  EMIT_DEBUG_EVENTS emit_debug_events
  MAX_EVENTS_PER_SECOND max_events_per_second
  FILTERING_INCLUDE_TYPES filtering.include_types
  FILTERING_EXCLUDE_TYPES filtering.exclude_types
  FILTERING_INCLUDE_COMPONENTS filtering.include_components
  FILTERING_EXCLUDE_COMPONENTS filtering.exclude_components
  EXPORT_STDOUT export.stdout
  EXPORT_FILE export.file
  EXPORT_WEBHOOK export.webhook
  EXPORT_PRETTY_JSON export.pretty_json
  OVERFLOW overflow
  PERSISTENCE_ENABLED persistence.enabled
  REDIS_URL redis.url
  REDIS_CHANNEL redis.channel`,
);

const rag = group(
  "LLMSPELL_",
  "rag.",
  `
  RAG_ENABLED enabled
  RAG_MULTI_TENANT multi_tenant
  RAG_DIMENSIONS vector_storage.dimensions
  RAG_BACKEND vector_storage.backend
  RAG_PERSISTENCE_PATH vector_storage.persistence_path
  RAG_MAX_MEMORY_MB vector_storage.max_memory_mb
  HNSW_M vector_storage.hnsw.m
  HNSW_EF_CONSTRUCTION vector_storage.hnsw.ef_construction
  HNSW_EF_SEARCH vector_storage.hnsw.ef_search
  HNSW_MAX_ELEMENTS vector_storage.hnsw.max_elements
  HNSW_METRIC vector_storage.hnsw.metric
  EMBEDDING_PROVIDER embedding.default_provider
  EMBEDDING_MODEL embedding.model
  EMBEDDING_CACHE embedding.cache_enabled
  EMBEDDING_BATCH_SIZE embedding.batch_size
  DEBUG /debug.enabled
  DEBUG_LEVEL /debug.level
  DEBUG_PERFORMANCE /debug.performance.enabled`,
);

const kernel = group(
  "LLMSPELL_",
  "kernel.",
  `
  KERNEL_PORT port
  KERNEL_ID kernel_id
  CONNECTION_FILE connection_file
  HMAC_KEY hmac_key
  ENABLE_JUPYTER enable_jupyter
  ENABLE_DAP enable_dap
  ENABLE_LSP enable_lsp
  ENABLE_REPL enable_repl
  DAEMON /daemon.daemonize
  PID_FILE /daemon.pid_file
  WORKING_DIR /daemon.working_dir
  LOG_FILE /logging.log_file
  REPL_HISTORY /protocols.repl.history_file
  GRACEFUL_SHUTDOWN_TIMEOUT /shutdown.grace_period_secs
  HANDLE_SIGTERM /signals.handle_sigterm
  HANDLE_SIGINT /signals.handle_sigint
  HANDLE_SIGHUP /signals.handle_sighup
  HANDLE_SIGUSR1 /signals.handle_sigusr1
  HANDLE_SIGUSR2 /signals.handle_sigusr2`,
);

/** Variables without our prefix that the search, database and e-mail tools know by their own names. */
const services = group(
  "",
  "tools.",
  `
  BRAVE_API_KEY search.brave_api_key
  SERPAPI_API_KEY search.serpapi_api_key
  SERPERDEV_API_KEY search.serper_api_key
  TAVILY_API_KEY search.tavily_api_key
  WEBSEARCH_GOOGLE_API_KEY search.google_api_key
  WEBSEARCH_GOOGLE_SEARCH_ENGINE_ID search.google_search_engine_id
  WEBSEARCH_BRAVE_API_KEY search.brave_api_key
  WEBSEARCH_SERPAPI_API_KEY search.serpapi_api_key
  WEBSEARCH_SERPERDEV_API_KEY search.serper_api_key
  WEBSEARCH_DEFAULT_PROVIDER search.default_engine
  PUBMED_API_KEY academic.pubmed_api_key
  COREAC_API_KEY academic.core_api_key
  DATABASE_POSTGRESQL_URL database.postgresql_url
  DATABASE_MYSQL_URL database.mysql_url
  DATABASE_SQLITE_PATH database.sqlite_path
  DATABASE_ALLOW_DDL database.allow_ddl
  DATABASE_ALLOW_DML database.allow_dml
  DATABASE_MAX_ROWS database.max_rows
  EMAIL_SMTP_HOST email.smtp_host
  EMAIL_SMTP_PORT email.smtp_port
  EMAIL_SMTP_USERNAME email.smtp_username
  EMAIL_SMTP_PASSWORD email.smtp_password
  EMAIL_SENDGRID_API_KEY email.sendgrid_api_key
  EMAIL_SES_ACCESS_KEY_ID email.ses_access_key_id
  EMAIL_SES_SECRET_ACCESS_KEY email.ses_secret_access_key
  EMAIL_SES_REGION email.ses_region
  EMAIL_DEFAULT_SENDER email.from_address`,
);

/** Later entries win over earlier ones that set the same key: our own names over those of others. */
export const ENV_VARIABLES: readonly EnvVariable[] = [
  ...services,
  ...withChoices([...runtime, ...tools, ...events, ...rag, ...kernel], {
    LLMSPELL_DEFAULT_ENGINE: ENGINES,
    LLMSPELL_STATE_BACKEND: STATE_BACKENDS,
    LLMSPELL_SESSIONS_BACKEND: SESSION_BACKENDS,
    LLMSPELL_TOOLS_SEARCH_ENGINE: SEARCH_ENGINES,
  }),
];

/** Variables of ours that are read elsewhere, and families that documents name but nothing uses yet. */
export const OTHER_VARIABLES: readonly { name: string; doc: string }[] = [
  { name: "LLMSPELL_HOME", doc: "Data directory instead of `~/.llmspell`" },
  { name: "LLMSPELL_CONFIG", doc: "Configuration file, as `--config`" },
  { name: "LLMSPELL_PROFILE", doc: "Built-in profile, as `--profile`" },
  { name: "LLMSPELL_ENGINE", doc: "Script engine, as `--engine`" },
  {
    name: "LLMSPELL_KEYS_PASSPHRASE",
    doc: "Passphrase that seals stored API keys, in place of keychain and key file",
  },
  { name: "LLMSPELL_SERVE_TOKEN", doc: "Token that clients of `llmspell serve` must send" },
  {
    name: "LLMSPELL_KERNEL_TOKEN",
    doc: "Token for `--connect HOST:PORT` to a kernel whose connection file is on another machine",
  },
  {
    name: "LLMSPELL_STATE_KEY",
    doc: "Key of encrypted state: 32 bytes in base64 or hexadecimal",
  },
  {
    name: "DATABASE_URL",
    doc: "PostgreSQL database of state, where `runtime.state_persistence.database_url` is not set",
  },
  { name: "LLMSPELL_LOG", doc: "Log filter; wins over RUST_LOG and `--trace`" },
  { name: "RUST_LOG", doc: "Log filter; wins over `--trace`" },
  { name: "LOG_FORMAT", doc: "Form of log lines: `text` or `json`" },
  {
    name: "LLMSPELL_DEBUG_OUTPUT",
    doc: "Where debug output goes: a comma list of `stdout`, `colored`, `file:PATH`",
  },
  { name: "LLMSPELL_DEBUG_MODULES", doc: "Modules that write debug output: `+a,-b`" },
  { name: "HF_TOKEN", doc: "Token for the Hugging Face Hub (also HFHUB_API_KEY); sent to the Hub alone" },
  { name: "HF_ENDPOINT", doc: "Address of the Hugging Face Hub or a mirror, where the file names none" },
  {
    name: "HTTPS_PROXY",
    doc: "Proxy for downloads; also HTTP_PROXY, ALL_PROXY and the exceptions NO_PROXY, in small letters too",
  },
  {
    name: "OTEL_EXPORTER_OTLP_ENDPOINT",
    doc: "OpenTelemetry collector to which traces and metrics go (OTLP over HTTP, as JSON), for example `http://localhost:4318`; also OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and _METRICS_ENDPOINT, in full",
  },
  {
    name: "OTEL_EXPORTER_OTLP_HEADERS",
    doc: "Headers for the collector: `name=value,name=value`, percent-encoded; also _TRACES_HEADERS and _METRICS_HEADERS",
  },
  {
    name: "OTEL_SERVICE_NAME",
    doc: "Name under which traces and metrics appear; `llmspell` where it is not set. Further facts: OTEL_RESOURCE_ATTRIBUTES",
  },
  {
    name: "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
    doc: "`true` puts prompts, answers, arguments and results of tools, and error texts into traces",
  },
  { name: "OTEL_SDK_DISABLED", doc: "`true` exports nothing" },
  { name: "OTEL_TRACES_EXPORTER", doc: "`none` exports no traces; OTEL_METRICS_EXPORTER no metrics" },
  {
    name: "OTEL_EXPORTER_OTLP_TIMEOUT",
    doc: "Milliseconds for one request to the collector; 10000 where it is not set",
  },
  { name: "OTEL_EXPORTER_OTLP_COMPRESSION", doc: "`gzip` compresses what is sent to the collector" },
  {
    name: "TRACEPARENT",
    doc: "W3C Trace Context of the program that started this one: its trace is continued",
  },
  { name: "OLLAMA_BASE_URL", doc: "Address of the Ollama server where the file names none" },
  { name: "OLLAMA_HOST", doc: "The same, as Ollama itself reads it: host, or host and port" },
];
