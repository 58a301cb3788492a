import {
  anything,
  choice,
  flag,
  integer,
  list,
  NOT_LOWERED,
  NOT_RAISED,
  number,
  PATH,
  POSITIVE,
  SECRET,
  section,
  TRUSTED,
  table,
  text,
  unset,
} from "../fields.ts";

const ALLOWED_COMMANDS =
  "echo cat ls pwd whoami date uname which test head tail wc grep find sort uniq".split(" ");
const BLOCKED_COMMANDS =
  "rm rmdir mv cp chmod chown sudo su passwd ssh scp curl wget nc netcat nmap dd mkfs fdisk mount umount systemctl service kill killall pkill".split(
    " ",
  );
const PASSED_VARIABLES = "PATH HOME USER SHELL TERM LANG LC_ALL TZ".split(" ");

const FileOperations = section("Tools that read or write files.", {
  enabled: flag(true, "Offer file tools"),
  allowed_paths: list(["/tmp"], "Directories below which tools may work; `*`: everywhere", {
    ...NOT_RAISED,
    "x-path": true,
  }),
  max_file_size: integer(50_000_000, "Largest file, in bytes", { ...POSITIVE, ...NOT_RAISED }),
  atomic_writes: flag(true, "Write to a temporary file and rename it"),
  max_depth: integer(10, "Directory levels below an allowed path that tools may reach", {
    ...POSITIVE,
    ...NOT_RAISED,
  }),
  allowed_extensions: list([], "File name endings allowed; none: all"),
  blocked_extensions: list(["exe", "dll", "so", "dylib"], "File name endings refused", NOT_LOWERED),
  validate_file_types: flag(true, "Refuse files whose content does not fit their ending", NOT_LOWERED),
  follow_symlinks: flag(
    false,
    "Let links lead from one allowed path into another; outside all of them never",
    NOT_RAISED,
  ),
});

const WebSearch = section("The web search tool.", {
  enabled: flag(true, "Offer web search"),
  rate_limit_per_minute: integer(30, "Searches a minute", POSITIVE),
  allowed_domains: list(["*"], "Domains whose results are kept: exact, `*.example.com` or `*`", TRUSTED),
  blocked_domains: list([], "Domains whose results are dropped", NOT_LOWERED),
  max_results: integer(10, "Results of one search", POSITIVE),
  timeout_seconds: integer(30, "Time for one search, in seconds", POSITIVE),
  user_agent: text("llmspell-web-search/1.0", "User-Agent header"),
});

const HttpRequest = section("Tools that send HTTP requests.", {
  enabled: flag(true, "Offer HTTP tools"),
  allowed_hosts: list(["*"], "Hosts allowed: exact, `*.example.com`, `*`, or a CIDR block", TRUSTED),
  blocked_hosts: list(["localhost", "127.0.0.1", "0.0.0.0"], "Hosts refused; looked at first", NOT_LOWERED),
  max_request_size: integer(10_000_000, "Largest request and answer, in bytes", POSITIVE),
  timeout_seconds: integer(30, "Time for one request, in seconds", POSITIVE),
  max_redirects: integer(5, "Redirects followed"),
  verify_ssl: flag(true, "Check certificates", NOT_LOWERED),
  default_headers: table(
    text("", "Value of the header"),
    "Headers sent with every request",
    { "User-Agent": "llmspell-http/1.0" },
    TRUSTED,
  ),
});

const System = section("The process and system tools.", {
  enabled: flag(true, "Offer system tools"),
  allow_process_execution: flag(false, "Let the process tool run programs", NOT_RAISED),
  allowed_commands: list(
    ALLOWED_COMMANDS,
    "Programs it may run; a name given here is taken off the block list",
    NOT_RAISED,
  ),
  blocked_commands: list(BLOCKED_COMMANDS, "Programs it never runs", NOT_LOWERED),
  max_output_size: integer(1_048_576, "Output kept of one program, in bytes"),
  command_timeout_seconds: integer(30, "Time for one program, in seconds", POSITIVE),
  allowed_env_vars: list(
    PASSED_VARIABLES,
    "Environment variables tools may read and programs get",
    NOT_RAISED,
  ),
  working_directory: unset.text("Directory programs start in", PATH),
});

const Search = section("Search services and their keys.", {
  default_engine: text("duckduckgo", "Service used when the call names none"),
  max_results: integer(10, "Results of one search", POSITIVE),
  safe_search: flag(true, "Ask the service to leave out adult content"),
  timeout_seconds: integer(30, "Time for one search, in seconds", POSITIVE),
  api_key: unset.text("Key of the default service", SECRET),
  google_api_key: unset.text("Key for Google", SECRET),
  google_search_engine_id: unset.text("Search engine id for Google", TRUSTED),
  brave_api_key: unset.text("Key for Brave", SECRET),
  serpapi_api_key: unset.text("Key for SerpAPI", SECRET),
  serper_api_key: unset.text("Key for Serper", SECRET),
  tavily_api_key: unset.text("Key for Tavily", SECRET),
});

