/** Other spellings that files may use, turned into the one spelling the schema knows. */
import type { LayerSink } from "./layer.ts";
import { providerType } from "./provider-types.ts";
import { deletePath, getPath, isTree, setPath, splitPath, type Tree } from "./tree.ts";

/** Keys that stand elsewhere in documents of the reference. A value at the place on the right wins. */
const MOVES: readonly (readonly [from: string, to: string])[] = [
  ["runtime.hooks.enabled", "hooks.enabled"],
  ["runtime.hooks.max_hooks", "hooks.max_hooks"],
  ["kernel.health", "health"],
  ["monitoring.health", "health"],
  ["logging.rotation", "log_rotation"],
  ["signals.graceful_shutdown_timeout", "shutdown.grace_period_secs"],
  ["signals.grace_period_secs", "shutdown.grace_period_secs"],
  ["signals.operation_timeout_secs", "shutdown.operation_timeout_secs"],
  ["signals.poll_interval_ms", "shutdown.poll_interval_ms"],
  ["signals.preserve_state", "shutdown.preserve_state"],
  ["signals.state_file", "shutdown.state_file"],
  ["signals.notify_clients", "shutdown.notify_clients"],
  ["debug.enable_dap", "protocols.dap.enabled"],
  ["debug.dap_port", "protocols.dap.port"],
  ["debug.wait_for_debugger", "protocols.dap.wait_for_client"],
  ["debug.break_on_entry", "protocols.dap.break_on_entry"],
  ["debug.break_on_error", "protocols.dap.break_on_error"],
];

/** Moves keys and provider tables to their place. */
export function moveSpellings(tree: Tree): void {
  for (const [from, to] of MOVES) move(tree, splitPath(from), splitPath(to));
  const scheme = getPath(tree, ["kernel", "transport"]);
  if (typeof scheme === "string") setPath(tree, ["kernel", "transport"], { scheme });
  if (isTree(tree.providers)) moveProviders(tree.providers);
}

function move(tree: Tree, from: readonly string[], to: readonly string[]): void {
  const value = getPath(tree, from);
  if (value === undefined) return;
  const present = getPath(tree, to);
  deletePath(tree, from);
  if (present === undefined) setPath(tree, to, value);
  else if (isTree(value) && isTree(present)) setPath(tree, to, { ...value, ...present });
  const parent = getPath(tree, from.slice(0, -1));
  if (from.length > 1 && isTree(parent) && Object.keys(parent).length === 0)
    deletePath(tree, from.slice(0, -1));
}

/** Other names of a provider's keys. */
const PROVIDER_KEYS = [
  ["model", "default_model"],
  ["timeout", "timeout_seconds"],
] as const;

/** `[providers.providers.NAME]`, the compound `[providers.local]`, and other names of a provider's keys. */
function moveProviders(providers: Tree): void {
  if (isTree(providers.providers) && !("provider_type" in providers.providers)) {
    const nested = providers.providers;
    delete providers.providers;
    for (const [name, provider] of Object.entries(nested)) providers[name] ??= provider;
  }
  if (isTree(providers.local) && !("provider_type" in providers.local))
    expandLocal(providers, providers.local);
  for (const [name, provider] of Object.entries(providers)) {
    if (!isTree(provider)) continue;
    if ((provider.provider_type ?? name) === "ollama") moveUrl(provider);
    for (const [alias, key] of PROVIDER_KEYS) {
      if (!(alias in provider)) continue;
      provider[key] ??= provider[alias];
      delete provider[alias];
    }
  }
}

/** `options.url` of an Ollama provider is its address. */
function moveUrl(provider: Tree): void {
  if (!isTree(provider.options) || typeof provider.options.url !== "string") return;
  const { url, ...options } = provider.options;
  provider.base_url ??= url;
  if (Object.keys(options).length === 0) delete provider.options;
  else provider.options = options;
}

const COMPOUND_KEYS = ["default_backend", "ollama_host", "ollama", "llamacpp", "candle"];

function expandLocal(providers: Tree, local: Tree): void {
  if (!COMPOUND_KEYS.some((key) => key in local)) {
    local.provider_type = "llamacpp";
    return;
  }
  const { default_backend, ollama_host, ollama, llamacpp, candle, ...shared } = local;
  const standard = backendName(default_backend);
  const of = (backend: string, own: Tree) => ({
    ...(backend === standard ? { ...shared, default_backend: standard } : {}),
    provider_type: backend,
    ...own,
    ...(isTree(providers[backend]) ? providers[backend] : {}),
  });
  delete providers.local;
  if (ollama !== undefined || ollama_host !== undefined || standard === "ollama")
    providers.ollama = of("ollama", {
      ...(ollama_host === undefined ? {} : { base_url: ollama_host }),
      ...(isTree(ollama) ? ollama : {}),
    });
  if (llamacpp !== undefined || candle !== undefined || standard === "llamacpp")
    providers.llamacpp = of("llamacpp", {
      ...(isTree(candle) ? candle : {}),
      ...(isTree(llamacpp) ? llamacpp : {}),
    });
  if (providers.default_provider === undefined || providers.default_provider === "local") {
    const first = standard ?? (isTree(providers.llamacpp) ? "llamacpp" : "ollama");
    providers.default_provider = first;
  }
}

function backendName(name: unknown): string | undefined {
  if (name === "candle") return "llamacpp";
  return typeof name === "string" ? name : undefined;
}

/** Words with another name, and words that fall back. */
const WORDS: readonly { path: string; means: Record<string, string>; fallback?: string }[] = [
  {
    path: "runtime.state_persistence.backend_type",
    means: {
      memory: "memory",
      file: "file",
      sqlite: "sqlite",
      sled: "sqlite",
      rocksdb: "sqlite",
      postgres: "postgres",
    },
    fallback: "memory",
  },
  {
    path: "runtime.sessions.storage_backend",
    means: { memory: "memory", sqlite: "sqlite", sled: "sqlite", rocksdb: "sqlite" },
    fallback: "memory",
  },
  {
    path: "runtime.state_persistence.backup.compression_type",
    means: { none: "none", lz4: "lz4", zstd: "zstd", gzip: "zstd" },
    fallback: "zstd",
  },
  { path: "rag.vector_storage.hnsw.metric", means: { inner_product: "innerproduct" } },
];

/** Replaces words by the ones the schema knows, and fills in what provider tables leave open. */
export function replaceWords(tree: Tree, sink: Pick<LayerSink, "warn">): void {
  for (const { path, means, fallback } of WORDS) {
    const keys = splitPath(path);
    const value = getPath(tree, keys);
    if (typeof value !== "string") continue;
    const word = means[value.toLowerCase()] ?? fallback;
    if (word === undefined) continue;
    if (!Object.hasOwn(means, value.toLowerCase()))
      sink.warn(`Unknown ${keys.at(-1)} ${JSON.stringify(value)}: "${word}" is used instead of it`, path);
    setPath(tree, keys, word);
  }
  for (const [name, provider] of Object.entries(isTree(tree.providers) ? tree.providers : {})) {
    if (isTree(provider)) completeProvider(name, provider);
  }
}

function completeProvider(name: string, provider: Tree): void {
  if (provider.provider_type === undefined && providerType(backendName(name))) provider.provider_type = name;
  if (provider.provider_type === "candle") provider.provider_type = "llamacpp";
}
