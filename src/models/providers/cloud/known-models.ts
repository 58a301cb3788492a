/**
 * Context lengths in tokens and image input of well-known models, from the vendors' model pages (November 2026). What is
 * not listed is not known, as are names that move on (`mistral-small-latest`); `context_size` of the provider can tell.
 */
interface KnownModel {
  /** Name of the model, or its beginning up to a hyphen. */
  name: string;
  contextTokens: number;
  seesImages: boolean;
}

const known = (contextTokens: number, seesImages: boolean, ...names: string[]): KnownModel[] =>
  names.map((name) => ({ name, contextTokens, seesImages }));

/** Models for pictures, sound and vectors have other limits than the chat model of the same name. */
const OTHER_KIND = /-(image|tts|audio|live|realtime|transcribe|embedding|search)\b/;

/** Longer names first. */
const KNOWN: Readonly<Record<string, readonly KnownModel[]>> = {
  openai: [
    ...known(1_050_000, true, "gpt-5.4", "gpt-5.5"),
    ...known(128_000, true, "gpt-5-chat", "gpt-5.1-chat"),
    ...known(400_000, true, "gpt-5", "gpt-5.1"),
    ...known(1_047_576, true, "gpt-4.1"),
    ...known(128_000, true, "gpt-4o", "gpt-4-turbo", "chatgpt-4o"),
    ...known(8192, false, "gpt-4-0613", "gpt-4-0314"),
    ...known(16_385, false, "gpt-3.5-turbo"),
    ...known(128_000, false, "o1-mini", "o1-preview"),
    ...known(200_000, false, "o3-mini"),
    ...known(200_000, true, "o1", "o3", "o4-mini"),
  ],
  anthropic: [
    ...known(1_000_000, true, "claude-opus-4-6", "claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-4-6"),
    ...known(1_000_000, true, "claude-opus-5", "claude-sonnet-5", "claude-haiku-5-5", "claude-fable-5"),
    ...known(200_000, true, "claude-3", "claude-opus-4", "claude-sonnet-4", "claude-haiku-4-5"),
  ],
  cohere: [
    ...known(256_000, false, "command-a-03-2025", "command-a-reasoning"),
    ...known(128_000, true, "command-a-vision"),
    ...known(128_000, false, "command-r"),
  ],
  groq: [
    ...known(131_072, true, "meta-llama/llama-4"),
    ...known(131_072, false, "llama-3.1-8b-instant", "llama-3.3-70b-versatile", "openai/gpt-oss"),
  ],
  perplexity: [...known(200_000, true, "sonar-pro"), ...known(128_000, true, "sonar")],
  together: known(131_072, false, "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
  gemini: [
    ...known(1_048_576, true, "gemini-2.0-flash", "gemini-2.5-pro", "gemini-2.5-flash"),
    ...known(1_048_576, true, "gemini-3", "gemini-3.1", "gemini-3.5", "gemini-3.6", "gemini-3.7"),
    ...known(1_048_576, true, "gemini-3.8", "gemini-4"),
  ],
  mistral: [
    ...known(128_000, true, "mistral-small-2503", "mistral-small-2506", "pixtral-12b", "pixtral-large"),
    ...known(128_000, false, "mistral-large-2411", "open-mistral-nemo"),
  ],
};

function find(type: string, modelId: string): KnownModel | undefined {
  if (!Object.hasOwn(KNOWN, type) || OTHER_KIND.test(modelId)) return undefined;
  return KNOWN[type]!.find(({ name }) => modelId === name || modelId.startsWith(`${name}-`));
}

export function contextTokensOf(type: string, modelId: string): number | undefined {
  return find(type, modelId)?.contextTokens;
}

/** Undefined where it is not known. */
export function seesImages(type: string, modelId: string): boolean | undefined {
  return find(type, modelId)?.seesImages;
}
