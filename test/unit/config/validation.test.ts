import { describe, expect, test } from "bun:test";
import { messages, Place } from "./fixture.ts";

const failure = async (toml: string) => {
  using place = new Place();
  return place.failure(toml);
};
const load = async (toml: string) => {
  using place = new Place();
  return place.toml(toml);
};
/** `a.b.c = v` as a table with a key. */
const keyAs = (path: string, value: string) => {
  const cut = path.lastIndexOf(".");
  return cut === -1 ? `${path} = ${value}` : `[${path.slice(0, cut)}]\n${path.slice(cut + 1)} = ${value}`;
};

describe("a value of zero is refused for", () => {
  test.each([
    "engines.lua.max_memory_bytes",
    "engines.lua.timeout_ms",
    "engines.javascript.max_heap_size_bytes",
    "engines.javascript.timeout_ms",
    "tools.file_operations.max_file_size",
    "tools.file_operations.max_depth",
    "tools.web_search.rate_limit_per_minute",
    "tools.web_search.max_results",
    "tools.web_search.timeout_seconds",
    "tools.http_request.max_request_size",
    "tools.http_request.timeout_seconds",
    "runtime.max_concurrent_scripts",
    "runtime.script_timeout_seconds",
    "runtime.security.max_memory_bytes",
    "runtime.security.max_execution_time_ms",
    "runtime.state_persistence.max_state_size_bytes",
    "runtime.state_persistence.backup.max_backups",
    "runtime.sessions.max_sessions",
    "runtime.sessions.max_artifacts_per_session",
    "runtime.sessions.session_timeout_seconds",
    "events.buffer_size",
    "events.max_events_per_second",
  ])("%s", async (path) => {
    expect(await failure(keyAs(path, "0"))).toStartWith(
      `Configuration validation failed in field '${path}': must be greater than 0: 0 (`,
    );
  });

  test.each(["timeout_seconds = 0", "max_tokens = 0", "rate_limit = { requests_per_minute = 0 }"])(
    "a provider's %s",
    async (line) => {
      const field = `providers.p.${line.startsWith("rate") ? "rate_limit.requests_per_minute" : line.split(" ")[0]}`;
      expect(await failure(`[providers.p]\nprovider_type = "openai"\n${line}`)).toStartWith(
        `Configuration validation failed in field '${field}': must be greater than 0`,
      );
    },
  );
});