const Database = section("The database tool.", {
  connection_timeout_seconds: integer(10, "Time to connect, in seconds"),
  max_connections: integer(10, "Connections kept"),
  allowed_hosts: list(["localhost", "127.0.0.1"], "Hosts it may connect to", NOT_RAISED),
  query_timeout_seconds: integer(30, "Time for one query, in seconds"),
  enable_query_logging: flag(false, "Log queries"),
  postgresql_url: unset.text("PostgreSQL connection URL", SECRET),
  mysql_url: unset.text("MySQL connection URL", SECRET),
  sqlite_path: unset.text("SQLite file", PATH),
  allow_ddl: flag(false, "Allow statements that change the schema", NOT_RAISED),
  allow_dml: flag(false, "Allow statements that change rows", NOT_RAISED),
  max_rows: integer(1000, "Rows of one result", POSITIVE),
});

const Email = section("The e-mail tool.", {
  smtp_host: unset.text("Mail server", TRUSTED),
  smtp_port: integer(587, "Port of the mail server", { minimum: 0, maximum: 65_535 }),
  smtp_username: unset.text("User name", TRUSTED),
  smtp_password: unset.text("Password", SECRET),
  from_address: unset.text("Sender", TRUSTED),
  rate_limit_per_minute: integer(2, "Messages a minute", NOT_RAISED),
  enable_tls: flag(true, "Encrypt the connection", NOT_LOWERED),
  sendgrid_api_key: unset.text("Key for SendGrid", SECRET),
  ses_access_key_id: unset.text("Access key id for Amazon SES", SECRET),
  ses_secret_access_key: unset.text("Secret access key for Amazon SES", SECRET),
  ses_region: unset.text("Region for Amazon SES", TRUSTED),
});

export const Tools = section(
  "Tools. Tables not listed here are kept as they are for tools of your own.",
  {
    enabled: flag(true, "Offer tools at all"),
    rate_limit_per_minute: unset.integer("Tool calls a minute; no limit when absent"),
    permissions: table(
      choice(["safe", "restricted", "privileged"], "restricted", "Level"),
      'Highest security level granted to single tools: `"name" = "safe|restricted|privileged"`',
      {},
      TRUSTED,
    ),
    timeouts: table(
      number(30, "Seconds", { exclusiveMinimum: 0 }),
      "Time for one call in seconds: `default` and single tools by name",
    ),
    file_operations: FileOperations,
    web_search: WebSearch,
    http_request: HttpRequest,
    network: section("Network use of all tools.", {
      timeout_seconds: integer(30, "Time for one connection, in seconds", POSITIVE),
      max_retries: integer(3, "Attempts after a failed connection"),
      verify_ssl: flag(true, "Check certificates", NOT_LOWERED),
      allowed_domains: list(["*"], "Domains tools may reach", TRUSTED),
    }),
    web_tools: section("Tools that fetch pages.", {
      user_agent: text("llmspell-web/1.0", "User-Agent header"),
      allowed_domains: list(["*"], "Domains they may fetch from", TRUSTED),
      blocked_domains: list([], "Domains they may not fetch from", NOT_LOWERED),
      max_redirects: integer(5, "Redirects followed"),
      scraping_delay_ms: integer(1000, "Wait between two fetches from one host, in milliseconds"),
    }),
    media: section("Image, audio and video tools.", {
      max_file_size: integer(524_288_000, "Largest file, in bytes", POSITIVE),
      processing_timeout_seconds: integer(300, "Time for one file, in seconds", POSITIVE),
      image_max_dimensions: text("4096x4096", "Largest image, in pixels: WIDTHxHEIGHT"),
      video_quality: unset.integer("Quality of written video, 0 to 100", { maximum: 100 }),
      audio_sample_rate: unset.integer("Sample rate of written audio, in hertz"),
    }),
    database: Database,
    email: Email,
    system: System,
    data: section("Tools for tables, JSON and XML.", {
      max_csv_size: integer(104_857_600, "Largest CSV text, in bytes"),
      max_json_depth: integer(100, "Deepest nesting of JSON"),
      max_xml_size: integer(104_857_600, "Largest XML text, in bytes"),
      enable_validation: flag(true, "Check data against its schema"),
      processing_timeout_seconds: integer(30, "Time for one call, in seconds"),
    }),
    academic: section("Citation tools.", {
      citation_api_key: unset.text("Key of the citation service", SECRET),
      pubmed_api_key: unset.text("Key for PubMed", SECRET),
      core_api_key: unset.text("Key for CORE", SECRET),
      max_references: integer(1000, "References of one document"),
      default_citation_style: text("apa", "Style when the call names none"),
      enable_doi_resolution: flag(true, "Look up DOIs"),
    }),
    document: section("Document tools.", {
      max_pdf_size: integer(52_428_800, "Largest PDF, in bytes"),
      extract_images: flag(false, "Extract images too"),
      enable_ocr: flag(false, "Recognise text in images"),
      max_pages: unset.integer("Pages read of one document"),
      extract_metadata: flag(true, "Extract metadata too"),
    }),
    search: Search,
  },
  anything("Settings of a custom tool, kept as they are", { ...TRUSTED, "x-expand": true }),
);
