/**
 * Context lengths in tokens and image input of well-known models, from the vendors' model pages (read in 2025). What is
 * not listed is not known: `context_size` of the provider can tell.
 */
interface KnownModel {
  /** Beginning of the model's name. */
  prefix: string;
  contextTokens: number;
  seesImages: boolean;
}

const known = (contextTokens: number, seesImages: boolean, ...prefixes: string[]): KnownModel[] =>
  prefixes.map((prefix) => ({ prefix, contextTokens, seesImages }));

/** More exact beginnings first. */
const KNOWN: Readonly<Record<string, readonly KnownModel[]>> = {
  openai: [
    ...known(1_047_576, true, "gpt-4.1"),
    ...known(400_000, true, "gpt-5"),
    ...known(128_000, true, "gpt-4o", "gpt-4-turbo", "chatgpt-4o"),
    ...known(8192, false, "gpt-4-0613", "gpt-4-0314"),
    ...known(16_385, false, "gpt-3.5-turbo"),
    ...known(128_000, false, "o1-mini", "o1-preview"),
    ...known(200_000, false, "o3-mini"),
    ...known(200_000, true, "o1", "o3", "o4-mini"),
  ],
  anthropic: known(200_000, true, ...["claude-3", "claude-opus-4", "claude-sonnet-4", "claude-haiku-4"]),
  cohere: [
    ...known(256_000, false, "command-a-03-2025", "command-a-reasoning"),
    ...known(128_000, true, "command-a-vision"),
    ...known(128_000, false, "command-r"),
  ],
  groq: [
    ...known(131_072, true, "meta-llama/llama-4"),
    ...known(131_072, false, "llama-3.1-8b-instant", "llama-3.3-70b-versatile", "openai/gpt-oss"),
  ],
  perplexity: [
    ...known(200_000, true, "sonar-pro"),
    ...known(128_000, true, "sonar-reasoning", "sonar-deep-research", "sonar"),
  ],
  together: known(131_072, false, "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
  gemini: [
    ...known(1_048_576, true, "gemini-2.5", "gemini-2.0-flash", "gemini-1.5-flash"),
    ...known(2_097_152, true, "gemini-1.5-pro"),
  ],
  mistral: [
    ...known(128_000, true, "mistral-small-latest", "mistral-small-25", "mistral-medium", "pixtral"),
    ...known(128_000, false, "mistral-large-24", "ministral", "open-mistral-nemo"),
  ],
};

function find(type: string, modelId: string): KnownModel | undefined {
  const models = Object.hasOwn(KNOWN, type) ? KNOWN[type]! : [];
  return models.find(({ prefix }) => modelId.startsWith(prefix));
}

export function contextTokensOf(type: string, modelId: string): number | undefined {
  return find(type, modelId)?.contextTokens;
}

/** Undefined where it is not known. */
export function seesImages(type: string, modelId: string): boolean | undefined {
  return find(type, modelId)?.seesImages;
}