describe("a configuration is refused, by field and reason, when", () => {
  test.each([
    ["the default engine is empty", 'default_engine = ""', "default_engine", "must not be empty"],
    [
      "the default engine is not configured",
      'default_engine = "luna"',
      "default_engine",
      '"luna". Did you mean "lua"?',
    ],
    [
      "a pattern of secrets is no expression",
      '[runtime.state_persistence.redaction]\npatterns = ["ok", "(" ]',
      "runtime.state_persistence.redaction.patterns[1]",
      "Cannot compile regular expression",
    ],
    [
      "the time of daily backups is none",
      '[runtime.state_persistence.backup.schedule]\ndaily_time = "24:00"',
      "runtime.state_persistence.backup.schedule.daily_time",
      'must be a time such as 03:30: "24:00"',
    ],
    [
      "a day of backups is none",
      '[runtime.state_persistence.backup.schedule]\nweekly_days = ["Monday", "Fryday"]',
      "runtime.state_persistence.backup.schedule.weekly_days",
      'names no day: "Fryday". Days are monday,',
    ],
    [
      "the default provider does not exist",
      '[providers]\ndefault_provider = "opnai"\n[providers.openai]\nprovider_type = "openai"',
      "providers.default_provider",
      'names no provider: "opnai". Did you mean "openai"?',
    ],
    [
      "a provider type is empty",
      '[providers.p]\nprovider_type = ""',
      "providers.p.provider_type",
      "must not be empty",
    ],
    [
      "a provider type is missing",
      "[providers.p]\nenabled = true",
      "providers.p.provider_type",
      "is required",
    ],
    [
      "a backoff multiplier is not positive",
      '[providers.p]\nprovider_type = "openai"\nretry = { backoff_multiplier = 0.0 }',
      "providers.p.retry.backoff_multiplier",
      "must be greater than 0: 0",
    ],
    [
      "no path is allowed",
      keyAs("tools.file_operations.allowed_paths", "[]"),
      "tools.file_operations.allowed_paths",
      "must not be empty",
    ],
    [
      "a compression level is above 9",
      keyAs("runtime.state_persistence.backup.compression_level", "10"),
      "runtime.state_persistence.backup.compression_level",
      "must be between 1 and 9: 10",
    ],
    [
      "a compression level is 0",
      keyAs("runtime.state_persistence.backup.compression_level", "0"),
      "runtime.state_persistence.backup.compression_level",
      "must be between 1 and 9: 0",
    ],
    [
      "an event type is both included and excluded",
      '[events.filtering]\ninclude_types = ["a.*"]\nexclude_types = ["a.*"]',
      "events.filtering",
      '"a.*"',
    ],
    [
      "a component is both included and excluded",
      '[events.filtering]\ninclude_components = "x"\nexclude_components = "x"',
      "events.filtering",
      '"x"',
    ],
    [
      "the export file is empty",
      keyAs("events.export.file", '""'),
      "events.export.file",
      "must not be empty",
    ],
    [
      "the webhook is empty",
      keyAs("events.export.webhook", '""'),
      "events.export.webhook",
      "must not be empty",
    ],
    [
      "the webhook is no web address",
      keyAs("events.export.webhook", '"file:///etc/passwd"'),
      "events.export.webhook",
      "must be an http or https URL",
    ],
    [
      "a number is negative",
      keyAs("events.buffer_size", "-1"),
      "events.buffer_size",
      "must be greater than 0: -1",
    ],
    [
      "a port is too large",
      keyAs("kernel.port", "65536"),
      "kernel.port",
      "must be between 0 and 65535: 65536",
    ],
    ["a word is unknown", keyAs("debug.level", '"loud"'), "debug.level", "must be one of off, error"],
    [
      "a text stands for a number",
      keyAs("kernel.port", '"x"'),
      "kernel.port",
      'expected an integer, got "x"',
    ],
    [
      "a fraction stands for an integer",
      keyAs("kernel.port", "1.5"),
      "kernel.port",
      "expected an integer, got 1.5",
    ],
    ["a number stands for a boolean", keyAs("rag.enabled", "1"), "rag.enabled", "expected a boolean"],
    [
      "a list holds a number",
      keyAs("tools.file_operations.allowed_paths", '["/tmp", 3]'),
      "tools.file_operations.allowed_paths",
      "expected a list of texts, got 3",
    ],
    ["a key stands for a table", "runtime = 3", "runtime", "expected a table, got 3"],
  ])("%s", async (_, toml, field, reason) => {
    const message = await failure(toml);
    expect(message).toStartWith(`Configuration validation failed in field '${field}': `);
    expect(message).toContain(reason);
  });

  test.each([
    ["m", "m = 1", "must be between 2 and 100: 1"],
    ["m", "m = 101\nef_construction = 200", "must be between 2 and 100: 101"],
    ["ef_construction", "m = 16\nef_construction = 15", "must be at least m (16): 15"],
    ["ef_search", "ef_search = 0", "must be greater than 0"],
    ["max_elements", "max_elements = 0", "must be greater than 0"],
    ["nb_layers", "nb_layers = 65", "must be between 1 and 64: 65"],
  ])("retrieval is on and the index has a wrong %s", async (key, lines, reason) => {
    const hnsw = `[rag.vector_storage.hnsw]\n${lines}`;
    expect(await failure(`[rag]\nenabled = true\n${hnsw}`)).toContain(
      `'rag.vector_storage.hnsw.${key}': ${reason}`,
    );
    expect((await load(hnsw)).config.rag.enabled).toBe(false);
  });
});

describe("error texts", () => {
  test("name file and line of a wrong value, also of one in a list over several lines", async () => {
    expect(await failure('# comment\n[kernel]\nip = "x"\nport = 70000\n')).toEndWith("/named.toml:4)");
    expect(await failure('[tools.file_operations]\nallowed_paths = [\n  "/tmp",\n  7,\n]\n')).toEndWith(
      "/named.toml:2)",
    );
  });

  test("name file, line and column of a syntax error", async () => {
    const message = await failure('default_engine = "lua"\n[kernel\nport = 1\n');
    expect(message).toStartWith("Configuration error: invalid TOML: ");
    expect(message).toMatch(/named\.toml:2:\d+$/);
  });

  test("never show a secret", async () => {
    const wrong = await failure('[providers.p]\nprovider_type = "openai"\napi_key = 1234567890123\n');
    expect(wrong).toContain("providers.p.api_key': expected a text, got a number");
    expect(wrong).not.toContain("1234567890123");
    expect(await failure('[providers.p]\napi_key = "sk-hidden\n')).not.toContain("sk-hidden");
  });

  test("list every problem in the error's data", async () => {
    using place = new Place();
    const loading = place.toml('[kernel]\nport = "x"\nmax_clients = 0\n');
    await expect(loading).rejects.toMatchObject({
      code: "config",
      data: { problems: [{ path: "kernel.port" }, { path: "kernel.max_clients" }] },
    });
  });
});

