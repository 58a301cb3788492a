import { describe, expect, test } from "bun:test";
import { PROFILES } from "../../../src/config/profiles.ts";
import { Place, valueAt } from "./fixture.ts";

const KEYS = { OPENAI_API_KEY: "o", ANTHROPIC_API_KEY: "a" };
const load = async (profile: string, env: Record<string, string> = KEYS) => {
  using place = new Place();
  return place.load({ profile, env });
};

const OPENAI = (default_model: string, max_tokens: number) => ({
  provider_type: "openai",
  default_model,
  max_tokens,
});
const ANTHROPIC = (default_model: string, max_tokens: number) => ({
  provider_type: "anthropic",
  default_model,
  max_tokens,
});
const CLOUD = { temperature: 0.7, timeout_seconds: 60 };

/** The contents that the specification of the profiles names. */
const CONTENTS: Record<string, Record<string, unknown>> = {
  minimal: { "engines.lua.stdlib": "Basic", "runtime.log_level": "warn", providers: {} },
  development: {
    "engines.lua.stdlib": "All",
    "providers.default_provider": "openai",
    "providers.openai": { ...OPENAI("gpt-4", 4000), ...CLOUD, api_key_env: "OPENAI_API_KEY" },
    "providers.anthropic": {
      ...ANTHROPIC("claude-3-5-sonnet-20241022", 4000),
      ...CLOUD,
      api_key_env: "ANTHROPIC_API_KEY",
    },
    "runtime.log_level": "debug",
  },
  providers: {
    "providers.openai": { ...OPENAI("gpt-3.5-turbo", 2000), ...CLOUD },
    "providers.anthropic": { ...ANTHROPIC("claude-3-haiku-20240307", 2000), ...CLOUD },
    "runtime.log_level": "info",
  },
  state: {
    "runtime.state_persistence": {
      enabled: true,
      backend_type: "memory",
      max_state_size_bytes: 10_000_000,
      migration_enabled: false,
      backup_enabled: false,
    },
  },
  sessions: {
    "runtime.sessions": {
      enabled: true,
      max_sessions: 100,
      max_artifacts_per_session: 1000,
      session_timeout_seconds: 3600,
      storage_backend: "memory",
    },
    hooks: { enabled: true, max_hooks: 100 },
    events: { enabled: true, buffer_size: 1000 },
  },
  ollama: {
    "providers.default_provider": "ollama",
    "providers.ollama": {
      provider_type: "ollama",
      base_url: "http://localhost:11434",
      timeout_seconds: 120,
      default_model: "llama3.1:8b",
      auto_start: true,
      health_check_interval_seconds: 60,
    },
  },
  llamacpp: {
    "providers.default_provider": "llamacpp",
    "providers.llamacpp": {
      provider_type: "llamacpp",
      timeout_seconds: 300,
      default_model: "llama3.1:8b-q4",
      device: "auto",
      max_concurrent: 1,
      default_quantization: "Q4_K_M",
      cpu_threads: 0,
      context_size: 4096,
      batch_size: 512,
      use_flash_attention: true,
    },
  },
  "rag-dev": {
    "providers.openai": OPENAI("gpt-3.5-turbo", 2000),
    "providers.anthropic": ANTHROPIC("claude-3-haiku-20240307", 2000),
    "rag.multi_tenant": false,
    "rag.vector_storage": {
      dimensions: 384,
      max_memory_mb: 512,
      hnsw: {
        m: 8,
        ef_construction: 50,
        ef_search: 25,
        max_elements: 10_000,
        num_threads: 2,
        allow_replace_deleted: true,
      },
    },
    "rag.embedding": {
      cache_enabled: false,
      cache_size: 100,
      cache_ttl_seconds: 60,
      batch_size: 4,
      timeout_seconds: 10,
      max_retries: 1,
    },
    "rag.chunking": {
      strategy: "sliding_window",
      chunk_size: 256,
      overlap: 32,
      max_chunk_size: 1024,
      min_chunk_size: 50,
    },
    "rag.cache": {
      search_cache_enabled: false,
      search_cache_size: 10,
      search_cache_ttl_seconds: 30,
      document_cache_enabled: false,
      document_cache_size_mb: 10,
    },
    "rag.debug": { enabled: true, log_all_operations: true, dump_directory: "./debug/rag" },
    "runtime.log_level": "debug",
  },
  "rag-prod": {
    "providers.openai": OPENAI("gpt-4", 4000),
    "providers.anthropic": ANTHROPIC("claude-3-5-sonnet-20241022", 4000),
    "rag.multi_tenant": true,
    "rag.vector_storage": {
      dimensions: 768,
      persistence_path: "/var/lib/llmspell/rag/vectors",
      max_memory_mb: 4096,
      hnsw: {
        m: 16,
        ef_construction: 200,
        ef_search: 50,
        max_elements: 5_000_000,
        num_threads: 4,
        allow_replace_deleted: true,
      },
    },
    "rag.embedding": {
      cache_enabled: true,
      cache_size: 20_000,
      cache_ttl_seconds: 1800,
      batch_size: 32,
      timeout_seconds: 45,
      max_retries: 3,
    },
    "rag.chunking": { chunk_size: 512, overlap: 64, max_chunk_size: 2048, min_chunk_size: 100 },
    "rag.cache": {
      search_cache_enabled: true,
      search_cache_size: 5000,
      search_cache_ttl_seconds: 600,
      document_cache_enabled: true,
      document_cache_size_mb: 256,
    },
    "rag.monitoring": { metrics_interval_seconds: 60, alert_errors_per_minute: 10 },
    "rag.security": {
      audit_file: "/var/log/llmspell/rag-audit.log",
      max_requests_per_user: 100,
      max_input_bytes: 102_400,
    },
    "rag.backup": { interval_hours: 24, retention_days: 30, directory: "/backup/llmspell/rag" },
    "runtime.log_level": "info",
  },
  "rag-perf": {
    "providers.openai": OPENAI("gpt-4", 4000),
    "rag.multi_tenant": false,
    "rag.vector_storage": {
      dimensions: 1536,
      persistence_path: "/mnt/fast-ssd/rag/vectors",
      max_memory_mb: 8192,
      hnsw: {
        m: 48,
        ef_construction: 500,
        ef_search: 200,
        max_elements: 50_000_000,
        num_threads: 16,
        allow_replace_deleted: false,
      },
    },
    "rag.embedding": {
      cache_enabled: true,
      cache_size: 100_000,
      cache_ttl_seconds: 86_400,
      batch_size: 128,
      timeout_seconds: 120,
      max_retries: 2,
    },
    "rag.chunking": { chunk_size: 1024, overlap: 256, max_chunk_size: 4096, min_chunk_size: 200 },
    "rag.cache": {
      search_cache_enabled: true,
      search_cache_size: 50_000,
      search_cache_ttl_seconds: 3600,
      document_cache_enabled: true,
      document_cache_size_mb: 2048,
    },
    "rag.performance": { metrics_interval_seconds: 60, slow_operation_ms: 100 },
    "runtime.log_level": "info",
  },
};

