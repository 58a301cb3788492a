/** `[provider/]model[@backend]`: spec/agents-workflows-rag.md section 2.1. Whoever reads a model name reads it here. */
import { SpellError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import type { Backend, ModelSpecifier } from "./service.ts";

/** Backends of local models, and the names under which they are also known. */
const BACKENDS: Readonly<Record<string, Backend>> = {
  llamacpp: "llamacpp",
  candle: "llamacpp",
  ollama: "ollama",
};

/**
 * Takes a specifier apart: the first slash ends the provider, the last `@` starts the backend. Where the provider is
 * named apart from the model, slashes belong to the model (`meta-llama/Llama-3-70b`), but a repeated provider is taken
 * off. The model may be empty (`openai/`): the provider's default model is then meant.
 * @throws invalid_argument for an empty specifier, not_found for an unknown backend
 */
export function parseSpecifier(text: string, explicitProvider?: string): ModelSpecifier {
  const trimmed = text.trim();
  const provider = explicitProvider?.trim() || undefined;
  if (trimmed === "" && provider === undefined) throw emptySpecifier();
  const at = trimmed.lastIndexOf("@");
  const path = at === -1 ? trimmed : trimmed.slice(0, at).trim();
  const backend = at === -1 ? undefined : parseBackend(trimmed.slice(at + 1));
  const slash = path.indexOf("/");
  const before = slash === -1 ? undefined : path.slice(0, slash).trim();
  if (provider !== undefined && before !== provider) return { provider, model: path, backend };
  return { provider: before || undefined, model: path.slice(slash + 1).trim(), backend };
}

export function emptySpecifier(): SpellError {
  return new SpellError("invalid_argument", "Model specification cannot be empty", {
    hint: 'Name a model as provider/model[@backend], for example "local/spell-mini"',
  });
}

/** The name of a backend as a user writes it, `candle` included. @throws not_found */
export function parseBackend(text: string): Backend {
  const name = text.trim().toLowerCase();
  const backend = Object.hasOwn(BACKENDS, name) ? BACKENDS[name] : undefined;
  if (backend !== undefined) return backend;
  throw new SpellError("not_found", `Unknown backend: must be llamacpp or ollama: "${text.trim()}"`, {
    data: { backend: text.trim() },
    hint: didYouMean(name, Object.keys(BACKENDS)) ?? "Leave out the @backend to take the default",
  });
}

/** `provider/model@backend`, absent parts left out. */
export function formatSpecifier({ provider, model, backend }: ModelSpecifier): string {
  return `${provider === undefined ? "" : `${provider}/`}${model}${backend === undefined ? "" : `@${backend}`}`;
}