describe("a warning, and no error, is given for", () => {
  test.each([
    [
      "an engine's memory above 1 GB",
      keyAs("engines.lua.max_memory_bytes", "1_000_000_001"),
      "engines.lua.max_memory_bytes",
    ],
    [
      "script memory above 2 GB",
      keyAs("runtime.security.max_memory_bytes", "2_000_000_001"),
      "runtime.security.max_memory_bytes",
    ],
    [
      "an engine's time above 5 minutes",
      keyAs("engines.lua.timeout_ms", "300_001"),
      "engines.lua.timeout_ms",
    ],
    [
      "files above 1 GB",
      keyAs("tools.file_operations.max_file_size", "1_000_000_001"),
      "tools.file_operations.max_file_size",
    ],
    ["a depth above 50", keyAs("tools.file_operations.max_depth", "51"), "tools.file_operations.max_depth"],
    ["more than 100 results", keyAs("tools.web_search.max_results", "101"), "tools.web_search.max_results"],
    [
      "more than 100 scripts",
      keyAs("runtime.max_concurrent_scripts", "101"),
      "runtime.max_concurrent_scripts",
    ],
    [
      "scripts of more than an hour",
      keyAs("runtime.script_timeout_seconds", "3601"),
      "runtime.script_timeout_seconds",
    ],
    [
      "state values above 100 MB",
      keyAs("runtime.state_persistence.max_state_size_bytes", "100_000_001"),
      "runtime.state_persistence.max_state_size_bytes",
    ],
    ["an event buffer above a million", keyAs("events.buffer_size", "1_000_001"), "events.buffer_size"],
    [
      "more than 100 000 events a second",
      keyAs("events.max_events_per_second", "100_001"),
      "events.max_events_per_second",
    ],
    [
      "an unencrypted webhook",
      keyAs("events.export.webhook", '"http://example.com/x"'),
      "events.export.webhook",
    ],
    [
      "an export file in a missing directory",
      keyAs("events.export.file", '"/no/such/dir/x"'),
      "events.export.file",
    ],
    [
      "process spawning",
      keyAs("runtime.security.allow_process_spawn", "true"),
      "runtime.security.allow_process_spawn",
    ],
    [
      "the process tool",
      keyAs("tools.system.allow_process_execution", "true"),
      "tools.system.allow_process_execution",
    ],
    [
      "access to all files",
      keyAs("tools.file_operations.allowed_paths", '["*"]'),
      "tools.file_operations.allowed_paths",
    ],
    [
      "access to system files",
      keyAs("tools.file_operations.allowed_paths", '["/etc/ssl"]'),
      "tools.file_operations.allowed_paths",
    ],
    [
      "an allowed path that is missing",
      keyAs("tools.file_operations.allowed_paths", '["/no/such"]'),
      "tools.file_operations.allowed_paths",
    ],
    [
      "web search open to all",
      keyAs("tools.web_search.allowed_domains", '["*"]'),
      "tools.web_search.blocked_domains",
    ],
    [
      "HTTP open to this machine",
      keyAs("tools.http_request.blocked_hosts", "[]"),
      "tools.http_request.blocked_hosts",
    ],
    [
      "a provider without a key",
      '[providers.p]\nprovider_type = "openai"\napi_key_env = "UNSET_KEY"',
      "providers.p",
    ],
    [
      "a provider's time above 600 s",
      '[providers.p]\nprovider_type = "ollama"\ntimeout_seconds = 601',
      "providers.p.timeout_seconds",
    ],
    [
      "more than 10 attempts",
      '[providers.p]\nprovider_type = "ollama"\nmax_retries = 11',
      "providers.p.max_retries",
    ],
    ["an unknown provider type", '[providers.p]\nprovider_type = "opnai"', "providers.p.provider_type"],
    [
      "an unknown state backend",
      keyAs("runtime.state_persistence.backend_type", '"redis"'),
      "runtime.state_persistence.backend_type",
    ],
  ])("%s", async (_, toml, path) => {
    expect((await load(toml)).warnings.map((warning) => warning.path)).toEqual([path]);
  });

  test("a local webhook and a keyless provider at an address of its own give none", async () => {
    const toml = `[events.export]\nwebhook = "http://localhost:1/x"\n[providers.p]\nprovider_type = "openai"\nbase_url = "http://localhost:1"`;
    expect(messages(await load(toml))).toEqual([]);
  });

  test("the defaults give none", async () => {
    using place = new Place();
    expect(messages(await place.load())).toEqual([]);
  });
});

describe("unknown keys", () => {
  test("are ignored, with the nearest known key", async () => {
    const loaded = await load("[runtime]\nmax_concurent_scripts = 3\n[telemetry]\nx = 1\n");
    expect(loaded.config.runtime.max_concurrent_scripts).toBe(10);
    expect(messages(loaded)).toEqual([
      'Unknown key runtime.max_concurent_scripts is ignored. Did you mean "max_concurrent_scripts"?',
      "Unknown key telemetry is ignored",
    ]);
  });

  test("of providers, tools and engines are kept", async () => {
    const { config } = await load(
      '[providers.p]\nprovider_type = "test"\nanswers = ["a", { b = 1 }]\n[tools.mine]\nx = 1\n[engines.fennel]\ny = 2\n',
    );
    expect(config.providers.p).toMatchObject({ answers: ["a", { b: 1 }] });
    expect(config.tools.mine).toEqual({ x: 1 });
    expect(config.engines.fennel).toEqual({ y: 2 });
  });

  test("named __proto__ change no prototype", async () => {
    const { config } = await load(
      '[tools.mine]\n__proto__ = { polluted = true }\n["__proto__"]\npolluted = true\n',
    );
    expect((config as unknown as { polluted?: boolean }).polluted).toBeUndefined();
    expect((config.tools.mine as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
