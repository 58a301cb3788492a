/** What the text after `model pull` means: spec/cli.md section 15.3. */
import { SpellError } from "../../core/errors.ts";
import { isModelId } from "../store/layout.ts";
import { catalogued } from "./catalogue.ts";

export type PullReference =
  /** `wanted`: a quantization or a file name. */
  | { hub: "huggingface"; name: string; repository: string; wanted?: string }
  | { hub: "ollama"; name: string; repository: string; tag: string };

const HUGGING_FACE = /^(?:https?:\/\/)?(?:huggingface\.co|hf\.co)\//i;
const OLLAMA = /^(?:https?:\/\/)?(?:registry\.ollama\.ai|ollama\.com)\/(?:library\/)?/i;

/**
 * `owner/repo[:QUANTIZATION]` and the short names of the catalogue are repositories of the Hugging Face Hub; any other
 * `name[:tag]` and `ollama.com/[owner/]name[:tag]` are models of Ollama's registry.
 * @param text without `@backend`
 * @param quantization asked for apart from the name
 * @throws invalid_argument
 */
export function parsePull(text: string, quantization?: string): PullReference {
  const trimmed = text.trim();
  const path = trimmed.replace(HUGGING_FACE, "").replace(OLLAMA, "");
  const [name, variant] = splitVariant(path);
  const isOllama = OLLAMA.test(trimmed) || (!name.includes("/") && catalogued(name) === undefined);
  // The parts become directories, and parts of URLs.
  if (!isModelId({ name, variant: (isOllama ? variant : undefined) ?? "latest" })) throw invalid(text);
  if (!isOllama) {
    const wanted = variant ?? quantization;
    const repository = catalogued(name)?.repository ?? name;
    return { hub: "huggingface", name, repository, ...(wanted === undefined ? {} : { wanted }) };
  }
  if (quantization !== undefined && variant === undefined) {
    throw new SpellError(
      "invalid_argument",
      `Cannot choose a quantization: Ollama's registry names it in the tag: ${text}`,
      { data: { model: text }, hint: `Write ${name}:TAG` },
    );
  }
  const repository = name.includes("/") ? name : `library/${name}`;
  return { hub: "ollama", name, repository, tag: variant ?? "latest" };
}

function splitVariant(path: string): [name: string, variant: string | undefined] {
  const colon = path.lastIndexOf(":");
  if (colon === -1) return [path, undefined];
  return [path.slice(0, colon), path.slice(colon + 1)];
}

function invalid(text: string): SpellError {
  return new SpellError("invalid_argument", `Invalid model spec '${text}'`, {
    data: { model: text },
    hint: "Write owner/repo[:QUANTIZATION] for Hugging Face, or name[:tag] for Ollama's registry",
  });
}
