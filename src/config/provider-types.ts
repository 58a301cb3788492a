/** What configuration knows of each kind of provider: where its key is usually found, and a model to begin with. */
export interface ProviderType {
  /** Conventional environment variables of the key, best first; none: it needs no key. */
  readonly keyVariables: readonly string[];
  /** It works without a key, and takes one where one is given. */
  readonly keyIsOptional?: true;
  /** Model of a provider that only a key in the environment configures. */
  readonly defaultModel?: string;
  /** Defaults of provider keys for this type. */
  readonly defaults?: Readonly<Record<string, unknown>>;
}

/** Settings of an embedded provider where its table does not say otherwise. */
export const LLAMACPP_DEFAULTS = {
  device: "auto",
  max_concurrent: 8,
  default_quantization: "Q4_K_M",
  cpu_threads: 0,
  context_size: 4096,
  batch_size: 512,
  use_flash_attention: true,
} as const;

const cloud = (keyVariable: string, defaultModel: string): ProviderType => ({
  keyVariables: [keyVariable],
  defaultModel,
});

export const PROVIDER_TYPES: Readonly<Record<string, ProviderType>> = {
  openai: cloud("OPENAI_API_KEY", "gpt-3.5-turbo"),
  anthropic: cloud("ANTHROPIC_API_KEY", "claude-3-5-haiku-latest"),
  cohere: cloud("COHERE_API_KEY", "command-r-08-2024"),
  groq: cloud("GROQ_API_KEY", "llama-3.1-8b-instant"),
  perplexity: cloud("PERPLEXITY_API_KEY", "sonar"),
  together: cloud("TOGETHER_API_KEY", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
  gemini: cloud("GEMINI_API_KEY", "gemini-2.5-flash"),
  mistral: cloud("MISTRAL_API_KEY", "mistral-small-latest"),
  replicate: cloud("REPLICATE_API_TOKEN", "meta/meta-llama-3-8b-instruct"),
  fireworks: cloud("FIREWORKS_API_KEY", "accounts/fireworks/models/llama-v3p3-70b-instruct"),
  openrouter: cloud("OPENROUTER_API_KEY", "openai/gpt-4o-mini"),
  xai: cloud("XAI_API_KEY", "grok-3-mini"),
  custom: { keyVariables: [], keyIsOptional: true },
  ollama: { keyVariables: [], defaults: { base_url: "http://localhost:11434" } },
  llamacpp: { keyVariables: [], defaults: LLAMACPP_DEFAULTS },
  test: { keyVariables: [] },
};

export function providerType(name: unknown): ProviderType | undefined {
  return typeof name === "string" && Object.hasOwn(PROVIDER_TYPES, name) ? PROVIDER_TYPES[name] : undefined;
}
