import { describe, expect, test } from "bun:test";
import { messages, Place, valueAt } from "./fixture.ts";

const load = async (toml: string, env: Record<string, string> = {}) => {
  using place = new Place();
  return place.toml(toml, env);
};

describe("lists", () => {
  test.each(['["a.example", "b.example"]', '"a.example, b.example"', '"a.example,b.example,"'])(
    "may be written as %s",
    async (value) => {
      const { config } = await load(`[tools.web_tools]\nallowed_domains = ${value}`);
      expect(config.tools.web_tools.allowed_domains).toEqual(["a.example", "b.example"]);
    },
  );
});

describe("other spellings of keys and words", () => {
  test.each([
    ['[engines.lua]\nstdlib = "standard"', "engines.lua.stdlib", "Standard"],
    ['[engines.lua]\nsecurity_level = "SAFE"', "engines.lua.security_level", "Safe"],
    ["[runtime.hooks]\nenabled = true", "hooks.enabled", true],
    ["[runtime.hooks]\nmax_hooks = 5", "hooks.max_hooks", 5],
    ["[kernel.health]\nmax_connections = 5", "health.max_connections", 5],
    ["[logging.rotation]\nmax_files = 9", "log_rotation.max_files", 9],
    ["[signals]\ngraceful_shutdown_timeout = 9", "shutdown.grace_period_secs", 9],
    ["[debug]\nenable_dap = true\ndap_port = 9000", "protocols.dap.port", 9000],
    ['[kernel]\ntransport = "ipc"', "kernel.transport.scheme", "ipc"],
    ["[kernel.transport.zeromq]\nshell_port = 5", "kernel.transport.zeromq.shell_port", 5],
    ['[debug.output.file]\npath = "x"\nmax_size = "100MB"', "debug.output.file.max_size", 104_857_600],
    [
      '[runtime.state_persistence]\nbackend_type = "sled"',
      "runtime.state_persistence.backend_type",
      "sqlite",
    ],
    [
      '[runtime.state_persistence]\nbackend_type = "rocksdb"',
      "runtime.state_persistence.backend_type",
      "sqlite",
    ],
    ['[runtime.sessions]\nstorage_backend = "sled"', "runtime.sessions.storage_backend", "sqlite"],
    [
      '[runtime.state_persistence.backup]\ncompression_type = "gzip"',
      "runtime.state_persistence.backup.compression_type",
      "zstd",
    ],
    ['[rag.vector_storage.hnsw]\nmetric = "inner_product"', "rag.vector_storage.hnsw.metric", "innerproduct"],
    [
      "[tools.network]\ntimeout_seconds = 5",
      "tools.network",
      { timeout_seconds: 5, max_retries: 3, verify_ssl: true, allowed_domains: ["*"] },
    ],
  ] as const)("%j", async (toml, path, expected) => {
    const loaded = await load(toml);
    expect(valueAt(loaded, path)).toEqual(expected as never);
    expect(messages(loaded)).toEqual([]);
  });

  test("the place the schema knows wins over the other", async () => {
    const { config } = await load("[hooks]\nenabled = false\n[runtime.hooks]\nenabled = true\nmax_hooks = 7");
    expect(config.hooks).toMatchObject({ enabled: false, max_hooks: 7 });
  });
});

describe("provider tables", () => {
  test("`model` means `default_model`, `candle` means `llamacpp`", async () => {
    const { config } = await load('[providers.p]\nprovider_type = "candle"\nmodel = "m"');
    expect(config.providers.p).toMatchObject({ provider_type: "llamacpp", default_model: "m", name: "p" });
  });

  test("a table named after a type needs no provider_type", async () => {
    const { config } = await load("[providers.candle]\ncontext_size = 9");
    expect(config.providers.candle).toMatchObject({
      provider_type: "llamacpp",
      context_size: 9,
      batch_size: 512,
    });
  });

  test("[providers.providers.NAME] is [providers.NAME]", async () => {
    const { config } = await load('[providers.providers.work]\nprovider_type = "ollama"');
    expect(config.providers).toEqual({
      work: { provider_type: "ollama", enabled: true, name: "work", base_url: "http://localhost:11434" },
    });
  });

  test("the compound [providers.local] becomes one provider for each backend", async () => {
    const { config } = await load(`
[providers]
default_provider = "local"
[providers.local]
default_backend = "candle"
default_model = "shared"
ollama_host = "http://box:11434"
[providers.local.candle]
device = "cpu"
`);
    expect(config.providers.default_provider).toBe("llamacpp");
    expect(config.providers.ollama).toMatchObject({ provider_type: "ollama", base_url: "http://box:11434" });
    expect(config.providers.llamacpp).toMatchObject({
      provider_type: "llamacpp",
      device: "cpu",
      default_model: "shared",
    });
    expect(config.providers.local).toBeUndefined();
  });

  test("[providers.local] with a provider_type is an ordinary provider, as in the specification's example", async () => {
    const { config } = await load(`
default_engine = "lua"
[providers]
default_provider = "local"
[providers.local]
provider_type = "llamacpp"
default_model = "llama3.1:8b-q4"
[runtime.security]
allow_file_access = true
[tools.file_operations]
allowed_paths = ["/tmp", "/workspace"]
[runtime.sessions]
enabled = true
`);
    expect(config.providers.local).toMatchObject({
      provider_type: "llamacpp",
      default_model: "llama3.1:8b-q4",
    });
    expect(config.tools.file_operations.allowed_paths).toEqual(["/tmp", "/workspace"]);
    expect(config.runtime.sessions).toMatchObject({ enabled: true, max_sessions: 100 });
  });
});

describe("expansion", () => {
  test(`of \${VAR} and ~ in paths, keys and provider options`, async () => {
    using place = new Place();
    const { config } = await place.toml(
      `[providers.p]
provider_type = "openai"
api_key = "\${MY_KEY}"
organization_id = "org-\${MY_ID}"
model_directory = "~/models"
[events.export]
file = "\${HOME}/events.jsonl"
[tools.file_operations]
allowed_paths = ["~/work", "/tmp"]
`,
      { MY_KEY: "k", MY_ID: "7" },
    );
    expect(config.providers.p).toMatchObject({
      api_key: "k",
      organization_id: "org-7",
      model_directory: `${place.home}/models`,
    });
    expect(config.events.export.file).toBe(`${place.home}/events.jsonl`);
    expect(config.tools.file_operations.allowed_paths).toEqual([`${place.home}/work`, "/tmp"]);
  });

  test("a variable that is not set is empty, with a warning", async () => {
    const loaded = await load(`[logging]\nlog_file = "/var/log/\${NOWHERE}x.log"`);
    expect(loaded.config.logging.log_file).toBe("/var/log/x.log");
    expect(messages(loaded)).toEqual(["Environment variable NOWHERE is not set; it counts as empty"]);
  });

  test("scripted answers of a test provider are left alone", async () => {
    const { config, warnings } = await load(
      `[providers.p]\nprovider_type = "test"\nresponses = ["costs \${PRICE}", { text = "~" }]`,
    );
    expect(config.providers.p).toMatchObject({ responses: [`costs \${PRICE}`, { text: "~" }] });
    expect(warnings).toEqual([]);
  });

  test("other texts and values from the environment are left alone", async () => {
    const { config } = await load(`[protocols.repl]\nprompt = "\${X}~ "`, { OPENAI_API_KEY: `a\${X}b` });
    expect(config.protocols.repl.prompt).toBe(`\${X}~ `);
    expect(config.providers.openai).toMatchObject({ api_key: `a\${X}b` });
  });
});