describe("the profile", () => {
  test.each(Object.entries(CONTENTS))("%s holds what the specification says", async (name, contents) => {
    const loaded = await load(name);
    expect(loaded.source).toBe(`profile ${name}`);
    expect(loaded.config.default_engine).toBe("lua");
    for (const [path, value] of Object.entries(contents)) {
      const found = valueAt(loaded, path);
      if (typeof value === "object") expect(found).toMatchObject(value as object);
      else expect(found).toBe(value);
    }
  });

  test.each(PROFILES.map(({ name }) => name))("%s has no unknown key and no other warning", async (name) => {
    expect((await load(name)).warnings).toEqual([]);
  });

  test.each([
    ["candle", "llamacpp"],
    ["rag-development", "rag-dev"],
    ["rag-production", "rag-prod"],
    ["rag-performance", "rag-perf"],
  ])("%s is %s", async (alias, name) => {
    expect((await load(alias)).config).toEqual((await load(name)).config);
  });

  test("development loads without keys, with one warning for each provider", async () => {
    const { warnings } = await load("development", {});
    expect(warnings.map(({ message }) => message)).toEqual([
      "Provider 'openai' is not configured: environment variable OPENAI_API_KEY is not set",
      "Provider 'anthropic' is not configured: environment variable ANTHROPIC_API_KEY is not set",
    ]);
  });

  test("of an unknown name is an error that lists all by group and offers the nearest", async () => {
    await expect(load("rag-pro")).rejects.toMatchObject({
      code: "config",
      message:
        "Unknown builtin profile 'rag-pro'. Core: minimal, development; Common Workflows: providers, state, sessions; " +
        "Local LLM: ollama, llamacpp, candle; RAG: rag-dev, rag-development, rag-prod, rag-production, rag-perf, rag-performance",
      hint: expect.stringContaining('"rag-prod"'),
    });
  });
});
