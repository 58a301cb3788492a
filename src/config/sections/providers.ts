import {
  anything,
  flag,
  integer,
  NOT_RAISED,
  number,
  PATH,
  POSITIVE,
  required,
  SECRET,
  section,
  TRUSTED,
  unset,
} from "../fields.ts";
import { Price } from "./models.ts";

const BASE_URL = { ...TRUSTED, "x-expand": true } as const;
const EXPANDED = { "x-expand": true } as const;

export const Provider = section(
  "One model provider. Keys not listed here are kept as options of the provider.",
  {
    name: unset.text("Label; the table's own name when absent", EXPANDED),
    provider_type: required(
      "Which client speaks to it: openai, anthropic, …, custom (any OpenAI-compatible service), ollama, llamacpp (alias candle), test",
    ),
    enabled: flag(true, "Offer this provider"),
    base_url: unset.text("Address of the service; the provider's own when absent", BASE_URL),
    api_key_env: unset.text("Name of the environment variable that holds the key", TRUSTED),
    api_key: unset.text("The key itself; wins over `api_key_env`", SECRET),
    default_model: unset.text("Model used when none is named (alias `model`)", EXPANDED),
    max_tokens: unset.integer("Most tokens in one answer", POSITIVE),
    timeout_seconds: unset.integer(
      "Longest wait for the first text, thought or tool call of an answer, in seconds; 300 when absent (alias `timeout`)",
      POSITIVE,
    ),
    connect_timeout_seconds: unset.integer(
      "Longest wait for a connection, in seconds; 10 when absent",
      POSITIVE,
    ),
    idle_timeout_seconds: unset.integer(
      "Longest wait for the next text, thought or piece of a tool call, in seconds; pings do not count; 60 when absent",
      POSITIVE,
    ),
    max_retries: unset.integer("Attempts after a failed request; 3 when absent"),
    fallback: unset.list(
      "Models asked in turn, as provider/model, where this provider cannot answer",
      TRUSTED,
    ),
    auth_header: unset.text("Header that carries the key; the vendor's own when absent", TRUSTED),
    auth_prefix: unset.text("Word before the key in `auth_header`; `Bearer` for Authorization, else none"),
    headers: unset.texts("Headers sent with every request.", SECRET),
    ca_file: unset.text(
      "PEM file with certificate authorities that are trusted besides the usual ones; NODE_EXTRA_CA_CERTS and SSL_CERT_FILE count too",
      PATH,
    ),
    structured_outputs: unset.flag(
      "Send JSON schemas with the request; false for servers that refuse them: the schema is then told in words. True when absent",
    ),
    rate_limit: unset.section("Requests this process may send.", {
      requests_per_minute: integer(60, "Requests a minute", POSITIVE),
      tokens_per_minute: unset.integer("Tokens a minute"),
      auto_retry: flag(true, "Wait and try again when the limit is reached"),
    }),
    retry: unset.section("How failed requests are repeated.", {
      max_retries: integer(3, "Attempts after the first"),
      initial_delay_ms: integer(1000, "Wait before the first repetition, in milliseconds"),
      max_delay_ms: integer(30_000, "Longest wait, in milliseconds"),
      backoff_multiplier: number(2, "Factor from one wait to the next", { exclusiveMinimum: 0 }),
    }),
    prices: unset.table(Price, "By model, or `*` for all others: what a million tokens cost"),
    temperature: unset.number("Sampling temperature when the script names none"),
    model_directory: unset.text(
      "llamacpp: directory of GGUF files; `models/llamacpp` of the data directory when absent",
      PATH,
    ),
    hub_url: unset.text(
      "llamacpp: address of the Hugging Face Hub or a mirror; wins over HF_ENDPOINT",
      BASE_URL,
    ),
    registry_url: unset.text("llamacpp: address of Ollama's registry or a mirror", BASE_URL),
    hf_api_key: unset.text("llamacpp: token for the Hub; HF_TOKEN and HFHUB_API_KEY when absent", SECRET),
    download_idle_seconds: unset.integer(
      "llamacpp, ollama: longest wait for the next bytes of a download, in seconds; 120 when absent",
      POSITIVE,
    ),
    device: unset.choice(
      ["auto", "cpu", "cuda", "metal", "vulkan"],
      "llamacpp: where layers run; auto: on a GPU as far as they fit",
    ),
    max_concurrent: unset.integer(
      "llamacpp: requests answered at the same time, more wait; 8 when absent",
      POSITIVE,
    ),
    context_shift: unset.flag(
      "llamacpp: where the context is full, forget the older half of the answer and go on; false when absent",
    ),
    speculative_tokens: unset.integer(
      "llamacpp: tokens decoded at once where an answer repeats its prompt or itself, 0 for none; 7 when absent",
      { minimum: 0, maximum: 16 },
    ),
    default_quantization: unset.text("llamacpp: file suffix taken when a model name gives none"),
    cpu_threads: unset.integer("llamacpp: threads; 0: one for each physical core"),
    context_size: unset.integer(
      "llamacpp, ollama: context length in tokens; ollama: its own choice when absent",
      POSITIVE,
    ),
    batch_size: unset.integer("llamacpp: tokens of one prompt chunk", POSITIVE),
    use_flash_attention: unset.flag("llamacpp: use flash attention where the model allows it"),
    gpu_layers: unset.integer("llamacpp: layers put on the GPU, 0 for none; as many as fit when absent"),
    check_memory: unset.flag(
      "llamacpp: refuse a model that needs more memory than is free; true when absent",
    ),
    numa: unset.choice(
      ["distribute", "isolate", "numactl"],
      "llamacpp: how threads are spread over NUMA nodes; not at all when absent",
    ),
    server_url: unset.text("llamacpp: use this llama-server instead of the built-in engine", BASE_URL),
    server_binary: unset.text("llamacpp: start this llama-server program", PATH),
    port: unset.integer("llamacpp: port for `server_binary`", { minimum: 1, maximum: 65_535 }),
    auto_start: unset.flag("ollama: start `ollama serve` when it does not answer", NOT_RAISED),
    health_check_interval_seconds: unset.integer(
      "ollama: how long it is remembered that the server answers, in seconds; 60 when absent",
    ),
    keep_alive: unset.anything(
      "ollama: how long a model stays in memory after a call, as `5m` or in seconds; Ollama's own choice when absent",
    ),
    installer_url: unset.text(
      "ollama: address of the script that `model install-ollama` runs; Ollama's own when absent",
      BASE_URL,
    ),
    responses: unset.anything("test: the answers it gives, in order; never expanded"),
    default_backend: unset.text(
      "Backend of `local/MODEL`: llamacpp or ollama. When absent: the store's model, else Ollama's where it answers",
    ),
  },
  anything("An option of the provider, kept as it is", { ...TRUSTED, "x-expand": true }),
);

export const Providers = section(
  "Model providers; every table is one, under a name of your choice.",
  { default_provider: unset.text("Provider used when a model name gives none") },
  Provider,
);
